// npm run test:runtimes: the packed client, installed as users do, in Node by import and by require, in Bun and in Deno;
// and its types, as strict programs of either kind see them.
// Needs the npm registry for Bun and Deno.

import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createServer } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { loadConfig, startServer } from '@nodekeeper/server';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HERE = dirname(fileURLToPath(import.meta.url));
const TLS = join(ROOT, 'packages/client/test/fixtures/tls');
/** Values of TypeScript's `module` with those of `moduleResolution`. */
const RESOLUTIONS = [
  ['node16', 'node16'],
  ['nodenext', 'nodenext'],
  ['preserve', 'bundler'],
];
const work = mkdtempSync(join(tmpdir(), 'runtimes-'));

function npm(args, cwd) {
  const { status, stderr } = spawnSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  if (status !== 0) throw new Error(`npm ${args.join(' ')}\n${stderr}`);
}

/** Runs to its end; resolves with whether that was a good one, and `lastWords` were said. */
function run(command, args, lastWords = 'ok') {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: work, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => resolve({ isGood: false, output: String(error) }));
    child.on('close', (code) => resolve({ isGood: code === 0 && output.trimEnd().endsWith(lastWords), output }));
  });
}

/** Compiles a program of a user. */
function compile(file, module, moduleResolution) {
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--skipLibCheck', 'false'];
  const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')];
  const target = ['--target', 'es2022', '--lib', 'es2022,esnext.disposable'];
  const how = ['--module', module, '--moduleResolution', moduleResolution];
  return run(join(ROOT, 'node_modules/.bin/tsc'), ['--noEmit', ...strict, ...types, ...target, ...how, file], '');
}

const tlsPort = (port) => {
  const key = readFileSync(join(TLS, 'server.pem'));
  const front = createServer({ key, cert: key }, (socket) => {
    const server = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => server.destroy());
    server.on('error', () => socket.destroy());
    socket.pipe(server).pipe(socket);
  });
  return new Promise((resolve) => front.listen(0, '127.0.0.1', () => resolve(front)));
};

let isGood = true;
function report(name, result) {
  console.log(`${result.isGood ? 'ok' : 'not ok'} - ${name}`);
  if (!result.isGood) console.log(result.output.replace(/^/gm, '  '));
  isGood &&= result.isGood;
}

const flags = [
  `dataDir=${join(work, 'data')}`,
  'clientPort=0',
  'clientPortAddress=127.0.0.1',
  'admin.enableServer=false',
];
const server = await startServer(loadConfig({ flags }));
const front = await tlsPort(server.clientPort);
try {
  const packages = ['protocol', 'client', 'recipes'];
  npm(['pack', ...packages.flatMap((name) => ['-w', `packages/${name}`]), '--pack-destination', work], ROOT);
  writeFileSync(join(work, 'package.json'), '{ "name": "runtimes", "private": true, "type": "module" }');
  const packed = packages.map((name) => join(work, `nodekeeper-${name}-0.1.0.tgz`));
  npm(['install', '--no-audit', '--no-fund', ...packed, 'bun', 'deno'], work);
  cpSync(join(HERE, 'program.js'), join(work, 'program.js'));
  const call = `program(client, ${JSON.stringify([
    `127.0.0.1:${server.clientPort}`,
    `127.0.0.1:${front.address().port}`,
    readFileSync(join(TLS, 'ca.pem'), 'utf8'),
  ])})`;
  const isEnded = '.catch((error) => { console.error(error); process.exit(1); });';
  writeFileSync(
    join(work, 'esm.js'),
    `import process from 'node:process';\nimport * as client from '@nodekeeper/client';\nimport { program } from './program.js';\n${call}${isEnded}`,
  );
  writeFileSync(
    join(work, 'cjs.cjs'),
    `const client = require('@nodekeeper/client');\nimport('./program.js').then(({ program }) => ${call})${isEnded}`,
  );
  mkdirSync(join(work, 'node_modules/.bin'), { recursive: true });
  const bin = (name) => join(work, 'node_modules/.bin', name);
  const runs = [
    ['Node, import', process.execPath, ['esm.js']],
    ['Node, require', process.execPath, ['cjs.cjs']],
    ['Bun, import', bin('bun'), ['esm.js']],
    ['Bun, require', bin('bun'), ['cjs.cjs']],
    ['Deno, import', bin('deno'), ['run', '-A', '--node-modules-dir=manual', 'esm.js']],
    ['Deno, require', bin('deno'), ['run', '-A', '--node-modules-dir=manual', 'cjs.cjs']],
  ];
  for (const [name, command, args] of runs) report(name, await run(command, args));
  for (const file of ['types.mts', 'types.cts']) {
    cpSync(join(HERE, 'types.ts'), join(work, file));
    for (const [module, resolution] of RESOLUTIONS)
      report(`types, ${file}, moduleResolution ${resolution}`, await compile(file, module, resolution));
  }
  cpSync(join(HERE, 'recipes.ts'), join(work, 'recipes.cts'));
  for (const [module, resolution] of [
    ['nodenext', 'nodenext'],
    ['commonjs', 'bundler'],
  ])
    report(`types, recipes.cts, module ${module}`, await compile('recipes.cts', module, resolution));
} finally {
  front.close();
  await server.close();
  rmSync(work, { recursive: true, force: true });
}
process.exit(isGood ? 0 : 1);
