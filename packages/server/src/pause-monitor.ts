// Notices when the process stood still: for garbage collection, a suspended machine, or code that does not return. Source:
// JvmPauseMonitor of Apache ZooKeeper, with its options `jvm.pause.*`.

import type { PauseConfig } from './config/index.js';
import type { Logger } from './log.js';
import type { Runtime, Timer } from './runtime.js';
import type { Summary } from './server-stats.js';

/** Adds how much later than due each look came to `pauses`, and logs what is long. */
export function monitorPauses(limits: PauseConfig, runtime: Runtime, logger: Logger, pauses: Summary): Timer {
  const { sleepTime, infoThreshold, warnThreshold } = limits;
  let timer: Timer;
  const arm = (): void => {
    const slept = runtime.now();
    timer = runtime.after(sleepTime, () => {
      const ms = Math.max(0, runtime.now() - slept - sleepTime);
      pauses.add(ms);
      const level = ms > warnThreshold ? 'warn' : ms > infoThreshold ? 'info' : undefined;
      if (level !== undefined)
        logger[level](
          { ms: Math.round(ms) },
          'the process stood still: garbage collection, too little processor time, or a suspended machine',
        );
      arm();
    });
  };
  arm();
  return { cancel: () => timer.cancel() };
}
