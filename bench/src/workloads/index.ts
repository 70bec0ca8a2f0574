// All workloads, in the order in which they run.

import type { Workload } from '../workload.js';
import { create } from './create.js';
import { ensemble, scaling } from './ensemble.js';
import { failover } from './failover.js';
import { fairness } from './fairness.js';
import { fanOut } from './fan-out.js';
import { get } from './get.js';
import { idleSessions } from './idle-sessions.js';
import { mixed } from './mixed.js';
import { multi } from './multi.js';
import { noPause } from './no-pause.js';
import { nodes } from './nodes.js';
import { sessions } from './sessions.js';
import { set } from './set.js';
import { start } from './start.js';

export const workloads: readonly Workload[] = [
  get,
  set,
  mixed,
  multi,
  fanOut,
  sessions,
  create,
  start,
  idleSessions,
  nodes,
  fairness,
  noPause,
  ensemble,
  failover,
  scaling,
];
