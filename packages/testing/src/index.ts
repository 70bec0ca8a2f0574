// Servers and ensembles for tests, in the test's own process.

import { TestEnsemble, type TestEnsembleOptions, type TestServerOptions } from './embedded/ensemble.js';
import { TestServer } from './embedded/server.js';

export type { AdvanceOptions } from './embedded/advance.js';
export type { DroppedReply } from './embedded/ensemble.js';
export type { Settings } from './embedded/member.js';
export type { ReplyHeader } from './embedded/reply-frames.js';
export { TestEnsemble, type TestEnsembleOptions, TestServer, type TestServerOptions };

/** A server on a port of its own, ready for clients. */
export const startServer = (options?: TestServerOptions): Promise<TestServer> => TestServer.start(options);

/** An ensemble of so many servers, ready for clients. */
export const startEnsemble = (servers: number, options?: TestEnsembleOptions): Promise<TestEnsemble> =>
  TestEnsemble.start(servers, options);
