// What connection_throttle_* says about how fast clients may connect. Source: BlueThrottle of Apache ZooKeeper.

import type { Settings } from './parse.js';

/** Times in milliseconds. */
export interface ConnectionThrottleConfig {
  /** Tokens when full; 0 switches the throttle off. */
  readonly tokens: number;
  /** After so long `fillCount` tokens come back. */
  readonly fillTime: number;
  readonly fillCount: number;
  /** Between changes of the drop probability; -1 switches dropping off. */
  readonly freezeTime: number;
  readonly dropIncrease: number;
  readonly dropDecrease: number;
  readonly decreaseRatio: number;
  /** Tokens that a new session needs, and one that is known. */
  readonly newSession: number;
  readonly knownSession: number;
}

/** @param localSessions whether new sessions are local ones */
export function connectionThrottleConfig({ values }: Settings, localSessions: boolean): ConnectionThrottleConfig {
  const n = (name: string): number => values.get(`connection_throttle_${name}`) as number;
  const weighted = values.get('connection_throttle_weight_enabled') === true;
  const local = weighted ? n('local_session_weight') : 1;
  const global = weighted ? Math.max(n('global_session_weight'), local) : 1;
  return {
    // The options count new global sessions.
    tokens: n('tokens') * global,
    fillTime: n('fill_time'),
    fillCount: n('fill_count') * global,
    freezeTime: n('freeze_time'),
    dropIncrease: n('drop_increase'),
    dropDecrease: n('drop_decrease'),
    decreaseRatio: n('decrease_ratio'),
    newSession: localSessions ? local : global,
    knownSession: weighted ? Math.max(n('renew_session_weight'), local) : 1,
  };
}
