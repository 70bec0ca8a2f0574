// A server that runs already, somewhere (--connect).

import type { RunningServer } from './running-server.js';

/** Describes the server at `host:port`. With its process id, CPU time and memory can be measured too. */
export function connected(host: string, port: number, pid: number | undefined): RunningServer {
  return {
    kind: 'connected',
    host,
    port,
    pid,
    dataDir: undefined,
    startTime: 0,
    stop: () => Promise.resolve(),
    restart: () => Promise.reject(new Error('a server that was not started here cannot be restarted')),
  };
}
