// Starts a server with everything around it, clients first: what they do not need is loaded once they are served.

import { setImmediate } from 'node:timers';
import { Audit } from './admin/audit.js';
import { FourLetterWords } from './admin/four-letter.js';
import { type HeldPorts, holdPorts } from './admin/held-port.js';
import type { ServerConfig } from './config/index.js';
import { silentLogger } from './log.js';
import type { Server, ServerOptions } from './server.js';
import { StandaloneServer } from './standalone-server.js';

export interface RunningServer {
  /** The port that clients connect to; the one chosen if the configuration said 0; -1 if there is none. */
  readonly clientPort: number;
  /** Likewise, over TLS. */
  readonly secureClientPort: number;
  readonly server: Server;
  /** Resolves when the admin server is there, or cannot be. */
  readonly adminStarted: Promise<void>;
  /** Stops serving; everything acknowledged is on disk when it resolves. */
  close(): Promise<void>;
}

/**
 * Starts a server, standalone or of an ensemble as the configuration says.
 * @throws StorageError if the data cannot be used; TlsError if the certificates cannot be; the system's error (EADDRINUSE …) if the port cannot be
 */
export async function startServer(config: ServerConfig, options: ServerOptions = {}): Promise<RunningServer> {
  const audit = config.auditEnabled ? new Audit(options.logger ?? silentLogger) : undefined;
  try {
    return await start(config, options, audit);
  } catch (e) {
    audit?.started('failure');
    throw e;
  }
}

async function start(config: ServerConfig, options: ServerOptions, audit: Audit | undefined): Promise<RunningServer> {
  const server = await openServer(config, options);
  const words = new FourLetterWords(server);
  server.isCommand = (code) => words.isCommand(code);
  server.runCommand = (connection, code, rest) => words.run(connection, code, rest);
  server.audit = audit;
  // First, as with Apache's: who sees the client port open asks there, too.
  const held = holdPorts(config);
  try {
    await server.listen();
  } catch (e) {
    for (const port of Object.values(held)) port?.close();
    await server.close();
    throw e;
  }
  audit?.started('success');
  const admin = startAdminLater(server, held);
  return {
    clientPort: server.boundPort,
    secureClientPort: server.boundSecurePort,
    server,
    adminStarted: admin.then(() => {}),
    async close() {
      audit?.stopping();
      await server.close();
      const parts = await admin;
      await Promise.all(parts.map((part) => part.close()));
    },
  };
}

async function openServer(config: ServerConfig, options: ServerOptions): Promise<Server> {
  if (config.ensemble === undefined) return StandaloneServer.open(config, options);
  const { EnsembleServer } = await import('./ensemble-server.js'); // a fifth of all files, which a lone server does not wait for
  return EnsembleServer.open(config, options);
}

async function startAdminLater(server: Server, held: HeldPorts): Promise<{ close(): PromiseLike<unknown> }[]> {
  if (!server.config.admin.enabled && server.config.prometheus === undefined) return [];
  await new Promise((resolve) => setImmediate(resolve)); // the first clients go first
  const { startAdmin } = await import('./admin/admin-server.js');
  return startAdmin(server, held);
}
