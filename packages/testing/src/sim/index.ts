// The simulator's public face.
export type { Fault } from './fault-plan.js';
export { makePlan, type Plan, type PlanOptions } from './plan.js';
export { ownScenario, type SimulatedClient, type SimulatedProgram } from './recipes/own.js';
export { type Result, simulate, type Violation } from './simulation.js';
