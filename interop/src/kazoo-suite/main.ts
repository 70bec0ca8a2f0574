// `npm run test:kazoo`: kazoo's own tests, as Debian's package brings them, against servers of ours. Their harness starts servers
// with `java`; a stand-in of that name starts ours on the same zoo.cfg. Takes some minutes for an ensemble.

import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { installMissing } from '../clients/packages.js';

const PACKAGES = [
  ...[
    'kazoo',
    'pytest',
    'pytest-timeout',
    'mock',
    'objgraph',
    'gevent',
    'eventlet',
    'pyjks',
    'openssl',
    'pure-sasl',
  ].map((name) => `python3-${name}`),
];
const TESTS = '/usr/lib/python3/dist-packages/kazoo/tests';
const CLI = fileURLToPath(new URL('../../../packages/cli/bin/nodekeeper.js', import.meta.url));

const HELP = `Usage: npm run test:kazoo -- [options] [tests and options of pytest]

  --servers n   1 or 3 (default 3)
  --port n      where the ports of the servers begin (default 23410)
`;

const { values, positionals } = parseArgs({
  options: {
    servers: { type: 'string', default: '3' },
    port: { type: 'string', default: '23410' },
    help: { type: 'boolean', short: 'h', default: false },
  },
  allowPositionals: true,
});

if (values.help) process.stdout.write(HELP);
else process.exitCode = await run(values.servers, values.port, positionals);

async function run(servers: string, port: string, chosen: readonly string[]): Promise<number> {
  installMissing(PACKAGES);
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-kazoo-'));
  const pids = join(dir, 'pids');
  writeFileSync(pids, '');
  writeFileSync(
    join(dir, 'java'),
    `#!/bin/bash
echo $$ >> '${pids}'
props=(); for given in "$@"; do [[ $given == -D* ]] && props+=("$given"); done
exec '${process.execPath}' '${CLI}' start-foreground "\${@: -1}" "\${props[@]}" >> '${join(dir, 'servers.log')}' 2>&1
`,
  );
  chmodSync(join(dir, 'java'), 0o755);
  const env = {
    ...process.env,
    PATH: `${dir}:${process.env.PATH}`,
    CI: '1',
    ZOOKEEPER_VERSION: '3.8.0',
    ZOOKEEPER_CLASSPATH: 'unused',
    ZOOKEEPER_CLUSTER_SIZE: servers,
    ZOOKEEPER_PORT_OFFSET: port,
    PYTHONDONTWRITEBYTECODE: '1',
  };
  // test_build looks at an unpacked distribution of Apache's.
  const args = ['-q', '-p', 'no:cacheprovider', '--timeout', '120', '--tb=short', '--show-capture=no', '-rfEs'];
  const tests = chosen.length > 0 ? chosen : [TESTS, `--deselect=${TESTS}/test_build.py`];
  const python = spawn('/usr/bin/python3', ['-m', 'pytest', ...args, ...tests], { cwd: dir, env, stdio: 'inherit' });
  try {
    return await new Promise((resolve, reject) => {
      python.on('error', reject);
      python.on('exit', (code) => resolve(code ?? 1));
    });
  } finally {
    // An interrupted run leaves servers behind.
    for (const pid of readFileSync(pids, 'utf8').split('\n').filter(Boolean)) {
      try {
        process.kill(Number(pid));
      } catch {} // it has ended
    }
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}
