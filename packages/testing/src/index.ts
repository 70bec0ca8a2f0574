// Servers and ensembles for tests, in the test's own process.

import { TestEnsemble, type TestEnsembleOptions } from './embedded/ensemble.js';
import { TestServer, type TestServerOptions } from './embedded/server.js';

export type { Settings } from './embedded/member.js';
export { TestEnsemble, type TestEnsembleOptions, TestServer, type TestServerOptions };

/** A server on a port of its own, ready for clients. */
export const startServer = (options?: TestServerOptions): Promise<TestServer> => TestServer.start(options);

/** An ensemble of so many servers, ready for clients. */
export const startEnsemble = (servers: number, options?: TestEnsembleOptions): Promise<TestEnsemble> =>
  TestEnsemble.start(servers, options);
