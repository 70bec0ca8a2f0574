// HTTPS for the admin server and for the metrics: Node's HTTP server behind the TLS that clients' ports have, so that stores,
// cipher suites and new certificates work alike. Source: JettyAdminServer and UnifiedConnectionFactory of Apache ZooKeeper.

import { createServer, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import type { Logger } from '../log.js';
import type { Connection } from '../net/network.js';
import { TlsEntry, type TlsSettings } from '../net/tls/tls-entry.js';
import type { Identity } from '../request/identity.js';
import { nodeRuntime } from '../runtime.js';
import { limitIdle } from './idle-connections.js';

export interface HttpsSettings {
  readonly tls: TlsSettings;
  /** Whether requests without TLS are taken, too. */
  readonly accepts: 'tls' | 'either';
}

const HANDSHAKE_MS = 10_000;
/** Of more handshakes at a time the oldest make room: with the connections without a request, those who ask have some left. */
const MOST_HANDSHAKES = 25;
/** What browsers are told for a day: only by TLS, as Apache's server tells them. */
const STRICT = 'max-age=86400; includeSubDomains';

/** What the certificates of connections that came by TLS prove. */
const proved = new WeakMap<object, readonly Identity[]>();

export function certificateIdentities(socket: object): readonly Identity[] {
  return proved.get(socket) ?? [];
}

/**
 * A factory of such servers, as Fastify takes it.
 * @param idleTimeout milliseconds
 * @throws TlsError if the stores cannot be used
 */
export function httpsFactory(
  { tls, accepts }: HttpsSettings,
  idleTimeout: number,
  logger: Logger,
): (handler: RequestListener) => Server {
  const refused = (address: string, reason: string): void =>
    logger.warn({ address }, `a connection to the admin server is refused: ${reason}`);
  const entry = new TlsEntry(tls, HANDSHAKE_MS, nodeRuntime, {
    onRefused: refused,
    onFailed: refused,
    onReloaded: (path) => logger.info({ path }, 'certificates of the admin server read again'),
    onReloadFailed: (path, error) =>
      logger.error({ path, error: error.message }, 'certificates of the admin server could not be read again'),
  });
  return (handler) => {
    const server = createServer(handler);
    const [take] = server.listeners('connection');
    if (take === undefined) throw new Error('an HTTP server takes connections');
    const opened = limitIdle(server, idleTimeout);
    const hand = (socket: Connection): void => {
      opened(socket as Socket);
      Reflect.apply(take, server, [socket]);
    };
    server.removeAllListeners('connection');
    const shaking = new Set<Socket>();
    server.on('connection', (socket: Socket) => {
      shaking.add(socket);
      const [oldest] = shaking;
      if (oldest !== undefined && shaking.size > MOST_HANDSHAKES) {
        shaking.delete(oldest);
        oldest.destroy();
      }
      const isThrough = (): void => void shaking.delete(socket);
      socket.once('close', isThrough);
      entry.take(socket, accepts, {
        onPlain(connection) {
          isThrough();
          hand(connection);
        },
        onSecure(connection, identities) {
          isThrough();
          proved.set(connection, identities);
          hand(connection);
        },
      });
    });
    server.on('close', () => entry.close());
    return server;
  };
}

/** Tells those who come by TLS to do so from now on. */
export function addStrictTransport(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply) => {
    if ((request.raw.socket as TLSSocket).encrypted === true) reply.header('Strict-Transport-Security', STRICT);
  });
}
