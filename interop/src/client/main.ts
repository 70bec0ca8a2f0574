// This project's client against Apache's servers: its own tests, TLS, SASL; and with ensembles, Apache's and ours, that lose members.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Client,
  type ClientOptions,
  connect,
  type KeeperError,
  nextEvent,
  type StateChange,
} from '@nodekeeper/client';
import { nextPort } from '../ensemble/ports.js';
import { until } from '../ensemble/until.js';
import { ask } from '../ensemble/words.js';
import { type Kind, type RunningServer, startApache } from '../servers/index.js';
import { Ensemble } from './ensemble.js';

const PACKAGE = fileURLToPath(new URL('../../../packages/client/', import.meta.url));
const SERVERS = fileURLToPath(new URL('./apache-for-tests.js', import.meta.url));
const pemFile = (name: string): string => join(PACKAGE, 'test/fixtures/tls', `${name}.pem`);
const TEST_FILES = ['operations', 'session', 'watches'];

/** Only checks whose names contain the first argument are run, if there is one. */
const only = process.argv[2] ?? '';
let passed = 0;
let failed = 0;

async function check(name: string, action: () => Promise<void>): Promise<void> {
  if (!name.includes(only)) return;
  try {
    await action();
    passed++;
    console.log(`ok - ${name}`);
  } catch (e) {
    failed++;
    console.log(`not ok - ${name}\n  ${(e as Error).stack}`);
  }
}

function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** The next change of this name. */
async function next(client: Client, name: 'connected' | 'suspended' | 'reconnected' | 'expired'): Promise<StateChange> {
  const [change] = await once(client, name, { signal: AbortSignal.timeout(60_000) });
  return change as StateChange;
}

async function withClient(target: string, options: ClientOptions, action: (client: Client) => Promise<void>) {
  const client = await connect(target, { timeout: 30_000, ...options });
  try {
    await action(client);
  } finally {
    await client.close();
  }
}

async function withServer(
  options: Parameters<typeof startApache>[0],
  action: (server: RunningServer) => Promise<void>,
): Promise<void> {
  const server = await startApache(options);
  try {
    await action(server);
  } finally {
    await server.stop();
  }
}

async function withEnsemble(
  kind: Kind,
  props: Record<string, string>,
  cfg: Record<string, string>,
  action: (ensemble: Ensemble) => Promise<void>,
): Promise<void> {
  const ensemble = await Ensemble.start(kind, 3, props, cfg);
  try {
    await action(ensemble);
  } finally {
    await ensemble.stop();
  }
}

async function rejection(promise: Promise<unknown>): Promise<KeeperError> {
  try {
    await promise;
  } catch (error) {
    return error as KeeperError;
  }
  throw new Error('it was to be refused');
}

for (const name of TEST_FILES) {
  await check(`the client's tests of ${name} pass with Apache's server`, async () => {
    const child = spawn(
      process.execPath,
      ['--test', '--test-reporter=tap', join(PACKAGE, 'dist-test', `${name}.test.js`)],
      {
        env: { ...process.env, NODEKEEPER_TEST_SERVERS: SERVERS },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    const [code] = (await once(child, 'close')) as [number | null];
    assert(code === 0, output);
  });
}

await check('TLS with certificates on both sides', async () => {
  const secureClientPort = await nextPort();
  await withServer(
    {
      cfg: { secureClientPort: String(secureClientPort) },
      props: {
        'zookeeper.serverCnxnFactory': 'org.apache.zookeeper.server.NettyServerCnxnFactory',
        'zookeeper.ssl.keyStore.location': pemFile('server'),
        'zookeeper.ssl.trustStore.location': pemFile('ca'),
        'zookeeper.authProvider.x509': 'org.apache.zookeeper.server.auth.X509AuthenticationProvider',
      },
    },
    async () => {
      const tls = {
        ca: readFileSync(pemFile('ca')),
        key: readFileSync(pemFile('client')),
        cert: readFileSync(pemFile('client')),
      };
      await withClient(`127.0.0.1:${secureClientPort}`, { tls }, async (client) => {
        await client.create('/a', { data: 'x' });
        const ids = await client.whoAmI();
        assert(
          ids.some(({ scheme, id }) => scheme === 'x509' && id === 'CN=client.test'),
          `identities are ${JSON.stringify(ids)}`,
        );
      });
    },
  );
});

const SASL_PROPS = {
  'zookeeper.authProvider.1': 'org.apache.zookeeper.server.auth.SASLAuthenticationProvider',
  'zookeeper.sessionRequireClientSASLAuth': 'true',
};

await check('SASL with DIGEST-MD5, also after a lost connection; a wrong password is told', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sasl-'));
  const jaas = join(dir, 'jaas.conf');
  const module = 'org.apache.zookeeper.server.auth.DigestLoginModule';
  writeFileSync(jaas, `Server {\n  ${module} required user_bob="secret" user_ann="äöü\\"x";\n};\n`);
  try {
    await withServer({ props: { 'java.security.auth.login.config': jaas, ...SASL_PROPS } }, async ({ port }) => {
      const sasl = { mechanism: 'DIGEST-MD5', username: 'bob', password: 'secret' } as const;
      await withClient(`127.0.0.1:${port}`, { sasl }, async (client) => {
        const ids = await client.whoAmI();
        assert(
          ids.some(({ scheme, id }) => scheme === 'sasl' && id === 'bob'),
          `identities are ${JSON.stringify(ids)}`,
        );
        await client.create('/a', { acl: [{ perms: 31, scheme: 'sasl', id: 'bob' }] });
        client.updateServerList(`localhost:${port}`);
        await next(client, 'reconnected');
        await client.setData('/a', 'x');
      });
      const ann = { ...sasl, username: 'ann', password: 'äöü"x' };
      await withClient(`127.0.0.1:${port}`, { sasl: ann }, async (client) => {
        await client.create('/ann');
      });
      const wrong = { ...sasl, password: 'guess' };
      const error = await rejection(connect(`127.0.0.1:${port}`, { sasl: wrong, timeout: 10_000 }));
      assert(error.codeName === 'AuthFailed', `${error}`);
      await withClient(`127.0.0.1:${port}`, {}, async (client) => {
        const refused = await rejection(client.create('/b'));
        assert(refused.codeName === 'SessionClosedRequireSaslAuth', `${refused}`);
      });
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

const survives = (kind: Kind): Promise<void> =>
  withEnsemble(kind, {}, {}, async (ensemble) => {
    await withClient(ensemble.connectString, { sessionTimeout: 10_000 }, async (client) => {
      const { sessionId } = client;
      await client.create('/e', { mode: 'ephemeral' });
      const stream = client.watch('/', { recursive: true });
      await stream.ready;
      let made = 0;
      for (let round = 0; round < 3; round++) {
        const leader = await ensemble.leader();
        const own = ensemble.ports.findIndex((port) => client.server === `127.0.0.1:${port}`) + 1;
        const victim = round === 0 ? own : leader;
        assert(victim !== undefined, 'nobody leads');
        // A connection that waits for nothing at that moment lives through a change of leaders.
        const change = victim === own ? next(client, 'reconnected') : undefined;
        const writing = write(client, () => made++);
        await ensemble.kill(victim);
        await change;
        await Promise.race([writing.more(2), writing.ended]);
        await client.sync();
        writing.stop();
        await writing.ended;
        assert(client.sessionId === sessionId, 'the session is another one');
        assert((await client.exists('/e'))?.ephemeralOwner === sessionId, 'the ephemeral node is gone');
        await ensemble.begin(victim);
      }
      assert(made > 0, 'nothing was written');
      const { children } = await client.getChildren('/');
      const numbered = children.filter((name) => name.includes('w-')).length;
      assert(numbered === made, `${numbered} nodes were made, ${made} were to be`);
    });
  });

interface Writing {
  /** Resolves when so many further nodes are made. */
  more(count: number): Promise<void>;
  stop(): void;
  readonly ended: Promise<void>;
}

/** Creates protected nodes one after the other: each exactly once, whatever happens to the servers. */
function write(client: Client, onMade: () => void): Writing {
  let isStopped = false;
  let missing = 0;
  let enough = (): void => {};
  const run = async (): Promise<void> => {
    while (!isStopped) {
      await client.create('/w-', { protect: true, mode: 'persistentSequential' });
      onMade();
      if (--missing === 0) enough();
    }
  };
  const ended = run();
  ended.catch(() => {}); // whoever waits for it is told; if the check has failed already, nobody does
  return {
    more: (count) =>
      new Promise((resolve) => {
        missing = count;
        enough = resolve;
      }),
    stop: () => {
      isStopped = true;
    },
    ended,
  };
}

const isServedReads = (kind: Kind): Promise<void> =>
  // Servers that are cut off open only local sessions.
  withEnsemble(kind, { 'readonlymode.enabled': 'true' }, { localSessionsEnabled: 'true' }, async (ensemble) => {
    await withClient(ensemble.connectString, {}, async (client) => {
      await client.create('/a', { data: 'x' });
    });
    await ensemble.level();
    await ensemble.kill(1);
    await ensemble.kill(2);
    const left = ensemble.ports[2] as number;
    await until('the last one serves reads', 60_000, async () => (await ask(left, 'isro')) === 'ro');
    await withClient(ensemble.connectString, { readOnly: true, sessionTimeout: 20_000 }, async (client) => {
      assert(client.state === 'connectedReadOnly', `the state is ${client.state}`);
      const { sessionId } = client;
      const { data } = await client.getData('/a');
      assert(data?.toString() === 'x', 'the data is another');
      const { watcher, event } = nextEvent();
      await client.getData('/a', { watcher });
      const refused = await rejection(client.setData('/a', 'y'));
      assert(refused.codeName === 'NotReadOnly', `${refused}`);
      const connected = next(client, 'connected');
      await ensemble.begin(1);
      const { isNewSession } = await connected;
      assert(isNewSession && client.sessionId !== sessionId, 'the session is the same');
      await client.setData('/a', 'y');
      assert((await event).type === 'nodeDataChanged', 'the watch is lost');
    });
  });

for (const kind of ['apache', 'nodekeeper'] as const) {
  const name = (text: string): string => `${kind}: ${text}`;
  await check(name('a session survives the loss of its server and of the leader, with its ephemerals'), () =>
    survives(kind),
  );
  await check(name('without a quorum, a client that accepts it is served reads, and moves on when there is one'), () =>
    isServedReads(kind),
  );
}

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
