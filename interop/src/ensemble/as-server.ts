// A member of an ensemble in the place of a standalone server, for tests that know one server only.

import type { RunningServer } from '../servers/index.js';
import { Ensemble } from './ensemble.js';
import { castOf } from './scenario.js';

export type ServerLike = Pick<RunningServer, 'kind' | 'port' | 'pid' | 'output' | 'stop'>;

/**
 * Starts an ensemble of that cast.
 * @param through whose clients the test's are: those of the leader, or of a follower
 */
export async function startMember(
  cast: string,
  through: 'leader' | 'follower',
  options: { readonly cfg: Readonly<Record<string, string>>; readonly props: Readonly<Record<string, string>> },
): Promise<ServerLike> {
  const { leader, followers } = castOf(cast);
  const ensemble = await Ensemble.start({ kinds: [...followers, leader], ...options });
  const member = ensemble.member(through === 'leader' ? 3 : 1);
  return {
    kind: member.kind,
    port: member.ports.client,
    pid: member.pid,
    output: () => ensemble.lastWords(),
    stop: () => ensemble.close(),
  };
}
