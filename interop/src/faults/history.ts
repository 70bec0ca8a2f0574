// What clients asked and were told, and whether a linearizable store could have told them that. The server's zxids are its own
// claim of an order; the rules below hold that claim against real time, versions, and what each session saw before.

export interface Write {
  readonly client: number;
  readonly session: bigint;
  readonly kind: 'set' | 'create' | 'delete' | 'close';
  readonly key: string;
  /** Of a set or create; unique in a run. */
  readonly value: string;
  /** What a set expected, -1 for any. */
  readonly expected: number;
  readonly began: number;
  /** Infinity until the answer is there. */
  ended: number;
  /** Undefined while unknown: it may have happened, or happen yet. */
  error: number | undefined;
  /** Of the transaction, failed ones too. */
  zxid: number;
  /** Of the node behind a set. */
  version: number;
}

export interface Read {
  readonly client: number;
  readonly session: bigint;
  readonly key: string;
  /** The answer's zxid: everything up to it is in what was read. */
  readonly zxid: number;
  readonly value: string;
  readonly version: number;
  readonly mzxid: number;
  /** Whether the server is one whose reads are exact at their zxid. Apache's may answer with a later one than they read at. */
  readonly exact: boolean;
}

/** One value of a register. */
interface Version {
  readonly version: number;
  readonly value: string;
  readonly zxid: number;
}

const BAD_VERSION = -103;
const NODE_EXISTS = -110;

export class History {
  readonly writes: Write[] = [];
  readonly reads: Read[] = [];
  /** What was found wrong while it happened. */
  readonly faults: string[] = [];

  fault(text: string): void {
    if (this.faults.length < 50) this.faults.push(text);
  }

  get acknowledged(): number {
    return this.writes.filter((w) => w.error === 0).length;
  }

  /** All that is wrong with it; empty if nothing is. */
  check(): string[] {
    return [
      ...this.faults,
      ...distinctZxids(this.writes),
      ...realTime(this.writes),
      ...registers(this.writes, this.reads),
      ...unique(this.writes),
      ...ephemerals(this.writes),
    ];
  }
}

/** A transaction is one client's. */
function* distinctZxids(writes: readonly Write[]): Generator<string> {
  const seen = new Map<number, Write>();
  for (const write of writes) {
    if (write.error === undefined) continue;
    const other = seen.get(write.zxid);
    if (other !== undefined) yield `one zxid for two: ${told(write)} and ${told(other)}`;
    seen.set(write.zxid, write);
  }
}

/** What had been answered before another was asked comes before it. */
function* realTime(writes: readonly Write[]): Generator<string> {
  const answered = writes.filter((w) => w.error !== undefined).sort((a, b) => a.ended - b.ended);
  const asked = [...answered].sort((a, b) => a.began - b.began);
  let next = 0;
  let latest: Write | undefined;
  for (const write of asked) {
    for (; next < answered.length && answered[next].ended < write.began; next++) {
      if (latest === undefined || answered[next].zxid > latest.zxid) latest = answered[next];
    }
    if (latest !== undefined && write.zxid < latest.zxid)
      yield `out of real-time order: ${told(write)} was asked after the answer to ${told(latest)}`;
  }
}

/** Each register went through one sequence of versions, and everything that was answered fits into it. */
function* registers(writes: readonly Write[], reads: readonly Read[]): Generator<string> {
  const versions = new Map<string, Map<number, Version>>();
  const faults: string[] = [];
  const note = (key: string, version: number, value: string, zxid: number, by: string): void => {
    const of = versions.get(key) ?? new Map<number, Version>();
    versions.set(key, of);
    const known = of.get(version);
    if (known === undefined) of.set(version, { version, value, zxid });
    else if (known.value !== value || known.zxid !== zxid)
      faults.push(
        `${key} has two histories: version ${version} is ${known.value} of ${hex(known.zxid)}, and ${value} of ${hex(zxid)} for ${by}`,
      );
  };
  const sets = writes.filter((w) => w.kind === 'set');
  for (const write of sets) {
    if (write.error !== 0) continue;
    note(write.key, write.version, write.value, write.zxid, `client ${write.client}`);
    if (write.expected >= 0 && write.version !== write.expected + 1)
      yield `${told(write)} expected version ${write.expected} and made ${write.version}`;
  }
  for (const read of reads) note(read.key, read.version, read.value, read.mzxid, `a read of client ${read.client}`);
  yield* faults;
  const orders = new Map<string, readonly Version[]>();
  for (const [key, of] of versions) {
    const order = [...of.values()].sort((a, b) => a.version - b.version);
    orders.set(key, order);
    for (const [i, one] of order.entries()) {
      const before = order[i - 1];
      if (before !== undefined && before.zxid >= one.zxid)
        yield `${key}: version ${one.version} of ${hex(one.zxid)} comes after ${before.version} of ${hex(before.zxid)}`;
    }
  }
  for (const write of sets) if (write.error === BAD_VERSION) yield* rightlyRefused(write, orders.get(write.key) ?? []);
  for (const read of reads) yield* upToDate(read, orders.get(read.key) ?? []);
}

function* rightlyRefused(write: Write, order: readonly Version[]): Generator<string> {
  const at = order.findIndex((v) => v.version === write.expected);
  const next = order[at + 1];
  if (at < 0 || next === undefined || next.version !== write.expected + 1) return;
  if (order[at].zxid < write.zxid && write.zxid < next.zxid)
    yield `${told(write)} was refused, and version ${write.expected} stood from ${hex(order[at].zxid)} to ${hex(next.zxid)}`;
}

function* upToDate(read: Read, order: readonly Version[]): Generator<string> {
  if (read.mzxid > read.zxid) yield `client ${read.client} read ${hex(read.mzxid)} of ${read.key} at ${hex(read.zxid)}`;
  if (!read.exact) return;
  let low = 0;
  for (let high = order.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (order[middle].zxid <= read.zxid) low = middle + 1;
    else high = middle;
  }
  const latest = order[low - 1];
  if (latest !== undefined && latest.zxid > read.mzxid)
    yield `client ${read.client} read ${read.key} of ${hex(read.mzxid)} at ${hex(read.zxid)}, where it was of ${hex(latest.zxid)} already`;
}

/** A path that only one client asks for once is made once. */
function* unique(writes: readonly Write[]): Generator<string> {
  const made = new Map<string, Write>();
  for (const write of writes) {
    if (write.kind !== 'create' || shared(write.key)) continue;
    if (write.error === NODE_EXISTS) yield `${told(write)}: nobody else asked for it, and it existed`;
    if (write.error !== 0) continue;
    const other = made.get(write.key);
    if (other !== undefined) yield `made twice: ${told(write)} and ${told(other)}`;
    made.set(write.key, write);
  }
}

/** Whether it is made by several clients and again and again. */
const shared = (key: string): boolean => key.startsWith('/lock/');

/** An ephemeral node that its session did not delete is there as long as the session acts. */
function* ephemerals(writes: readonly Write[]): Generator<string> {
  const acts = new Map<bigint, number>();
  for (const { session, error, zxid } of writes)
    if (error === 0) acts.set(session, Math.max(zxid, acts.get(session) ?? 0));
  const held = writes
    .filter((w) => w.kind === 'create' && shared(w.key) && w.error === 0)
    .sort((a, b) => a.zxid - b.zxid);
  const lettingGo = writes.filter((w) => w.kind === 'close' || (w.kind === 'delete' && shared(w.key)));
  for (const [i, hold] of held.entries()) {
    const next = held[i + 1];
    if (next === undefined) break;
    // Also one that was not answered may have let it go.
    const letGo = (w: Write) => w.session === hold.session && w.began >= hold.began && w.began < next.ended;
    if (lettingGo.some(letGo)) continue;
    if ((acts.get(hold.session) ?? 0) > next.zxid)
      yield `${told(next)} took what session ${hex(hold.session)} held since ${hex(hold.zxid)} and lived on with`;
  }
}

export const hex = (id: number | bigint): string => `0x${id.toString(16)}`;

export function told({ client, kind, key, value, zxid }: Write): string {
  return `${kind} ${key} ${value} of client ${client} (${hex(zxid)})`;
}
