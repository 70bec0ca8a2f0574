// This project's shell beside zkCli: sessions recorded with zkCli, typed into ours, with Apache's server and with ours.
// With the argument --record, zkCli's answers to the second session become what is expected.

import type { Check } from '../clients/features.js';
import { runRecorded } from '../clients/recorded-shell.js';
import { NODEKEEPER_SHELL, ZKCLI } from '../clients/shells.js';
import { type Kind, startServer } from '../servers/index.js';

/** Where ours is to print something else, by the command, and why. */
const DIFFERENCES: Readonly<Record<string, { readonly why: string; readonly ours: string }>> = {
  'create /cli/p/a/c': {
    why: 'zkCli shows no events of a recursive watch on a path that had a plain one before; the server sends them',
    ours: 'Created /cli/p/a/c\n! WatchedEvent state:SyncConnected type:NodeCreated path:/cli/p/a/c',
  },
  'set /cli/p/a/c x': {
    why: 'likewise',
    ours: '! WatchedEvent state:SyncConnected type:NodeDataChanged path:/cli/p/a/c',
  },
  'delete /cli/p/a/c': {
    why: 'likewise',
    ours: '! WatchedEvent state:SyncConnected type:NodeDeleted path:/cli/p/a/c',
  },
  'deleteall /cli': {
    why: 'ours goes through the children by name, zkCli in the order of a hash table',
    ours: 'Insufficient permission : /cli/ip',
  },
};

const PROPS = { 'znode.container.checkIntervalMs': '3600000' };
let passed = 0;
let failed = 0;

const SESSIONS = ['zkcli/session.txt', 'shell/session.txt'];

if (process.argv.includes('--record')) await record();
else for (const session of SESSIONS) for (const kind of ['apache', 'nodekeeper'] as const) await compare(session, kind);

async function withServer(kind: Kind, action: (port: number) => Promise<unknown>): Promise<void> {
  const server = await startServer(kind, { cfg: { extendedTypesEnabled: 'true' }, props: PROPS });
  try {
    await action(server.port);
  } finally {
    await server.stop();
  }
}

function record(): Promise<void> {
  // The names of Java's classes are no part of what is said.
  const mask = (line: string): string => ZKCLI.mask(line).replace(/^org\.apache\.commons\.cli\.\w+: /, '');
  const shell = { ...ZKCLI, session: 'shell/session.txt', mask };
  return withServer('apache', (port) => runRecorded(shell, port, true, ({ name }) => console.log(name)));
}

function compare(session: string, kind: Kind): Promise<void> {
  const tell = ({ ok, feature, name, message }: Check): void => {
    const known = DIFFERENCES[name];
    const isGood = ok || (known !== undefined && message.endsWith(`--- this one's\n${known.ours}`));
    if (isGood) passed++;
    else failed++;
    if (!isGood) console.log(`not ok - ${kind}, ${feature}: ${name}\n${message.replace(/^/gm, '  ')}`);
  };
  return withServer(kind, (port) => runRecorded({ ...NODEKEEPER_SHELL, session }, port, false, tell));
}

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
