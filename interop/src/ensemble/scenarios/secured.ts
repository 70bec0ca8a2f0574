// Members that prove to each other who they are: TLS between servers, changed certificates and the way to TLS without a stop.

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

export const tls: Scenario = {
  id: 'tls',
  title: 'members elect and follow over TLS, also after the leader is killed',
  async run(stage) {
    const ensemble = await stage.three({ cfg: { sslQuorum: 'true', ...STORES } });
    await killLeaders(ensemble);
  },
};

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
