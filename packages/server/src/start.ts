// Starts a server with everything around it, clients first: what they do not need is loaded once they are served.

import type { ServerConfig } from './config/index.js';
import { type ServerOptions, StandaloneServer } from './server.js';

export interface RunningServer {
  /** The port that clients connect to; the one chosen if the configuration said 0. */
  readonly clientPort: number;
  readonly server: StandaloneServer;
  /** Stops serving; everything acknowledged is on disk when it resolves. */
  close(): Promise<void>;
}

/**
 * Starts a standalone server.
 * @throws StorageError if the data cannot be used; the system's error (EADDRINUSE …) if the port cannot be
 */
export async function startServer(config: ServerConfig, options: ServerOptions = {}): Promise<RunningServer> {
  const server = await StandaloneServer.open(config, options);
  const clientPort = await server.listen();
  return { clientPort, server, close: () => server.close() };
}
