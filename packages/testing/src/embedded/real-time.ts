// Time as it passes for servers inside a test. A test runner's fake timers take the place of what is global: a server that went by
// those would stand still, and miss for good what it was to be called for meanwhile.

export { performance } from 'node:perf_hooks';
// By name: what a runner puts into the module later does not get here.
export { clearTimeout, setImmediate, setTimeout } from 'node:timers';

/** Milliseconds since 1970. */
export const { now: wallTime } = Date;
