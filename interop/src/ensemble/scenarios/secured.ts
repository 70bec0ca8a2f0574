// Members that prove to each other who they are: by certificates (TLS), by passwords (SASL), and by both.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Ensemble } from '../ensemble.js';
import { Load } from '../load.js';
import type { Scenario } from '../scenario.js';
import { settle } from './failover.js';

const CERTIFICATES = fileURLToPath(new URL('../../../../packages/server/test/fixtures/tls/', import.meta.url));
const STORES = {
  'ssl.quorum.keyStore.location': `${CERTIFICATES}server.pem`,
  'ssl.quorum.trustStore.location': `${CERTIFICATES}ca.pem`,
};

const TLS = { sslQuorum: 'true', ...STORES };
const LOGIN = {
  'quorum.auth.enableSasl': 'true',
  'quorum.auth.learnerRequireSasl': 'true',
  'quorum.auth.serverRequireSasl': 'true',
};
const MODULE = 'org.apache.zookeeper.server.auth.DigestLoginModule required';
const JAAS = `QuorumServer { ${MODULE} user_member="member-secret"; };
QuorumLearner { ${MODULE} username="member" password="member-secret"; };
`;

export const tls: Scenario = {
  id: 'tls',
  title: 'members elect and follow over TLS, also after the leader is killed',
  async run(stage) {
    await killLeaders(await stage.three({ cfg: TLS }));
  },
};

export const login: Scenario = {
  id: 'login',
  title: 'members log in with each other by SASL, also after the leader is killed',
  run: (stage) => withJaas(async (props) => killLeaders(await stage.three({ cfg: LOGIN, props }))),
};

export const tlsAndLogin: Scenario = {
  id: 'tls-and-login',
  title: 'the same over TLS, with an observer of each kind',
  run: (stage) =>
    withJaas(async (props) => {
      const { leader, followers } = stage.cast;
      const kinds = [...followers, leader];
      const cfg = { ...TLS, ...LOGIN };
      await killLeaders(await stage.start({ kinds, observers: ['apache', 'nodekeeper'], cfg, props }));
    }),
};

/** With system properties that name a login configuration. */
async function withJaas(run: (props: Record<string, string>) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'jaas-'));
  const file = join(dir, 'jaas.conf');
  writeFileSync(file, JAAS);
  try {
    // Apache's servers from 3.9 on don't log in by DIGEST-MD5 otherwise.
    await run({ 'java.security.auth.login.config': file, 'zookeeper.fips-mode': 'false' });
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Load while each leader in turn dies and comes back. */
async function killLeaders(ensemble: Ensemble): Promise<void> {
  const load = await Load.start(ensemble.members);
  await load.more(200);
  for (let i = 0; i < 2; i++) {
    const leader = await ensemble.leader();
    await leader.kill();
    await load.more(100);
    leader.start();
    await leader.inRole('follower');
  }
  await settle(ensemble, load);
}
