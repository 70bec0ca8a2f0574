// All scenarios, in the order in which they run.

import type { Scenario } from '../scenario.js';
import * as amounts from './amounts.js';
import * as catchingUp from './catching-up.js';
import * as clients from './clients.js';
import * as failover from './failover.js';
import * as faults from './faults.js';
import { forming } from './forming.js';
import * as hostile from './hostile.js';
import * as modes from './modes.js';
import { observing, observingAFollower } from './observing.js';
import { poison } from './poison.js';
import { recipes } from './recipes.js';
import * as reconfig from './reconfig.js';
import * as secured from './secured.js';
import * as sessions from './sessions.js';
import { takeOver } from './takeover.js';
import { two } from './two.js';

export const SCENARIOS: readonly Scenario[] = [
  forming,
  sessions.moving,
  sessions.wrongPassword,
  sessions.reading,
  sessions.watches,
  sessions.rewatching,
  sessions.ownWrites,
  failover.leaderKilled,
  failover.leaderStopped,
  failover.followerKilled,
  failover.majorityLost,
  failover.rollingRestart,
  failover.rollingReplacement,
  catchingUp.diff,
  catchingUp.diffFromLog,
  catchingUp.snap,
  catchingUp.empty,
  catchingUp.trunc,
  catchingUp.truncAtOnce,
  observing,
  observingAFollower,
  faults.frozenLeader,
  faults.frozenFollower,
  faults.linksCut,
  hostile.hostile,
  hostile.twins,
  hostile.stranger,
  hostile.emptied,
  poison,
  reconfig.resizing,
  reconfig.roles,
  takeOver,
  two,
  secured.tls,
  secured.login,
  secured.tlsAndLogin,
  modes.weights,
  modes.localSessions,
  modes.readOnly,
  amounts.bigSnapshot,
  amounts.manySessions,
  amounts.varied,
  clients.kazoo,
  clients.curator,
  recipes,
];
