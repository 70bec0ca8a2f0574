#!/usr/bin/env node
import { createLogger, loadConfig, StandaloneServer } from '@nodekeeper/server';
const file = process.argv[3];
const config = loadConfig({ file, environment: process.env });
const server = await StandaloneServer.open(config, { logger: await createLogger() });
const port = await server.listen();
console.log(`listening on ${port}`);
for (const s of ['SIGTERM','SIGINT'] as const) process.on(s, () => { void server.close().then(() => process.exit(0)); });
