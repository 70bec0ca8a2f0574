// The election port of server 5 alone, without a server behind it.
import type { TestContext } from 'node:test';
import { ElectionPort } from '../../dist/net/election-port.js';
import { nodeNetwork } from '../../dist/net/network.js';
import { nodeRuntime } from '../../dist/runtime.js';
import { atEnd } from '../server/raw-client.js';

type Settings = ConstructorParameters<typeof ElectionPort>[0];

/** Listens on 127.0.0.1 until the test ends. */
export async function electionPortOf5(
  t: TestContext,
  settings: Pick<Settings, 'addressesOf'> & Partial<Settings>,
): Promise<{ election: ElectionPort; port: number }> {
  const election = new ElectionPort({
    id: 5,
    network: nodeNetwork,
    runtime: nodeRuntime,
    addresses: [{ host: '127.0.0.1', port: 0 }],
    tellAll: false,
    addressTimeout: 1000,
    listenOnAll: false,
    connectTimeout: 1000,
    greetingTimeout: 10_000,
    bindAttempts: 3,
    keepAlive: false,
    auth: undefined,
    onMessage: () => {},
    onDown: () => {},
    guard: (action) => action(),
    warn: () => {},
    ...settings,
  });
  const port = await election.listen();
  atEnd(t, () => election.close());
  return { election, port };
}
