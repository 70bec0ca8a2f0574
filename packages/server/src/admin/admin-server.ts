// The HTTP admin server: Apache's /commands, and what orchestrators ask for (/ready, /health, /metrics). Loaded once clients are
// served; a port that is taken is told and does not stop the server.

import { Readable } from 'node:stream';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Registry } from 'prom-client';
import type { Logger } from '../log.js';
import type { Server } from '../server.js';
import {
  type CommandLimits,
  type CommandReply,
  commandNames,
  failed,
  isRestore,
  longKind,
  type Query,
  runAdminCommand,
} from './commands.js';
import { type HeldPort, type HeldPorts, holdPorts } from './held-port.js';
import { addStrictTransport, certificateIdentities, type HttpsSettings, httpsFactory } from './https.js';
import { limitIdle } from './idle-connections.js';
import { prettyJson } from './jackson.js';
import { LongAnswers, limitReading } from './long-answers.js';
import { beginOneAtATime } from './one-at-a-time.js';
import { textOrStream } from './pieces.js';
import { createRegistry, metricsText } from './prometheus.js';
import { RateLimit } from './rate-limit.js';
import type { ServerView } from './server-view.js';
import { viewOf } from './view-of-server.js';

export interface AdminSettings {
  readonly admin: {
    readonly enabled: boolean;
    readonly address: string;
    readonly port: number;
    readonly commandUrl: string;
    /** Milliseconds. */
    readonly idleTimeout: number;
    readonly snapshotEnabled: boolean;
    readonly restoreEnabled: boolean;
    /** Milliseconds. */
    readonly rateLimiterInterval: number;
    /** Whether a proxy's word is taken for the address that a request comes from. */
    readonly forwardedFor: boolean;
    /** Undefined for HTTP alone. */
    readonly https: HttpsSettings | undefined;
  };
  /** Undefined unless the Prometheus provider is chosen. */
  readonly prometheus: PrometheusSettings | undefined;
}

export interface PrometheusSettings {
  readonly host: string;
  /** Undefined for HTTPS alone. */
  readonly port: number | undefined;
  readonly https: ({ readonly port: number } & HttpsSettings) | undefined;
  readonly exportProcess: boolean;
}

/** After which the metrics' port closes an idle connection, in milliseconds; Jetty's default. */
const METRICS_IDLE_MS = 30_000;

/** Of what nothing else is sent as. */
const SNAPSHOT_TYPE = 'application/octet-stream';

/** A started HTTP server. */
export interface AdminPort {
  readonly url: string;
  close(): PromiseLike<unknown>;
}

/** Starts a server's admin server and metrics at ports that are held for them. Returns what to close. */
export function startAdmin(server: Server, held: HeldPorts): Promise<AdminPort[]> {
  return startAdminPorts(viewOf(server), server.config, server.portLogger, held);
}

/** Starts what the settings ask for, as far as the ports are free. Never rejects for a port that is not. */
export async function startAdminPorts(
  view: ServerView,
  settings: AdminSettings,
  logger: Logger,
  held: HeldPorts = holdPorts(settings),
): Promise<AdminPort[]> {
  const { admin, prometheus } = settings;
  const registry = createRegistry(view, prometheus?.exportProcess ?? true);
  const started: AdminPort[] = [];
  const open = async (
    port: HeldPort | undefined,
    scheme: 'http' | 'https',
    make: () => FastifyInstance,
    remedy: string,
  ): Promise<void> => {
    if (port === undefined) return;
    let app: FastifyInstance | undefined;
    try {
      app = make();
      started.push(await serve(app, port, scheme, logger));
    } catch (e) {
      const reason = (e as Error).message;
      logger.warn(port.place, `the admin server is not there: ${reason}. Clients are served all the same; ${remedy}`);
      port.close();
      await app?.close();
    }
  };
  const makeMetrics = (https: HttpsSettings | undefined): FastifyInstance => {
    const app = newApp(METRICS_IDLE_MS, https, logger);
    addMetrics(app, registry);
    return app;
  };
  await open(
    held.admin,
    admin.https === undefined ? 'http' : 'https',
    () => createAdminApp(view, registry, admin, limitsOf(admin), logger),
    'admin.serverPort moves it, admin.enableServer=false switches it off',
  );
  await open(held.metrics, 'http', () => makeMetrics(undefined), 'metricsProvider.httpPort moves it');
  await open(held.secureMetrics, 'https', () => makeMetrics(prometheus?.https), 'metricsProvider.httpsPort moves it');
  return started;
}

async function serve(
  app: FastifyInstance,
  held: HeldPort,
  scheme: 'http' | 'https',
  logger: Logger,
): Promise<AdminPort> {
  const { address, family, port } = await held.listening;
  await app.ready();
  held.giveTo(app.server);
  const url = `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  logger.info({ url }, 'admin server listens');
  return {
    url,
    close() {
      app.server.close();
      app.server.closeAllConnections();
      return app.close();
    },
  };
}

/** Apache's server counts the snapshot command's interval in microseconds, so that it is a thousandth of the restore command's. */
function limitsOf(admin: AdminSettings['admin']): CommandLimits {
  const now = (): number => performance.now();
  return {
    snapshotEnabled: admin.snapshotEnabled,
    restoreEnabled: admin.restoreEnabled,
    snapshotRate: new RateLimit(admin.rateLimiterInterval / 1000, now),
    restoreRate: new RateLimit(admin.rateLimiterInterval, now),
  };
}

/** The application, not listening yet. */
export function createAdminApp(
  view: ServerView,
  registry: Registry,
  settings: Pick<AdminSettings['admin'], 'commandUrl' | 'idleTimeout' | 'forwardedFor' | 'https'>,
  limits: CommandLimits,
  logger: Logger,
): FastifyInstance {
  const { commandUrl, idleTimeout, forwardedFor, https } = settings;
  const app = newApp(idleTimeout, https, logger);
  app.setNotFoundHandler((request, reply) => errorPage(reply, 404, 'Not Found', request.url));
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) logger.error({ url: request.url, error: error.message }, 'an admin command failed');
    errorPage(reply, status, error.message, request.url);
  });
  const addressOf = forwardedFor ? forwardedAddress : remoteAddress;
  addCommands(app, view, commandUrl, limits, addressOf);
  addMetrics(app, registry);
  addProbes(app, view);
  return app;
}

function newApp(idleTimeout: number, https: HttpsSettings | undefined, logger: Logger): FastifyInstance {
  const serverFactory = https && httpsFactory(https, idleTimeout, logger);
  const options = { keepAliveTimeout: idleTimeout, forceCloseConnections: true };
  const app = Fastify({ ...options, ...(serverFactory && { serverFactory }) });
  if (https === undefined) app.server.on('connection', limitIdle(app.server, idleTimeout));
  else addStrictTransport(app);
  // A body is only of use to the command that reads it; it gets the bytes as they come.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, body, done) => done(null, body));
  beginOneAtATime(app);
  app.addHook('onSend', async (_request, reply) => {
    // A snapshot takes as long as it takes; who gets one is known.
    if (reply.getHeader('content-type') !== SNAPSHOT_TYPE) limitReading(reply.raw);
  });
  return app;
}

function remoteAddress(request: FastifyRequest): string {
  return request.ip.replace(/^::ffff:/, '');
}

/** Where the last proxy says that the request comes from. What stands before that the client itself may have written. */
function forwardedAddress(request: FastifyRequest): string {
  const told = request.headers['x-forwarded-for'];
  const last = (typeof told === 'string' ? told : told?.at(-1))?.split(',').at(-1)?.trim();
  return last ?? remoteAddress(request);
}

/** As Apache's servlet: by GET and POST; `name[]` chooses. */
function addMetrics(app: FastifyInstance, registry: Registry): void {
  app.route({
    method: ['GET', 'POST'],
    url: '/metrics',
    handler: async (request, reply) => {
      reply.type(registry.contentType);
      const names = (request.query as Readonly<Record<string, string | string[]>>)['name[]'] ?? [];
      return metricsText(registry, typeof names === 'string' ? [names] : names);
    },
  });
}

function addProbes(app: FastifyInstance, view: ServerView): void {
  app.get('/ready', async (_request, reply) => {
    const reason = await view.whyNotReady();
    if (reason !== undefined) reply.code(503);
    return { ready: reason === undefined, reason: reason ?? null };
  });
  app.get('/health', async () => ({ healthy: true }));
}

function addCommands(
  app: FastifyInstance,
  view: ServerView,
  commandUrl: string,
  limits: CommandLimits,
  addressOf: (request: FastifyRequest) => string,
): void {
  const url = commandUrl.replace(/\/+$/, '');
  const list = commandNames.map((name) => `<a href="${url}/${name}">${name}</a>\n<br/>\n`).join('');
  const sendList = (_request: FastifyRequest, reply: FastifyReply): FastifyReply =>
    reply.type('text/html;charset=utf-8').send(list);
  const run = async (request: FastifyRequest, name: string): Promise<CommandReply> =>
    runAdminCommand(view, limits, name, {
      query: firstValues(request.query as Readonly<Record<string, string | string[]>>),
      authorization: request.headers.authorization,
      remoteAddress: addressOf(request),
      identities: certificateIdentities(request.raw.socket),
      body: request.body instanceof Readable ? request.body : undefined,
    });
  const longAnswers = new LongAnswers();
  const root = url || '/';
  app.get(root, sendList);
  app.get(`${url}/*`, async (request, reply) => {
    const name = (request.params as { '*': string })['*'];
    if (name === '') return sendList(request, reply);
    if (isRestore(name)) return methodNotAllowed(request, reply);
    const kind = longKind(name);
    if (kind !== undefined && !longAnswers.mayBegin(kind, reply.raw)) {
      return send(reply, failed(429, name, 'Others are answered'));
    }
    return send(reply, await run(request, name));
  });
  app.post(`${url}/*`, async (request, reply) => {
    const name = (request.params as { '*': string })['*'];
    if (!isRestore(name)) return methodNotAllowed(request, reply);
    return send(reply, await run(request, name));
  });
  for (const path of [root, `${url}/*`]) {
    app.route({ method: ['PUT', 'DELETE', 'PATCH'], url: path, handler: methodNotAllowed });
    app.options(path, (_request, reply) => reply.header('Allow', 'GET, HEAD, POST, OPTIONS').send());
  }
  app.post(root, methodNotAllowed);
}

function send(reply: FastifyReply, { status, payload, headers, stream }: CommandReply): FastifyReply {
  reply.code(status).headers(headers ?? {});
  if (stream !== undefined) return reply.type(SNAPSHOT_TYPE).send(stream);
  const json = textOrStream(prettyJson(payload));
  // Bytes: to a text Fastify would add a charset, which Apache's type has not.
  return reply.header('Content-Type', 'application/json').send(typeof json === 'string' ? Buffer.from(json) : json);
}

/** The first value of each parameter, as a servlet takes it. */
function firstValues(query: Readonly<Record<string, string | string[]>>): Query {
  return Object.fromEntries(
    Object.entries(query).map(([name, value]) => [name, typeof value === 'string' ? value : value[0]]),
  );
}

function methodNotAllowed(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return errorPage(reply, 405, `HTTP method ${request.method} is not supported by this URL`, request.url);
}

/** An error as a web page, in the form that the Java server's container gives it. */
function errorPage(reply: FastifyReply, status: number, message: string, url: string): FastifyReply {
  const title = `${status} ${escapeHtml(message)}`;
  return reply
    .code(status)
    .header('Cache-Control', 'must-revalidate,no-cache,no-store')
    .type('text/html;charset=utf-8')
    .send(`<html>
<head>
<meta http-equiv="Content-Type" content="text/html;charset=utf-8"/>
<title>Error ${title}</title>
</head>
<body><h2>HTTP ERROR ${title}</h2>
<table>
<tr><th>URI:</th><td>${escapeHtml(url)}</td></tr>
<tr><th>STATUS:</th><td>${status}</td></tr>
<tr><th>MESSAGE:</th><td>${escapeHtml(message)}</td></tr>
</table>
</body>
</html>
`);
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
