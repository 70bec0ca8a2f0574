// `nodekeeper testing-server`: a server or an ensemble for a test in any language, gone with the test.

import { startEnsemble, startServer } from '@nodekeeper/testing';
import { UsageError } from './arguments.js';

export interface TestingServerOptions {
  readonly servers: number;
  /** The client port of a single server; a free one if not given. */
  readonly port: number | undefined;
}

/** Prints the connection string as JSON and runs until standard input ends or the process is told to end. */
export async function runTestingServer({ servers, port }: TestingServerOptions): Promise<void> {
  if (!Number.isInteger(servers) || servers < 1) throw new UsageError(`--servers ${servers}: at least 1 is expected`);
  if (servers > 1 && port !== undefined) throw new UsageError('--port is for a single server');
  const running = servers === 1 ? await startServer(port === undefined ? {} : { port }) : await startEnsemble(servers);
  console.log(JSON.stringify({ connectString: running.connectString }));
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    process.stdin
      .on('end', () => resolve())
      .on('error', () => resolve())
      .resume();
  });
  await running.close();
  process.exit(0);
}
