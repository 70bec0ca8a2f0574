// The states in which servers are looked at, each reached in the same way with either kind.

import type { Kind } from '../servers/index.js';
import { type Looked, look } from './look.js';
import { Watched, type WatchedSettings } from './watched.js';

/** What was seen, by the state and the server in it. */
export type Seen = Map<string, Looked>;

export interface State {
  readonly title: string;
  readonly settings: Omit<WatchedSettings, 'kind'>;
  readonly reach: (watched: Watched, see: (title: string, id: number) => Promise<void>) => Promise<void>;
}

const LEADER = 3;
const FOLLOWER = 1;
const OBSERVER = 4;

export const STATES: readonly State[] = [
  {
    title: 'three voters and an observer',
    settings: { observer: true },
    async reach(watched, see) {
      await watched.load([1, 2, LEADER, OBSERVER]);
      await see('the leader', LEADER);
      await see('a follower', FOLLOWER);
      await see('an observer', OBSERVER);
      await watched.closeSessions();
      await watched.settled();
      for (const id of [1, 2]) await watched.member(id).stop();
      await watched.isReadOnly(LEADER, 'null');
      await see('a server without a quorum', LEADER);
      await watched.isReadOnly(OBSERVER, 'null');
      await see('an observer without a leader', OBSERVER);
    },
  },
  {
    title: 'local sessions, and reads without a quorum',
    settings: {
      cfg: { localSessionsEnabled: 'true', localSessionsUpgradingEnabled: 'true' },
      props: { 'readonlymode.enabled': 'true' },
    },
    async reach(watched, see) {
      await watched.load([FOLLOWER, LEADER]);
      for (const id of [FOLLOWER, LEADER]) await (await watched.open(`local${id}`, id, 20_000 + id * 1000)).get('/a');
      await see('the leader', LEADER);
      await see('a follower', FOLLOWER);
      await watched.closeSessions();
      await watched.settled();
      for (const id of [2, LEADER]) await watched.member(id).stop();
      await watched.isReadOnly(FOLLOWER, 'ro');
      await see('a read-only server', FOLLOWER);
    },
  },
  {
    title: 'members that may change, a leader that serves no clients',
    settings: {
      clientAddresses: true,
      cfg: { reconfigEnabled: 'true', standaloneEnabled: 'false', leaderServes: 'no' },
    },
    async reach(watched, see) {
      await watched.load([FOLLOWER, 2]);
      await see('the leader', LEADER);
      await see('a follower', FOLLOWER);
    },
  },
];

/** Brings servers of a kind to a state; returns what was seen on the way. */
export async function seenIn({ settings, reach }: State, kind: Kind, keep: boolean): Promise<Seen> {
  const seen: Seen = new Map();
  const watched = await Watched.start({ ...settings, kind });
  try {
    await watched.run();
    await reach(watched, async (title, id) => {
      seen.set(title, await look(watched, id));
    });
    return seen;
  } catch (error) {
    (error as Error).message += `\n${watched.ensemble.lastWords()}`;
    throw error;
  } finally {
    await watched.close(keep);
  }
}
