// Makes up sequences of requests of every operation, valid and not. A sequence is data: it can be sent to two servers, and
// shrunk. Left out is what known-differences.ts says.

import { type Acl, JuteWriter, OPEN_ACL_UNSAFE, OpCode, writeAclList } from '@nodekeeper/protocol';
import { Random } from './random.js';

export type Step =
  | {
      readonly kind: 'request';
      readonly conn: number;
      readonly op: number;
      readonly body: Buffer;
      readonly xid: number;
    }
  | { readonly kind: 'reconnect'; readonly conn: number; readonly password: 'right' | 'wrong' }
  | { readonly kind: 'open'; readonly conn: number; readonly timeout: number; readonly readOnlyByte: boolean };

export const CONNECTIONS = 3;

const WORLD = { scheme: 'world', id: 'anyone' };
const LIMITED: readonly (readonly Acl[])[] = [
  [{ perms: 1, ...WORLD }],
  [{ perms: 31, scheme: 'digest', id: 'bob:x' }],
  [{ perms: 31, scheme: 'auth', id: '' }],
  [{ perms: 31, scheme: 'ip', id: '127.0.0.1' }],
  [
    { perms: 5, scheme: 'ip', id: '127.0.0.0/8' },
    { perms: 5, scheme: 'ip', id: '127.0.0.0/8' },
  ],
  [
    { perms: 16, ...WORLD },
    { perms: 4, scheme: 'digest', id: 'ann:y' },
  ],
  [{ perms: 27, ...WORLD }],
];
const INVALID: readonly (readonly Acl[] | null)[] = [
  null,
  [],
  [{ perms: 31, scheme: 'world', id: 'nobody' }],
  [{ perms: 31, scheme: 'nosuch', id: 'x' }],
  [{ perms: 31, scheme: 'digest', id: 'a:b:c' }],
  [{ perms: 31, scheme: 'digest', id: 'a' }],
  [{ perms: 31, scheme: 'ip', id: '1.2.3.4/33' }],
  [{ perms: 31, scheme: 'ip', id: '1.2.3' }],
  [{ perms: 31, scheme: null, id: 'x' }],
  [{ perms: 31, scheme: 'super', id: 'x' }],
];

/** The sequence of a seed: everything happens below /d<seed>. */
export function generate(seed: number, count: number): Step[] {
  return new Generator(seed).run(count);
}

class Generator {
  private readonly random: Random;
  private readonly root: string;
  private readonly paths: string[];
  private readonly limited: string[];
  private readonly odd: (string | null)[];
  private xid = 100;

  constructor(seed: number) {
    this.random = new Random(seed);
    const root = `/d${seed}`;
    this.root = root;
    this.paths = [
      root,
      ...[
        '/a',
        '/b',
        '/a/x',
        '/a/y',
        '/b/z',
        '/a/x/deep',
        '/e',
        '/c',
        '/c/k',
        '/r/n',
        '/r/n/m',
        '/p/q',
        '/\u00e9\u4e2d',
        '/a b',
      ].map((p) => root + p),
    ];
    this.limited = ['/l', '/l/m', '/s'].map((p) => root + p);
    this.odd = [
      '',
      'a',
      `${root}/`,
      `${root}//x`,
      `${root}/./x`,
      `${root}/../x`,
      `${root}/a/..`,
      `${root}/\u0001`,
      `${root}/\u0000`,
      `${root}/\uf8ff`,
      '/',
      '/zookeeper',
      '/zookeeper/config',
      '/zookeeper/quota',
      null,
    ];
  }

  run(count: number): Step[] {
    const steps: Step[] = [];
    for (let conn = 0; conn < CONNECTIONS; conn++) {
      steps.push({
        kind: 'open',
        conn,
        timeout: this.random.pick([10000, 30000, 100, 1_000_000]),
        readOnlyByte: this.random.chance(70),
      });
    }
    steps.push(
      this.request(0, OpCode.create, (w) => createBody(w, this.root, Buffer.from('root'), OPEN_ACL_UNSAFE, 0)),
    );
    for (const path of ['/r', '/p']) {
      steps.push(this.request(0, OpCode.create, (w) => createBody(w, this.root + path, null, OPEN_ACL_UNSAFE, 0)));
    }
    while (steps.length < count) steps.push(this.step());
    return steps;
  }

  private request(conn: number, op: number, body: (w: JuteWriter) => void): Step {
    const w = new JuteWriter();
    body(w);
    return { kind: 'request', conn, op, body: Buffer.from(w.bytes()), xid: this.xid++ };
  }

  private step(): Step {
    const { random } = this;
    const conn = random.int(CONNECTIONS);
    if (random.chance(1))
      return { kind: 'reconnect', conn, password: random.pick(['right', 'right', 'wrong'] as const) };
    if (random.chance(1)) return { kind: 'open', conn, timeout: 20000, readOnlyByte: true };
    const made = this.operation(conn);
    if (made.kind === 'request' && random.chance(3) && made.body.length > 0 && mayTruncate(made.op)) {
      return { ...made, body: made.body.subarray(0, random.int(made.body.length)) };
    }
    return made;
  }

  private operation(conn: number): Step {
    const { random } = this;
    switch (random.int(30)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        return this.create(conn);
      case 5:
      case 6:
        return this.request(conn, OpCode.delete, (w) => w.string(this.path(90)).int(this.version()));
      case 7:
      case 8:
      case 9:
        return this.request(conn, OpCode.setData, (w) =>
          w.string(this.path(90)).buffer(this.data()).int(this.version()),
        );
      case 10:
        return this.request(conn, OpCode.setACL, (w) => {
          w.string(this.random.chance(70) ? random.pick(this.limited) : this.ownPath());
          writeAclList(w, random.chance(60) ? OPEN_ACL_UNSAFE : this.acl());
          w.int(this.version());
        });
      case 11:
        return this.request(conn, OpCode.getACL, (w) =>
          w.string(random.chance(50) ? random.pick(this.limited) : this.path(90)),
        );
      case 12:
      case 13:
        return this.request(conn, OpCode.getData, (w) => w.string(this.readPath()).bool(random.chance(50)));
      case 14:
      case 15:
        return this.request(conn, OpCode.exists, (w) => w.string(this.path(90)).bool(random.chance(50)));
      case 16:
        return this.request(conn, random.pick([OpCode.getChildren, OpCode.getChildren2]), (w) =>
          w.string(this.readPath()).bool(random.chance(50)),
        );
      case 17:
        return this.request(conn, OpCode.sync, (w) => w.string(this.path(70)));
      case 18:
      case 19:
      case 20:
        return this.multi(conn);
      case 21:
        return this.multiRead(conn);
      case 22:
        return this.setWatches(conn);
      case 23:
        return random.chance(50)
          ? this.request(conn, OpCode.addWatch, (w) => w.string(`${this.root}/p`).int(0))
          : this.request(conn, OpCode.addWatch, (w) =>
              w.string(`${this.root}/r`).int(random.chance(85) ? 1 : random.pick([-1, 2, 7])),
            );
      case 24:
        return this.request(conn, random.pick([OpCode.checkWatches, OpCode.removeWatches]), (w) => {
          if (random.chance(30)) w.string(`${this.root}/${random.pick(['r', 'p'])}`).int(3);
          else w.string(random.pick(this.watchable())).int(random.pick([1, 2, 3, 3, 0, 6, -1]));
        });
      case 25:
        return this.auth(conn);
      case 26:
        return this.request(conn, OpCode.getEphemerals, (w) =>
          w.string(random.pick([null, '', '/', this.root, `${this.root}/a`])),
        );
      case 27:
        return this.request(conn, OpCode.getAllChildrenNumber, (w) =>
          w.string(random.pick([this.root, `${this.root}/a`, '/none', ...this.limited])),
        );
      case 28:
        return this.quota(conn);
      default:
        return this.rare(conn);
    }
  }

  private rare(conn: number): Step {
    const { random } = this;
    switch (random.int(7)) {
      case 0:
        return this.request(conn, OpCode.whoAmI, () => {});
      case 1:
        return this.request(conn, OpCode.ping, () => {});
      case 2:
        return this.request(conn, OpCode.reconfig, (w) => w.string(null).string('1').string(null).long(-1n));
      case 3:
        return this.request(conn, OpCode.closeSession, () => {});
      case 4:
        return this.request(conn, random.pick([10, 0, 23, 99, 108, -2, 1000]), () => {});
      case 5:
        return this.request(conn, OpCode.sasl, (w) => w.buffer(Buffer.from('x')));
      default:
        return this.request(conn, OpCode.getData, (w) => w.string('/zookeeper/config').bool(false));
    }
  }

  private create(conn: number): Step {
    const { random } = this;
    const op = random.pick([OpCode.create, OpCode.create, OpCode.create2, OpCode.createContainer, OpCode.createTTL]);
    const limited = random.chance(15);
    const path = limited ? random.pick(this.limited) : this.path(92);
    const acl = limited && random.chance(70) ? this.acl() : random.chance(97) ? OPEN_ACL_UNSAFE : random.pick(INVALID);
    return this.request(conn, op, (w) => {
      let flags = random.chance(96) ? random.pick([0, 0, 0, 1, 2, 3]) : random.pick([5, 6, 7, -1, 100]);
      if (op === OpCode.createContainer && random.chance(70)) flags = 4;
      if (op === OpCode.createTTL && random.chance(80)) flags = random.pick([5, 6]);
      createBody(w, path, this.data(), acl, flags);
      if (op === OpCode.createTTL)
        w.long53(
          flags === 5 || flags === 6 ? random.pick([100000, 1, 0, -1, 2 ** 40 - 1, 2 ** 40]) : random.pick([0, 5]),
        );
    });
  }

  private multi(conn: number): Step {
    const { random } = this;
    return this.request(conn, OpCode.multi, (w) => {
      const parts = random.int(5);
      for (let i = 0; i < parts; i++) this.part(w);
      if (random.chance(97)) w.int(-1).bool(true).int(-1);
    });
  }

  private part(w: JuteWriter): void {
    const { random } = this;
    const path = this.path(95) ?? this.root;
    const type = random.chance(98) ? random.pick([1, 1, 2, 5, 13, 19, 21]) : random.pick([3, 7, 16]);
    w.int(type).bool(false).int(-1);
    switch (type) {
      case 1:
        createBody(w, path, this.data(), OPEN_ACL_UNSAFE, random.int(4));
        break;
      case 19:
        createBody(w, path, this.data(), OPEN_ACL_UNSAFE, 4);
        break;
      case 21:
        createBody(w, path, this.data(), OPEN_ACL_UNSAFE, random.pick([5, 6]));
        w.long53(random.pick([100000, 0]));
        break;
      case 5:
        w.string(path).buffer(this.data()).int(this.version());
        break;
      default:
        w.string(path).int(this.version());
    }
  }

  private multiRead(conn: number): Step {
    const { random } = this;
    return this.request(conn, OpCode.multiRead, (w) => {
      const parts = random.int(4);
      for (let i = 0; i < parts; i++) {
        w.int(random.pick([4, 8]))
          .bool(false)
          .int(-1)
          .string(this.readPath())
          .bool(random.chance(50));
      }
      if (random.chance(10)) w.int(2).bool(false).int(-1).string(this.root).int(-1);
      if (random.chance(97)) w.int(-1).bool(true).int(-1);
    });
  }

  private setWatches(conn: number): Step {
    const { random } = this;
    const list = (w: JuteWriter): void => {
      if (random.chance(2)) w.int(-1);
      else w.vector(random.chance(40) ? [] : [random.pick(this.watchable())], (x, p) => x.string(p));
    };
    return this.request(conn, random.pick([OpCode.setWatches, OpCode.setWatches2]), (w) => {
      w.long53(random.pick([0, 2 ** 40]));
      list(w);
      list(w);
      list(w);
      w.vector(random.chance(70) ? [] : [`${this.root}/p`], (x, p) => x.string(p));
      w.vector(random.chance(70) ? [] : [`${this.root}/r`], (x, p) => x.string(p));
    });
  }

  private auth(conn: number): Step {
    const { random } = this;
    const [scheme, token] = random.pick([
      ['digest', 'bob:secret'],
      ['digest', 'ann:y'],
      ['digest', 'super:test'],
      ['digest', 'nocolon'],
      ['ip', ''],
      ['digest', 'bob:secret'],
      ['world', 'anyone'],
      ['nosuch', 'x'],
    ] as const);
    return this.request(conn, OpCode.auth, (w) => w.int(0).string(scheme).buffer(Buffer.from(token)));
  }

  private quota(conn: number): Step {
    const { random } = this;
    const base = `/zookeeper/quota${this.root}`;
    const path = random.pick([
      base,
      `${base}/zookeeper_limits`,
      `${base}/zookeeper_stats`,
      `${base}/zookeeper_limits`,
      `${base}/zookeeper_stats`,
      `${base}/a`,
      `${base}/a/zookeeper_limits`,
      `${base}/a/zookeeper_stats`,
    ]);
    const limits = random.pick([
      'count=8,bytes=-1',
      'count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=12',
      'count=3,bytes=100=;byteHardLimit=60;countHardLimit=-1',
    ]);
    const kind = random.int(8);
    if (kind < 5) {
      const text = path.endsWith('stats') ? '' : path.endsWith('limits') ? limits : '';
      return this.request(conn, OpCode.create, (w) => createBody(w, path, Buffer.from(text), OPEN_ACL_UNSAFE, 0));
    }
    if (kind === 5) return this.request(conn, OpCode.delete, (w) => w.string(path).int(-1));
    return this.request(conn, OpCode.getData, (w) => w.string(path).bool(false));
  }

  /** A path; of `good` percent of the calls, one that may exist. */
  private path(good: number): string | null {
    return this.random.chance(good) ? this.random.pick(this.paths) : this.random.pick(this.odd);
  }

  /** A path of this sequence alone, or none at all: the ACLs of built-in nodes would reach into other sequences. */
  private ownPath(): string | null {
    const path = this.path(50);
    return path?.startsWith('/zookeeper') || path === '/' ? null : path;
  }

  private watchable(): string[] {
    return this.paths;
  }

  private readPath(): string | null {
    const { random } = this;
    return random.chance(15) ? random.pick(this.limited) : this.path(92);
  }

  private version(): number {
    return this.random.pick([-1, -1, -1, 0, 0, 1, 2, 50]);
  }

  private data(): Buffer | null {
    const n = this.random.pick([-1, 0, 1, 5, 40, 300]);
    return n < 0 ? null : Buffer.alloc(n, 0x61 + this.random.int(26));
  }

  private acl(): readonly Acl[] | null {
    return this.random.chance(80) ? this.random.pick(LIMITED) : this.random.pick(INVALID);
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

/** Operations whose truncated body both servers judge alike. */
function mayTruncate(op: number): boolean {
  return op !== OpCode.auth && op !== OpCode.sasl;
}
