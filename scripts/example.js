// Runs an example program of the recipes against a server in this process: `npm run example -- locking`.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { loadConfig, startServer } from '@nodekeeper/server';

const SOURCES = 'packages/recipes/examples';
const name = process.argv[2];
const program = resolve('packages/recipes/dist-test/examples', `${name}.js`);
if (name === undefined || !existsSync(program)) {
  console.log('usage: npm run example -- NAME, where NAME is one of');
  for (const file of readdirSync(SOURCES).filter((one) => one.endsWith('.ts'))) {
    const [first] = readFileSync(join(SOURCES, file), 'utf8').split('\n');
    console.log(`  ${file.slice(0, -3).padEnd(16)} ${first.slice(3)}`);
  }
  process.exit(name === undefined ? 0 : 1);
}

const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-example-'));
const flags = ['clientPort=0', 'clientPortAddress=127.0.0.1', 'admin.enableServer=false', 'extendedTypesEnabled=true'];
const server = await startServer(loadConfig({ flags: [`dataDir=${dir}`, ...flags] }));
try {
  process.env.ZK = `127.0.0.1:${server.clientPort}`;
  await import(pathToFileURL(program).href);
} finally {
  await server.close();
  rmSync(dir, { recursive: true, force: true });
}
