// Kerberos with a real KDC: clients log in to both servers, which know them by the same names; members of an ensemble of both
// servers log in to each other.

import { join } from 'node:path';
import { COMMON_PACKAGES } from '../clients/clients.js';
import { installMissing } from '../clients/packages.js';
import { Ensemble } from '../ensemble/ensemble.js';
import { Load } from '../ensemble/load.js';
import { settle } from '../ensemble/scenarios/failover.js';
import { type Kind, type RunningServer, startServer } from '../servers/index.js';
import { Kdc, PACKAGES, REALM } from './kdc.js';
import { jaas, kazoo, ours, zkCli } from './programs.js';

const PYTHON = ['python3-kazoo', 'python3-pure-sasl', 'python3-kerberos'];
const PROVIDER = { 'zookeeper.authProvider.1': 'org.apache.zookeeper.server.auth.SASLAuthenticationProvider' };
const REMOVE_HOST = { 'zookeeper.kerberos.removeHostFromPrincipal': 'true' };
const REMOVE_REALM = { 'zookeeper.kerberos.removeRealmFromPrincipal': 'true' };
const RULES = { 'zookeeper.security.auth_to_local': 'RULE:[2:$1@$0](bob@.*)s/@.*/-member/ RULE:[1:$1](al.*)s/l/LL/g' };
const SHA2 = 'aes256-cts-hmac-sha384-192:normal';
const KINDS: readonly Kind[] = ['nodekeeper', 'apache'];

let passed = 0;
let failed = 0;

async function check(name: string, action: () => Promise<void>): Promise<void> {
  const began = Date.now();
  try {
    await action();
    passed++;
    console.log(`ok - ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed++;
    console.log(`not ok - ${name}\n  ${(error as Error).stack}`);
  }
}

function same(found: readonly string[], expected: string): void {
  if (found.some((one) => one !== expected)) throw new Error(`${found.join(' and ')}, and not ${expected}`);
}

installMissing([...COMMON_PACKAGES, ...PACKAGES, ...PYTHON]);
const kdc = await Kdc.start();
const { config } = kdc;
try {
  const keytabs = { alice: kdc.add('alice'), bob: kdc.add('bob/host.example'), carol: kdc.add('carol', SHA2) };
  const cache = kdc.kinit('alice', keytabs.alice);
  const alice = { cache, config };
  const bob = { principal: 'bob/host.example', keytab: keytabs.bob, config };
  const carol = { principal: 'carol', keytab: keytabs.carol, config };
  const client = jaas(join(kdc.dir, 'client.jaas'), { Client: { principal: 'alice', keytab: keytabs.alice } });

  const service = (name: string, enctypes?: string): Readonly<Record<string, string>> => {
    const Server = { principal: name, keytab: kdc.add(name, enctypes) };
    const file = jaas(join(kdc.dir, `${name.replace('/', '-')}.jaas`), { Server });
    return { ...PROVIDER, 'java.security.auth.login.config': file, 'java.security.krb5.conf': config };
  };
  /** One server of each kind with these properties, for a while. */
  const withServers = async (
    props: Readonly<Record<string, string>>,
    run: (both: (login: (port: number) => Promise<string>) => Promise<string[]>) => Promise<void>,
  ): Promise<void> => {
    const servers = await Promise.all(KINDS.map((kind) => startServer(kind, { props })));
    try {
      await run((login) => Promise.all(servers.map(({ port }: RunningServer) => login(port))));
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  };

  const usual = service('zookeeper/localhost');
  await check('the Java client, kazoo and ours log in; principals are their names', () =>
    withServers(usual, async (both) => {
      same(await both((port) => zkCli(port, config, client)), `alice@${REALM}`);
      same(await both((port) => kazoo(port, config, cache)), `alice@${REALM}`);
      same(await both((port) => ours(port, alice)), `alice@${REALM}`);
      same(await both((port) => ours(port, bob)), `bob/host.example@${REALM}`);
    }),
  );
  await check('host and realm are removed', () =>
    withServers({ ...usual, ...REMOVE_HOST, ...REMOVE_REALM }, async (both) => {
      same(await both((port) => ours(port, alice)), 'alice');
      same(await both((port) => ours(port, bob)), 'bob');
    }),
  );
  await check('rules make names; keys of aes256-cts-hmac-sha384-192 open tickets', () =>
    withServers({ ...service('zookeeper/sha2', SHA2), ...REMOVE_REALM, ...RULES }, async (both) => {
      const sha2 = 'zookeeper/sha2';
      same(await both((port) => ours(port, { ...alice, service: sha2 })), 'aLLice');
      same(await both((port) => ours(port, { ...bob, service: sha2 })), 'bob-member/host.example');
      same(await both((port) => ours(port, { ...carol, service: sha2 })), `carol@${REALM}`);
      const props = { 'zookeeper.server.principal': `${sha2}@${REALM}` };
      same(await both((port) => zkCli(port, config, client, props)), 'aLLice');
    }),
  );
  await check('an ensemble of both servers, whose leader dies', async () => {
    const member = { principal: 'zkquorum/127.0.0.1', keytab: kdc.add('zkquorum/127.0.0.1') };
    const file = jaas(join(kdc.dir, 'quorum.jaas'), { QuorumServer: member, QuorumLearner: member });
    const ensemble = await Ensemble.start({
      kinds: ['nodekeeper', 'apache', 'nodekeeper'],
      cfg: {
        'quorum.auth.enableSasl': 'true',
        'quorum.auth.learnerRequireSasl': 'true',
        'quorum.auth.serverRequireSasl': 'true',
        'quorum.auth.kerberos.servicePrincipal': 'zkquorum/_HOST',
      },
      props: { 'java.security.auth.login.config': file, 'java.security.krb5.conf': config },
    });
    try {
      const load = await Load.start(ensemble.members);
      await load.more(100);
      const leader = await ensemble.leader();
      await leader.kill();
      await load.more(50);
      leader.start();
      await leader.inRole('follower');
      await settle(ensemble, load);
    } catch (error) {
      throw new Error(`${(error as Error).stack}\n${ensemble.lastWords()}`);
    } finally {
      await ensemble.close();
    }
  });
} finally {
  await kdc.stop();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
