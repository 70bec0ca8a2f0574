// The sessions of this server: who is alive, until when, and whose. Deadlines are rounded up to ticks, so that touching a
// session mostly changes nothing. Source: SessionTrackerImpl and ExpiryQueue of Apache ZooKeeper.

/** One session. `owner` is what held it last: a connection; undefined where nobody has. */
export class Session<Owner> {
  readonly id: bigint;
  readonly idHi: number;
  readonly idLo: number;
  /** Milliseconds. */
  timeout: number;
  deadline = 0;
  /** When its client was heard last, in the milliseconds of the table's caller. */
  touchedAt = 0;
  /** Being closed: a closeSession transaction is on its way. */
  closing = false;
  owner: Owner | undefined;
  /** Known to this server only: no transaction made it. */
  local = false;

  constructor(id: bigint, timeout: number) {
    this.id = id;
    this.idHi = Number(BigInt.asIntN(32, id >> 32n));
    this.idLo = Number(BigInt.asIntN(32, id));
    this.timeout = timeout;
  }
}

export class SessionTable<Owner> {
  private readonly byId = new Map<bigint, Session<Owner>>();
  private readonly buckets = new Map<number, Set<Session<Owner>>>();
  private readonly tick: number;
  private nextDeadline = 0;

  /** @param tick the interval of deadlines, in milliseconds (tickTime) */
  constructor(tick: number) {
    if (!(tick > 0)) throw new RangeError(`tick must be positive: ${tick}`);
    this.tick = tick;
  }

  get size(): number {
    return this.byId.size;
  }

  get(id: bigint): Session<Owner> | undefined {
    return this.byId.get(id);
  }

  values(): IterableIterator<Session<Owner>> {
    return this.byId.values();
  }

  /** The session of the id, made if it is not there, alive from `now` on for its timeout. */
  track(id: bigint, timeout: number, now: number): Session<Owner> {
    let session = this.byId.get(id);
    if (session === undefined) {
      session = new Session<Owner>(id, timeout);
      this.byId.set(id, session);
    }
    session.timeout = timeout;
    this.touch(session, now);
    return session;
  }

  /** Moves the session's deadline. */
  touch(session: Session<Owner>, now: number): void {
    session.touchedAt = now;
    const deadline = (Math.floor((now + session.timeout) / this.tick) + 1) * this.tick;
    if (deadline === session.deadline || session.closing) return;
    this.leaveBucket(session);
    session.deadline = deadline;
    const bucket = this.buckets.get(deadline);
    if (bucket === undefined) this.buckets.set(deadline, new Set([session]));
    else bucket.add(session);
    if (this.nextDeadline === 0 || deadline < this.nextDeadline) this.nextDeadline = deadline;
  }

  /** Marks the session as closing: it will not expire again and takes no more requests. */
  startClosing(session: Session<Owner>): void {
    session.closing = true;
    this.leaveBucket(session);
  }

  remove(id: bigint): Session<Owner> | undefined {
    const session = this.byId.get(id);
    if (session === undefined) return undefined;
    this.leaveBucket(session);
    this.byId.delete(id);
    return session;
  }

  /** The local sessions whose deadline has passed; a learner ends those itself. */
  expiredLocal(now: number): Session<Owner>[] {
    return [...this.expired(now)].filter((session) => session.local);
  }

  /** The sessions whose deadline has passed, each taken out of its bucket in its turn; whoever stops early finds the others later. */
  *expired(now: number): Generator<Session<Owner>> {
    if (this.nextDeadline === 0 || now < this.nextDeadline) return;
    let next = 0;
    for (const [deadline, bucket] of this.buckets) {
      if (deadline <= now) {
        for (const session of bucket) {
          this.leaveBucket(session);
          yield session;
        }
      } else if (next === 0 || deadline < next) {
        next = deadline;
      }
    }
    this.nextDeadline = next;
  }

  /** Deadlines with the sessions that end there, for the `dump` command. */
  expiryBuckets(): Iterable<readonly [number, Iterable<Session<Owner>>]> {
    return this.buckets;
  }

  private leaveBucket(session: Session<Owner>): void {
    const bucket = this.buckets.get(session.deadline);
    if (bucket === undefined) return;
    bucket.delete(session);
    if (bucket.size === 0) this.buckets.delete(session.deadline);
    session.deadline = 0;
  }
}
