// The simulator's public face.
export { type Fault, makePlan, type Plan, type PlanOptions } from './plan.js';
export { type Result, simulate, type Violation } from './simulation.js';
