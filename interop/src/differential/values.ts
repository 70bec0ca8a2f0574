// The paths, ACLs and other values of a sequence. Every node that a sequence makes lies below its own root.

import type { Acl } from '@nodekeeper/protocol';

/** Watches of 3.8.0 have one mode for each connection and path, those of 3.9 several: so each path is watched in one mode only. */
export type WatchMode = 'standard' | 'persistent' | 'recursive';

const STANDARD = [
  '',
  '/a',
  '/a/x',
  '/a/x/deep',
  '/a/y',
  '/e',
  '/c',
  '/c/k',
  '/p/q',
  '/r/n',
  '/r/n/m',
  '/\u00e9\u4e2d',
  '/a b',
  '/a/...',
];
const PERSISTENT = ['/p', '/b', '/a/z'];
const RECURSIVE = ['/r', '/b/z', '/l'];
const LIMITED = ['/l', '/l/m', '/s'];

export class Values {
  readonly root: string;
  /** Paths for every operation; open ACLs. */
  readonly paths: readonly string[];
  readonly standard: readonly string[];
  readonly persistent: readonly string[];
  readonly recursive: readonly string[];
  /** Paths that get all kinds of ACLs; no other path does. */
  readonly limited: readonly string[];
  readonly odd: readonly (string | null)[];
  readonly quotas: readonly string[];

  constructor(root: string) {
    const below = (path: string): string => root + path;
    this.root = root;
    this.standard = STANDARD.map(below);
    this.persistent = PERSISTENT.map(below);
    this.recursive = RECURSIVE.map(below);
    this.limited = LIMITED.map(below);
    this.paths = [...this.standard, ...this.persistent, ...this.recursive].filter(
      (path) => !this.limited.includes(path),
    );
    this.odd = [
      '',
      'a',
      ...[
        '/',
        '//x',
        '/./x',
        '/../x',
        '/a/..',
        '/.',
        '/\u0001',
        '/\u0000',
        '/\u007f',
        '/\uf8ff',
        '/\ufff0',
        '/a/',
        '/\u{1f600}',
      ].map(below),
      '/',
      '//',
      '/none/x',
      '/zookeeper',
      '/zookeeper/config',
      '/zookeeper/quota',
      null,
    ];
    const quota = `/zookeeper/quota${root}`;
    this.quotas = [quota, `${quota}/a`].flatMap((path) => [
      path,
      `${path}/zookeeper_limits`,
      `${path}/zookeeper_stats`,
    ]);
  }

  modeOf(path: string): WatchMode {
    if (this.persistent.includes(path)) return 'persistent';
    return this.recursive.includes(path) ? 'recursive' : 'standard';
  }
}

const WORLD = { scheme: 'world', id: 'anyone' };

export const VALID_ACLS: readonly (readonly Acl[])[] = [
  [{ perms: 31, ...WORLD }],
  [{ perms: 31, ...WORLD }],
  [{ perms: 1, ...WORLD }],
  [{ perms: 0, ...WORLD }],
  [{ perms: 255, ...WORLD }],
  [{ perms: 27, ...WORLD }],
  [{ perms: 23, ...WORLD }],
  [{ perms: 29, ...WORLD }],
  [{ perms: 15, ...WORLD }],
  [{ perms: 31, scheme: 'digest', id: 'bob:x' }],
  [{ perms: 31, scheme: 'digest', id: 'bob:pT4jXX3z/2ay4Y8yWzoiZuH/3SM=' }],
  [{ perms: 31, scheme: 'digest', id: ':x' }],
  [{ perms: 31, scheme: 'auth', id: '' }],
  [{ perms: 31, scheme: 'auth', id: 'anything' }],
  [{ perms: 31, scheme: 'ip', id: '127.0.0.1' }],
  [{ perms: 31, scheme: 'ip', id: '10.0.0.0/8' }],
  [
    { perms: 5, scheme: 'ip', id: '127.0.0.0/8' },
    { perms: 5, scheme: 'ip', id: '127.0.0.0/8' },
    { perms: 2, scheme: 'ip', id: '127.0.0.0/8' },
  ],
  [
    { perms: 16, ...WORLD },
    { perms: 4, scheme: 'digest', id: 'ann:\u{1f600}' },
  ],
  [
    { perms: 1, ...WORLD },
    { perms: 31, scheme: 'auth', id: '' },
  ],
];

export const INVALID_ACLS: readonly (readonly Acl[] | null)[] = [
  null,
  [],
  [{ perms: 31, scheme: 'world', id: 'nobody' }],
  [{ perms: 31, scheme: 'world', id: null }],
  [{ perms: 31, scheme: 'nosuch', id: 'x' }],
  [{ perms: 31, scheme: 'digest', id: 'a:b:c' }],
  [{ perms: 31, scheme: 'digest', id: 'a' }],
  [{ perms: 31, scheme: 'digest', id: 'a:' }],
  [{ perms: 31, scheme: 'digest', id: '' }],
  [{ perms: 31, scheme: 'ip', id: '1.2.3.4/33' }],
  [{ perms: 31, scheme: 'ip', id: '1.2.3.4/-1' }],
  [{ perms: 31, scheme: 'ip', id: '1.2.3' }],
  [{ perms: 31, scheme: 'ip', id: '256.1.1.1' }],
  [{ perms: 31, scheme: null, id: 'x' }],
  [{ perms: 31, scheme: 'super', id: 'x' }],
  [{ perms: 31, scheme: 'sasl', id: 'x' }],
  [{ perms: 31, scheme: 'x509', id: 'CN=x' }],
  [
    { perms: 31, ...WORLD },
    { perms: 31, scheme: 'digest', id: 'a' },
  ],
];

/** Auth packets that are accepted. */
export const GOOD_AUTH: readonly (readonly [string, string])[] = [
  ['digest', 'bob:secret'],
  ['digest', 'bob:secret'],
  ['digest', 'ann:y'],
  ['digest', 'nocolon'],
  ['digest', 'a:b:c'],
  ['digest', ''],
  ['digest', '\u00e9:\u{1f600}'],
  ['digest', 'super:test'],
  ['digest', 'super:wrong'],
  ['ip', ''],
  ['ip', '1.2.3.4'],
];

/** Auth packets that end the connection. */
export const BAD_AUTH: readonly (readonly [string | null, string])[] = [
  ['world', 'anyone'],
  ['auth', ''],
  ['nosuch', 'x'],
  ['sasl', 'x'],
  ['', 'x'],
];

/** Data of `zookeeper_limits`: what the tools write. */
export const LIMITS: readonly string[] = [
  'count=8,bytes=-1',
  'count=-1,bytes=50',
  'count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=12',
  'count=3,bytes=100=;byteHardLimit=60;countHardLimit=-1',
  'count=3,bytes=100=;byteHardLimit=700;countHardLimit=9',
  'count=-1,bytes=-1=;byteHardLimit=0',
  'count=1,bytes=1=;countHardLimit=6',
];
