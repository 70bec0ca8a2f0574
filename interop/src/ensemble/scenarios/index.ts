// All scenarios, in the order in which they run.

import type { Scenario } from '../scenario.js';
import { forming } from './forming.js';

export const SCENARIOS: readonly Scenario[] = [forming];
