// The HTTP admin server: Apache's /commands, and what orchestrators ask for (/ready, /health, /metrics). Loaded once clients are
// served; a port that is taken is told and does not stop the server.

import Fastify, { type FastifyInstance } from 'fastify';
import type { StandaloneServer } from '../server.js';
import { commandNames, runAdminCommand } from './commands.js';
import { createRegistry } from './prometheus.js';

/** Starts the admin server and, if it is configured, the metrics port. Returns what to close. */
export async function startAdmin(server: StandaloneServer): Promise<FastifyInstance[]> {
  const { admin, prometheus } = server.config;
  const started: FastifyInstance[] = [];
  const registry = createRegistry(server, prometheus?.exportProcess ?? true);
  const metrics = (app: FastifyInstance): void => {
    app.get('/metrics', async (_request, reply) => {
      reply.type(registry.contentType);
      return registry.metrics();
    });
  };
  if (admin.enabled) {
    const app = Fastify({ keepAliveTimeout: admin.idleTimeout, exposeHeadRoutes: false });
    commands(app, server, admin.commandUrl);
    metrics(app);
    const ok = await listen(
      app,
      admin.address,
      admin.port,
      server,
      'admin.serverPort moves it, admin.enableServer=false switches it off',
    );
    if (ok) started.push(app);
  }
  if (prometheus !== undefined) {
    const app = Fastify({ exposeHeadRoutes: false });
    metrics(app);
    const ok = await listen(app, prometheus.host, prometheus.port, server, 'metricsProvider.httpPort moves it');
    if (ok) started.push(app);
  }
  return started;
}

async function listen(
  app: FastifyInstance,
  host: string,
  port: number,
  server: StandaloneServer,
  remedy: string,
): Promise<boolean> {
  try {
    const url = await app.listen({ host, port });
    server.logger.info({ url }, 'admin server listens');
    return true;
  } catch (e) {
    server.logger.warn(
      { host, port },
      `the admin server is not there: ${(e as Error).message}. Clients are served all the same; ${remedy}`,
    );
    await app.close();
    return false;
  }
}

function commands(app: FastifyInstance, server: StandaloneServer, url: string): void {
  const list = commandNames.map((name) => `<a href="${url}/${name}">${name}</a>\n<br/>\n`).join('');
  for (const path of [url, `${url}/`]) {
    app.get(path, async (_request, reply) => {
      reply.type('text/html;charset=utf-8');
      return list;
    });
  }
  app.get<{ Params: { name: string }; Querystring: Record<string, string> }>(`${url}/:name`, async (request, reply) => {
    reply.type('application/json');
    return pretty(runAdminCommand(server, request.params.name, request.query));
  });
  app.post(`${url}/:name`, async (_request, reply) => {
    reply.code(405).type('text/html;charset=utf-8');
    return 'HTTP method POST is not supported by this URL';
  });
  app.get('/ready', async (_request, reply) => {
    const reason = server.notReady;
    if (reason !== undefined) reply.code(503);
    return { ready: reason === undefined, reason: reason ?? null };
  });
  app.get('/health', async () => ({ healthy: true }));
}

/** JSON as Apache prints it: two blanks, and ` : ` between name and value. */
function pretty(payload: object): string {
  return JSON.stringify(payload, null, 2).replace(/^(\s*"(?:[^"\\]|\\.)*"): /gm, '$1 : ');
}
