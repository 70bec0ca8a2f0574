// Data directories passed between Apache's server and ours: nothing may change on the way, and nothing acknowledged be lost when
// the server before was killed.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JuteWriter, OPEN_ACL_UNSAFE, OpCode, writeAclList } from '@nodekeeper/protocol';
import { generate } from '../differential/generate.js';
import { runSequence } from '../differential/run.js';
import { RawSession } from '../differential/session.js';
import { type Kind, type RunningServer, startServer } from '../servers/index.js';
import { isFrom39 } from '../servers/version.js';
import { call, dumpTree, superSession } from './dump.js';
import { restore, takeSnapshot, withCommands } from './over-http.js';

const SUPER = 'super:D/InIHSb7yEEbrWz8b9l71RjZJU='; // super:test
const PROPS = {
  'znode.container.checkIntervalMs': '3600000',
  'zookeeper.DigestAuthenticationProvider.superDigest': SUPER,
};
const CONFIGURATIONS: Record<string, Record<string, string>> = {
  plain: {},
  'snapshots in gz': { 'snapshot.compression.method': 'gz' },
  'snapshots in snappy': { 'snapshot.compression.method': 'snappy' },
};

let passed = 0;
let failed = 0;

async function check(name: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
    passed++;
    console.log(`ok - ${name}`);
  } catch (e) {
    failed++;
    console.log(`not ok - ${name}\n  ${(e as Error).stack}`);
  }
}

async function withDir(action: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'interop-storage-'));
  try {
    await action(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function start(kind: Kind, dir: string, cfg: Record<string, string>): Promise<RunningServer> {
  return startServer(kind, { dir, cfg: { extendedTypesEnabled: 'true', snapCount: '60', ...cfg }, props: PROPS });
}

async function dump(server: RunningServer): Promise<Map<string, string>> {
  const session = await superSession(server.port);
  const tree = await dumpTree(session);
  session.send(new JuteWriter().int(1).int(OpCode.closeSession).bytes());
  while ((await session.next()) !== undefined);
  return tree;
}

function assertSame(before: Map<string, string>, after: Map<string, string>): void {
  for (const [path, was] of before) {
    const is = after.get(path);
    if (is !== was) throw new Error(`${path}\n    was ${was}\n    is  ${is}`);
  }
  if (after.size !== before.size) throw new Error(`${before.size} nodes have become ${after.size}`);
}

for (const [name, cfg] of Object.entries(CONFIGURATIONS)) {
  await check(`a directory goes from Apache to Nodekeeper and back, ${name}`, () =>
    withDir(async (dir) => {
      let before: Map<string, string> | undefined;
      let seed = 1;
      for (const kind of ['apache', 'nodekeeper', 'apache', 'nodekeeper', 'apache'] as const) {
        const server = await start(kind, dir, cfg);
        try {
          const now = await dump(server);
          if (before !== undefined) assertSame(before, now);
          const target = { kind, port: server.port, mustAuthenticate: false };
          for (let i = 0; i < 4; i++, seed++) {
            await runSequence(target, generate(seed, 100, `/d${seed}`), { comparesOld: false });
          }
          before = await dump(server);
        } finally {
          await server.stop();
        }
      }
    }),
  );
}

for (const [killed, next] of [
  ['nodekeeper', 'apache'],
  ['nodekeeper', 'nodekeeper'],
  ['apache', 'nodekeeper'],
] as const) {
  await check(`what ${killed} acknowledged before kill -9 is there when ${next} starts on its directory`, () =>
    withDir(async (dir) => {
      const acknowledged = new Set<string>();
      const first = await start(killed, dir, { snapCount: '2000' });
      const writers = Array.from({ length: 8 }, (_, i) => write(first.port, i, acknowledged));
      while (acknowledged.size < 3000) await new Promise((resolve) => setTimeout(resolve, 5));
      await first.stop('SIGKILL');
      await Promise.all(writers);
      const second = await start(next, dir, {});
      try {
        const session = await superSession(second.port);
        for (const path of acknowledged) {
          const reply = await call(session, OpCode.exists, (w) => w.string(path).bool(false));
          if (reply.error !== 0)
            throw new Error(`${path} was acknowledged and is lost (${acknowledged.size} were acknowledged)`);
        }
        session.destroy();
      } finally {
        await second.stop();
      }
    }),
  );
}

if (await apacheIsFrom39()) {
  for (const [from, to] of [
    ['apache', 'nodekeeper'],
    ['nodekeeper', 'apache'],
  ] as const) {
    await check(`a snapshot goes from ${from} to ${to} over HTTP`, () => overHttp(from, to));
  }
}

async function apacheIsFrom39(): Promise<boolean> {
  const server = await startServer('apache');
  try {
    return await isFrom39(server.port);
  } finally {
    await server.stop();
  }
}

async function overHttp(from: Kind, to: Kind): Promise<void> {
  let before: Map<string, string> | undefined;
  let snapshot: Buffer | undefined;
  for (const kind of [from, to]) {
    const { cfg, props } = await withCommands();
    const adminPort = cfg['admin.serverPort'] as string;
    const extended = { extendedTypesEnabled: 'true', ...cfg };
    const server = await startServer(kind, { cfg: extended, props: { ...PROPS, ...props } });
    try {
      const target = { kind, port: server.port, mustAuthenticate: false };
      await runSequence(target, generate(kind === from ? 1 : 2, 100, `/${kind}`), { comparesOld: false });
      if (before === undefined || snapshot === undefined) {
        before = await dump(server);
        snapshot = await takeSnapshot(server, adminPort);
      } else {
        await restore(server, adminPort, snapshot);
        assertSame(before, await dump(server));
      }
    } finally {
      await server.stop();
    }
  }
}

/** Creates nodes until the connection is gone, several at a time. */
async function write(port: number, writer: number, acknowledged: Set<string>): Promise<void> {
  const session = new RawSession();
  await session.open(port, 30000, 0n, Buffer.alloc(16), true);
  for (let round = 0; ; round++) {
    const paths: string[] = [];
    for (let i = 0; i < 10; i++) {
      const path = `/k${writer}-${round}-${i}`;
      const w = new JuteWriter().int(i).int(OpCode.create).string(path).buffer(Buffer.alloc(100));
      writeAclList(w, OPEN_ACL_UNSAFE);
      session.send(Buffer.from(w.int(0).bytes()));
      paths.push(path);
    }
    for (const path of paths) {
      const frame = await session.next();
      if (frame === undefined) return;
      if (frame.readInt32BE(12) === 0) acknowledged.add(path);
    }
  }
}

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
