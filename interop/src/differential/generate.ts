// Makes up sequences of requests of every operation, valid and not. What may not be sent is said in known-differences.ts.

import {
  type Acl,
  JuteReader,
  JuteWriter,
  OPEN_ACL_UNSAFE,
  OpCode,
  readAclList,
  writeAclList,
} from '@nodekeeper/protocol';
import { harmsApache } from '../servers/harmful.js';
import { leavesChangesBehind } from './known-differences.js';
import { Random } from './random.js';
import { CONNECTIONS, type ConnectStep, type RawStep, type RequestStep, type Step } from './step.js';
import { BAD_AUTH, GOOD_AUTH, INVALID_ACLS, LIMITS, VALID_ACLS, Values } from './values.js';

/**
 * The sequence of a seed. Every choice hangs on the seed alone, so another root of the same length gives the same sequence
 * elsewhere in the tree.
 * @param pipeline at least 2: send nearly all requests in batches of up to so many; otherwise a few are
 */
export function generate(seed: number, count: number, root: string, pipeline = 1): Step[] {
  return new Generator(seed, root, pipeline).run(count);
}

/** Operations whose bodies may be damaged at random: both servers judge every damage alike. */
const MUTABLE = new Set<number>([
  OpCode.create,
  OpCode.create2,
  OpCode.createContainer,
  OpCode.createTTL,
  OpCode.delete,
  OpCode.setData,
  OpCode.getACL,
  OpCode.sync,
  OpCode.getAllChildrenNumber,
  OpCode.getEphemerals,
]);
/** Operations whose bodies may be cut short. */
const CUTTABLE = new Set<number>([
  ...MUTABLE,
  OpCode.setACL,
  OpCode.exists,
  OpCode.getData,
  OpCode.getChildren,
  OpCode.getChildren2,
  OpCode.multi,
  OpCode.multiRead,
  OpCode.reconfig,
  OpCode.checkWatches,
  OpCode.removeWatches,
  OpCode.setWatches,
  OpCode.setWatches2,
  OpCode.addWatch,
  OpCode.auth,
  OpCode.sasl,
]);
const INTS = [-1, -2, 0, 1, 2, 0x7fffffff, -0x80000000, 0xfffff, 0x200000];

class Generator {
  private readonly random: Random;
  private readonly values: Values;
  private readonly pipeline: number;
  private xid = 100;
  /** Whether the connection is thought to be open; a wrong guess costs only a step. */
  private readonly open: boolean[] = new Array(CONNECTIONS).fill(false);

  constructor(seed: number, root: string, pipeline: number) {
    this.random = new Random(seed);
    this.values = new Values(root);
    this.pipeline = pipeline;
  }

  run(count: number): Step[] {
    const { random, values } = this;
    const steps: Step[] = [];
    for (let conn = 0; conn < CONNECTIONS; conn++) steps.push(this.fresh(conn));
    for (let conn = 0; conn < CONNECTIONS; conn++) if (random.chance(40)) steps.push(this.goodAuth(conn));
    for (const path of ['', '/r', '/p', '/l']) {
      steps.push(this.request(0, OpCode.create, (w) => createBody(w, values.root + path, null, OPEN_ACL_UNSAFE, 0)));
    }
    while (steps.length < count) steps.push(...this.next());
    return steps;
  }

  private next(): Step[] {
    const { random } = this;
    const conn = random.int(CONNECTIONS);
    if (!this.open[conn] || random.chance(2)) {
      const connect = random.chance(50) ? this.fresh(conn) : this.connect(conn);
      return random.chance(30) ? [connect, this.goodAuth(conn)] : [connect];
    }
    if (random.chance(this.pipeline > 1 ? 80 : 10)) return this.batch(conn);
    if (random.chance(1)) return [this.raw(conn)];
    return [this.single(conn)];
  }

  /** Requests in one write. Auth, sasl and unknown operations are not among them: their answers may overtake others. */
  private batch(conn: number): Step[] {
    const { random } = this;
    const steps: RequestStep[] = [];
    const count = 2 + random.int(this.pipeline > 1 ? this.pipeline - 1 : 7);
    // What 3.9 says of `exists` on a limited node is found out by asking again (run.ts), not possible within a batch.
    while (steps.length < count) {
      const step = this.ordinary(conn);
      const asksAgain = step.op === OpCode.exists && this.isLimited(step);
      // 3.8.0 judges what follows a setACL by the ACL before, until the change is applied: it depends on the moment.
      // It also takes a container with the flags of an ephemeral node for one, until it is applied.
      const racesInApache =
        (step.op === OpCode.setACL && steps.length < count - 1) ||
        step.op === OpCode.createContainer ||
        leavesChangesBehind(step);
      if (!asksAgain && !racesInApache) steps.push(this.spoilt(step));
    }
    if (random.chance(4)) steps.push(this.closeSession(conn));
    return steps.map((step, i) => ({ ...step, hold: i < steps.length - 1 }));
  }

  private single(conn: number): RequestStep {
    return this.spoilt(this.random.chance(8) ? this.unordinary(conn) : this.ordinary(conn));
  }

  /** Cuts or damages some of the requests. */
  private spoilt(step: RequestStep): RequestStep {
    const { random } = this;
    const { op, body } = step;
    if (body.length === 0) return step;
    if (CUTTABLE.has(op) && random.chance(3)) {
      const shorter = body.subarray(0, random.int(body.length));
      if (op === OpCode.auth || op === OpCode.sasl) this.open[step.conn] = false;
      const { zxidAt, ...rest } = step;
      return zxidAt !== undefined && shorter.length >= zxidAt + 8
        ? { ...step, body: shorter }
        : { ...rest, body: shorter };
    }
    if (CUTTABLE.has(op) && random.chance(2))
      return { ...step, body: Buffer.concat([body, Buffer.alloc(random.int(9), 1)]) };
    if (MUTABLE.has(op) && random.chance(4)) {
      const damaged = Buffer.from(body);
      if (random.chance(50) || body.length < 4) {
        const at = random.int(body.length);
        damaged[at] = (damaged[at] as number) ^ (1 << random.int(8));
      } else damaged.writeInt32BE(random.pick(INTS), random.int(body.length - 3));
      return harmsApache(op, damaged) || limitsAccess(op, damaged) ? step : { ...step, body: damaged };
    }
    return step;
  }

  private isLimited({ body }: RequestStep): boolean {
    return this.values.limited.some((path) => body.includes(path));
  }

  private request(conn: number, op: number, body: (w: JuteWriter) => void = () => {}, zxidAt?: number): RequestStep {
    const w = new JuteWriter();
    body(w);
    const step = { kind: 'request', conn, op, xid: this.xid++, body: Buffer.from(w.bytes()), hold: false } as const;
    return zxidAt === undefined ? step : { ...step, zxidAt };
  }

  // --- connections ---

  private fresh(conn: number): ConnectStep {
    const { random } = this;
    this.open[conn] = true;
    return {
      kind: 'connect',
      conn,
      session: 'new',
      password: random.pick(['right', 'right', 'null', 'empty', 'long', 'wrong']),
      timeout: random.pick([10000, 40000, 100_000, 1_000_000, 0, -5]),
      protocolVersion: random.pick([0, 0, 0, 1, -1]),
      seen: random.pick(['zero', 'zero', 'base', 'negative']),
      tail: random.pick([Buffer.from([0]), Buffer.from([1]), Buffer.alloc(0), Buffer.from([7, 1, 2])]),
    };
  }

  private connect(conn: number): ConnectStep {
    const { random } = this;
    const session = random.chance(75) ? conn : random.chance(80) ? random.int(CONNECTIONS) : 'unknown';
    const password = random.pick(['right', 'right', 'right', 'right', 'wrong', 'null', 'empty', 'long'] as const);
    const seen = random.pick(['zero', 'base', 'base', 'negative', 'ahead'] as const);
    // The server closes the session's other connection first, even if the password is wrong then.
    if (typeof session === 'number' && seen !== 'ahead') this.open[session] = false;
    this.open[conn] = session !== 'unknown' && password === 'right' && seen !== 'ahead';
    return { ...this.anyHandshake(conn), session, password, seen };
  }

  /** A handshake's other fields, without a word about what becomes of the connection. */
  private anyHandshake(conn: number): ConnectStep {
    const open = this.open[conn] as boolean;
    const step = this.fresh(conn);
    this.open[conn] = open;
    return step;
  }

  private raw(conn: number): RawStep {
    const { random } = this;
    const fresh = random.chance(40);
    this.open[conn] = false;
    const [what, hex] = fresh
      ? random.pick([
          ['a ConnectRequest that is cut', '00000010000000000000000000000000'.concat('00000000')],
          ['a ConnectRequest with a password of -2 bytes', `0000001c${'00'.repeat(24)}fffffffe`],
          ['a ConnectRequest with a password longer than the frame', `0000001c${'00'.repeat(24)}00000010`],
          ['a negative length', 'ffffff00'],
          ['a length above the limit', '00100000'],
        ] as const)
      : random.pick([
          ['a negative length', 'ffffffff'],
          ['length 0', '00000000'],
          ['a length above the limit', '00100000'],
          ['the largest length', '7fffffff'],
          ['the word ruok', '72756f6b'],
          ['half a header', '00000004000000ff'],
          ['a second ConnectRequest', `0000002d${'00'.repeat(12)}00007530${'00'.repeat(8)}00000010${'00'.repeat(17)}`],
        ] as const);
    return { kind: 'raw', conn, what, bytes: Buffer.from(hex, 'hex'), fresh };
  }

  // --- operations ---

  private ordinary(conn: number): RequestStep {
    const { random, values } = this;
    switch (random.int(30)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
        return this.create(conn);
      case 6:
      case 7:
        return this.request(conn, OpCode.delete, (w) => w.string(this.anyPath()).int(this.version()));
      case 8:
      case 9:
      case 10:
        return this.request(conn, OpCode.setData, (w) =>
          w.string(this.anyPath()).buffer(this.data()).int(this.version()),
        );
      case 11:
      case 12:
        return this.request(conn, OpCode.setACL, (w) => {
          const limited = random.chance(75);
          w.string(limited ? random.pick(values.limited) : this.ownPath());
          writeAclList(w, limited ? this.acl() : random.chance(80) ? OPEN_ACL_UNSAFE : random.pick(INVALID_ACLS));
          w.int(this.version());
        });
      case 13:
        return this.request(conn, OpCode.getACL, (w) => w.string(this.anyPath(40)));
      case 14:
      case 15:
        return this.watchingRead(conn, OpCode.getData);
      case 16:
      case 17:
        return this.watchingRead(conn, OpCode.exists);
      case 18:
        return this.watchingRead(conn, random.pick([OpCode.getChildren, OpCode.getChildren2]));
      case 19:
      case 20:
      case 21:
        return this.multi(conn);
      case 22:
        return this.multiRead(conn);
      case 23:
        return this.setWatches(conn);
      case 24:
        return this.addWatch(conn);
      case 25:
        return this.checkOrRemoveWatches(conn);
      case 26:
        return this.request(conn, OpCode.getEphemerals, (w) =>
          w.string(random.pick([null, '', ' ', '/', values.root, `${values.root}/a`, 'x'])),
        );
      case 27:
        return this.request(conn, OpCode.getAllChildrenNumber, (w) => w.string(this.anyPath()));
      case 28:
        return this.quota(conn);
      default:
        return random.chance(50)
          ? this.request(conn, OpCode.sync, (w) => w.string(this.anyPath()))
          : this.request(conn, OpCode.reconfig, (w) =>
              w
                .string(random.pick([null, '', 'server.2=x:1:2;3']))
                .string(random.pick(['1', null]))
                .string(random.pick([null, 'nonsense']))
                .long(random.pick([-1n, 0n, 7n])),
            );
    }
  }

  private unordinary(conn: number): RequestStep {
    const { random } = this;
    switch (random.int(10)) {
      case 0:
      case 1:
        return this.goodAuth(conn);
      case 2: {
        this.open[conn] = false;
        return this.auth(conn, random.pick(BAD_AUTH));
      }
      case 3:
        return this.request(conn, OpCode.whoAmI);
      case 4:
        return this.request(conn, OpCode.ping);
      case 5:
        return this.closeSession(conn);
      case 6:
        this.open[conn] = false;
        return this.request(conn, random.pick([10, 0, 23, 99, 108, -2, 1000, 0x7fffffff]));
      case 7:
        return this.request(conn, OpCode.sasl, (w) => w.buffer(random.pick([Buffer.from('x'), Buffer.alloc(0)])));
      case 8:
        return this.request(conn, OpCode.deleteContainer, (w) => w.string(this.path(90)));
      default:
        return this.request(conn, OpCode.getData, (w) => w.string('/zookeeper/config').bool(false));
    }
  }

  private closeSession(conn: number): RequestStep {
    this.open[conn] = false;
    return this.request(conn, OpCode.closeSession);
  }

  private create(conn: number): RequestStep {
    const { random } = this;
    const op = random.pick([OpCode.create, OpCode.create, OpCode.create2, OpCode.createContainer, OpCode.createTTL]);
    const limited = random.chance(15);
    const acl = limited ? this.acl() : random.chance(97) ? OPEN_ACL_UNSAFE : random.pick(INVALID_ACLS);
    return this.request(conn, op, (w) => {
      let flags = random.chance(96) ? random.pick([0, 0, 0, 1, 2, 3, 4]) : random.pick([5, 6, 7, -1, 100]);
      if (op === OpCode.createContainer && random.chance(70)) flags = 4;
      if (op === OpCode.createTTL && random.chance(80)) flags = random.pick([5, 6]);
      createBody(w, limited ? random.pick(this.values.limited) : this.createPath(flags), this.data(), acl, flags);
      if (op !== OpCode.createTTL) return;
      const isTtl = flags === 5 || flags === 6;
      w.long(isTtl ? random.pick([100000n, 1n, 0n, -1n, 2n ** 40n - 1n, 2n ** 40n, 2n ** 62n]) : random.pick([0n, 5n]));
    });
  }

  /** Sequential nodes get a name of their own at times, even none. */
  private createPath(flags: number): string | null {
    const { random, values } = this;
    if ((flags === 2 || flags === 3 || flags === 6) && random.chance(40))
      return values.root + random.pick(['/a/', '/s-', '/', '/e/x-', '/c/', '/none/']);
    return this.path(93);
  }

  private watchingRead(conn: number, op: number): RequestStep {
    const { random, values } = this;
    const limited = random.chance(20);
    const path = limited ? random.pick(values.limited) : this.path(92);
    // 3.8.0 lets `exists` set a watch on a node that may not be read.
    const watch =
      random.chance(50) &&
      !(limited && op === OpCode.exists) &&
      mayWatch(path) &&
      (path === null || values.modeOf(path) === 'standard');
    return this.request(conn, op, (w) => w.string(path).bool(watch));
  }

  private multi(conn: number): RequestStep {
    const { random } = this;
    return this.request(conn, OpCode.multi, (w) => {
      const parts = random.int(6);
      for (let i = 0; i < parts; i++) this.part(w);
      if (random.chance(97))
        w.int(random.chance(95) ? -1 : 5)
          .bool(true)
          .int(-1);
    });
  }

  private part(w: JuteWriter): void {
    const { random, values } = this;
    const limited = random.chance(8);
    const path = limited ? random.pick(values.limited) : (this.path(95) ?? values.root);
    const type = random.chance(98)
      ? random.pick([1, 1, 15, 2, 5, 5, 13, 13, 19, 21])
      : random.pick([3, 7, 16, 14, 99, 0]);
    w.int(type)
      .bool(false)
      .int(random.chance(95) ? -1 : 3);
    // A null ACL makes 3.9 fail the whole multi.
    const acl = (limited ? this.acl() : random.chance(97) ? OPEN_ACL_UNSAFE : random.pick(INVALID_ACLS)) ?? [];
    switch (type) {
      case 1:
      case 15:
        createBody(w, path, this.data(), acl, random.pick([0, 0, 1, 2, 3, 4]));
        break;
      case 19:
        createBody(w, path, this.data(), acl, 4);
        break;
      case 21:
        createBody(w, path, this.data(), acl, random.pick([5, 6]));
        w.long(random.pick([100000n, 100000n, 1n, 0n, -1n, 2n ** 40n]));
        break;
      case 5:
        w.string(path).buffer(this.data()).int(this.version());
        break;
      default:
        w.string(path).int(this.version());
    }
  }

  private multiRead(conn: number): RequestStep {
    const { random } = this;
    return this.request(conn, OpCode.multiRead, (w) => {
      const parts = random.int(5);
      for (let i = 0; i < parts; i++) {
        w.int(random.pick([OpCode.getData, OpCode.getChildren]))
          .bool(false)
          .int(-1);
        w.string(this.anyPath(15)).bool(random.chance(50));
      }
      if (random.chance(10)) w.int(OpCode.delete).bool(false).int(-1).string(this.values.root).int(-1);
      if (random.chance(97)) w.int(-1).bool(true).int(-1);
    });
  }

  private setWatches(conn: number): RequestStep {
    const { random, values } = this;
    const list = (w: JuteWriter, from: readonly string[]): void => {
      if (random.chance(2)) w.int(-1);
      else
        w.vector(
          Array.from({ length: random.pick([0, 0, 1, 2, 4]) }, () => random.pick(from)),
          (x, p) => x.string(p),
        );
    };
    const relative = random.chance(70);
    const op = random.pick([OpCode.setWatches, OpCode.setWatches2]);
    return this.request(
      conn,
      op,
      (w) => {
        w.long(relative ? BigInt(random.int(60)) : random.pick([0n, -1n, 2n ** 40n]));
        for (let i = 0; i < 3; i++) list(w, values.standard);
        if (op === OpCode.setWatches) return;
        list(w, values.persistent);
        list(w, values.recursive);
      },
      relative ? 0 : undefined,
    );
  }

  private addWatch(conn: number): RequestStep {
    const { random, values } = this;
    return this.request(conn, OpCode.addWatch, (w) => {
      if (random.chance(10)) w.string(random.pick(values.standard)).int(random.pick([-1, 2, 7]));
      else if (random.chance(50)) w.string(random.pick(values.persistent)).int(0);
      else w.string(random.pick(values.recursive)).int(1);
    });
  }

  private checkOrRemoveWatches(conn: number): RequestStep {
    const { random, values } = this;
    return this.request(conn, random.pick([OpCode.checkWatches, OpCode.removeWatches, OpCode.removeWatches]), (w) => {
      if (random.chance(40)) w.string(random.pick([...values.persistent, ...values.recursive])).int(3);
      else w.string(random.pick(values.standard)).int(random.pick([1, 2, 3, 1, 2, 3, 0, 6, -1]));
    });
  }

  private goodAuth(conn: number): RequestStep {
    return this.auth(conn, this.random.pick(GOOD_AUTH));
  }

  private auth(conn: number, [scheme, token]: readonly [string | null, string]): RequestStep {
    return this.request(conn, OpCode.auth, (w) =>
      w
        .int(this.random.pick([0, 0, 9]))
        .string(scheme)
        .buffer(Buffer.from(token)),
    );
  }

  private quota(conn: number): RequestStep {
    const { random, values } = this;
    const path = random.pick(values.quotas);
    switch (random.int(8)) {
      case 0:
        return this.request(conn, OpCode.delete, (w) => w.string(path).int(-1));
      case 1:
      case 2:
        return this.request(conn, OpCode.getData, (w) => w.string(path).bool(false));
      case 3: {
        const limits = values.quotas.filter((quota) => quota.endsWith('limits'));
        return this.request(conn, OpCode.setData, (w) =>
          w
            .string(random.pick(limits))
            .buffer(Buffer.from(random.pick(LIMITS)))
            .int(-1),
        );
      }
      default: {
        const text = path.endsWith('limits') ? random.pick(LIMITS) : '';
        return this.request(conn, OpCode.create, (w) => createBody(w, path, Buffer.from(text), OPEN_ACL_UNSAFE, 0));
      }
    }
  }

  // --- values ---

  /** A path; of `good` percent of the calls, one that may exist. */
  private path(good: number): string | null {
    return this.random.chance(good) ? this.random.pick(this.values.paths) : this.random.pick(this.values.odd);
  }

  /** As `path`, and of `limited` percent of the calls, one with an ACL of its own. */
  private anyPath(limited = 12): string | null {
    return this.random.chance(limited) ? this.random.pick(this.values.limited) : this.path(92);
  }

  /** A path of this sequence alone, or none at all: the ACLs of built-in nodes would reach into other sequences. */
  private ownPath(): string | null {
    const path = this.path(60);
    return path?.startsWith('/zookeeper') || path === '/' || path === '' ? null : path;
  }

  private version(): number {
    return this.random.pick([-1, -1, -1, -1, 0, 0, 1, 2, 50, -2]);
  }

  private data(): Buffer | null {
    const { random } = this;
    const n = random.chance(1) ? random.pick([2000, 40000]) : random.pick([-1, 0, 1, 5, 40, 300]);
    return n < 0 ? null : Buffer.alloc(n, 0x61 + random.int(26));
  }

  private acl(): readonly Acl[] | null {
    return this.random.chance(85) ? this.random.pick(VALID_ACLS) : this.random.pick(INVALID_ACLS);
  }
}

/** Built-in nodes are not watched: events of other sequences' leftovers would come in. */
function mayWatch(path: string | null): boolean {
  return path === null || !(path === '/' || path === '' || path.startsWith('/zookeeper'));
}

/** Whether a damaged create still can be decoded, with another ACL than everybody's: only limited nodes have one. */
function limitsAccess(op: number, body: Buffer): boolean {
  if (op !== OpCode.create && op !== OpCode.create2 && op !== OpCode.createContainer && op !== OpCode.createTTL)
    return false;
  const r = new JuteReader(body);
  try {
    r.string();
    r.buffer();
    return JSON.stringify(readAclList(r)) !== JSON.stringify(OPEN_ACL_UNSAFE);
  } catch {
    return false;
  }
}

function createBody(
  w: JuteWriter,
  path: string | null,
  data: Buffer | null,
  acl: readonly Acl[] | null,
  flags: number,
): void {
  w.string(path).buffer(data);
  writeAclList(w, acl);
  w.int(flags);
}
