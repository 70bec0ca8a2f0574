// `npm run test:c-client`: the C client's own tests (cppunit, both libraries), from Debian's source package, against servers of ours.
// Their scripts start Apache's servers; stand-ins beside this file start ours on the same zoo.cfg. Takes some minutes.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { installMissing } from '../clients/packages.js';
import { apacheClassPath, type Kind } from '../servers/index.js';
import { type Ended, isolates, runGroup } from '../suites/processes.js';
import { type Known, Report } from '../suites/report.js';
import { kindOf, writeServerScript } from '../suites/server-script.js';
import { made, run, sourceOf } from '../suites/sources.js';

const PACKAGES = [
  ...['autoconf', 'automake', 'libtool', 'make', 'pkg-config', 'g++', 'openssl', 'iproute2'],
  ...['libcppunit-dev', 'libssl-dev', 'libsasl2-dev', 'libsasl2-modules'],
  // keytool, and what --server apache needs
  ...['default-jre-headless', 'zookeeper'],
];
const LIBRARIES = ['mt', 'st'] as const;
/** Makes records of C out of their descriptions. */
const JUTE = 'org.apache.jute.compiler.generated.Rcc';
type Library = (typeof LIBRARIES)[number];
/** The longest test takes half a minute. */
const LIMIT_MS = 180_000;

/** Their clock begins at any fraction of a second. */
const CLOCK = 'fails now and then, without a server too: rounds the microseconds of a clock of its own';
const KNOWN: Known = {
  'Zookeeper_operations::testPing': CLOCK,
  'Zookeeper_operations::testTimeoutCausedByWatches1': CLOCK,
  'Zookeeper_reconfig::testcycleNextServer':
    "fails now and then, with Apache's server too: the client's thread looks for a server while the test looks at what it would do",
  'Zookeeper_simpleSystem::testHangingClient':
    "fails now and then, with Apache's server too: closed while its watcher asks, the client tells -5 there, which the test does not expect",
};

const HELP = `Usage: npm run test:c-client -- [options] [Suite or Suite::test]...

  --library NAME   mt (with threads) or st; both if not given
  --server NAME    nodekeeper (default) or apache
  --fresh          fetch and build the tests anew
  --list           names of the tests, and nothing else
`;

const { values, positionals } = parseArgs({
  options: {
    library: { type: 'string' },
    server: { type: 'string', default: 'nodekeeper' },
    fresh: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
  allowPositionals: true,
});

if (values.help) process.stdout.write(HELP);
else process.exitCode = await main(libraries(values.library), kindOf(values.server), positionals);

function libraries(given: string | undefined): readonly Library[] {
  const chosen = LIBRARIES.filter((name) => given === undefined || name === given);
  if (chosen.length === 0) throw new Error(`--library: ${given} is none of ${LIBRARIES.join(', ')}`);
  return chosen;
}

async function main(chosen: readonly Library[], server: Kind, wanted: readonly string[]): Promise<number> {
  installMissing(PACKAGES);
  const built = build(values.fresh);
  const all = chosen.flatMap((library) => namesOf(built, library).map((test) => ({ library, test })));
  for (const name of wanted) {
    if (!all.some(({ test }) => matches(test, name))) throw new Error(`there is no test ${name}`);
  }
  const tests = all.filter(({ test }) => wanted.length === 0 || wanted.some((name) => matches(test, name)));
  if (values.list) {
    for (const { library, test } of tests) process.stdout.write(`${library} ${test}\n`);
    return 0;
  }
  isolates();
  const report = new Report(KNOWN);
  let suite = '';
  for (const { library, test } of tests) {
    const now = `${library} ${test.split('::')[0]}`;
    if (now !== suite) process.stdout.write(`# ${now}\n`);
    suite = now;
    const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-c-'));
    try {
      stage(dir, built, server);
      const env = { ZKROOT: join(dir, 'zk'), SUITE_SERVER: join(dir, 'server') };
      const ended = await runGroup(program(built, library), [test], { cwd: dir, env, limitMs: LIMIT_MS });
      const why = failure(ended);
      report.add(`${library} ${test}`, why === undefined ? 'passed' : 'failed', why ?? '', test);
    } finally {
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    }
  }
  return report.end();
}

/** The folder with the programs of the tests and what they read. */
function build(fresh: boolean): string {
  const names = beside('names.cc');
  const source = sourceOf('zookeeper', fresh);
  return made('c-client', [basename(source), readFileSync(names, 'utf8')], fresh, (dir) => {
    process.stdout.write("# building the C client's tests\n");
    cpSync(join(source, 'zookeeper-client/zookeeper-client-c'), dir, { recursive: true });
    // OpenSSL 3 has no FIPS_mode, which is asked for a line of the log only; and certificates are taken from the folder of the run.
    edit(join(dir, 'src/zookeeper.c'), 'FIPS_mode()', '0');
    for (const file of ['TestClient.cc', 'TestReadOnlyClient.cc'])
      edit(join(dir, 'tests', file), '/tmp/certs/', 'certs/');
    mkdirSync(join(dir, 'generated'));
    const jute = join(source, 'zookeeper-jute/src/main/resources/zookeeper.jute');
    run('java', ['-cp', apacheClassPath(), JUTE, '-l', 'c', jute], join(dir, 'generated'));
    copyFileSync(names, join(dir, 'names.cc'));
    run('g++', ['-O1', '-c', 'names.cc'], dir);
    run('autoreconf', ['-if'], dir);
    // The compilers of today miss two includes.
    const flags = ['CFLAGS=-g -O1 -D_GNU_SOURCE', 'CXXFLAGS=-g -O1 -include time.h -include unistd.h'];
    run('./configure', ['--disable-dependency-tracking', ...flags], dir);
    const make = [...flags.map((flag) => `${flag} -Wno-error`), 'CPPUNIT_LIBS=-lcppunit names.o -Wl,--wrap=main'];
    run('make', [...make, ...LIBRARIES.map((library) => `zktest-${library}`)], dir);
    mkdirSync(join(dir, 'certs'));
    run('bash', ['../ssl/gencerts.sh', 'localhost'], join(dir, 'certs'));
  });
}

function edit(file: string, from: string, to: string): void {
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(from, to));
}

function beside(name: string): string {
  return fileURLToPath(new URL(`../../src/c-client-suite/${name}`, import.meta.url));
}

function program(built: string, library: Library): string {
  return join(built, `zktest-${library}`);
}

function namesOf(built: string, library: Library): string[] {
  // Its suites open files for their logs where it runs.
  const asked = spawnSync(program(built, library), ['--names'], { cwd: built, encoding: 'utf8' });
  if (asked.status !== 0) throw new Error(`zktest-${library} --names failed:\n${asked.stderr}`);
  // A suite without any for this library is named as well.
  return asked.stdout.split('\n').filter((name) => name.includes('::'));
}

function matches(test: string, wanted: string): boolean {
  return test === wanted || test.startsWith(`${wanted}::`);
}

/** The folder a test runs in: its tests/zkServer.sh, the ensemble's zk/bin/zkServer.sh, and the server that both start. */
function stage(dir: string, built: string, server: Kind): void {
  mkdirSync(join(dir, 'tests'));
  mkdirSync(join(dir, 'zk/bin'), { recursive: true });
  copyFileSync(beside('test-server.sh'), join(dir, 'tests/zkServer.sh'));
  copyFileSync(beside('member.sh'), join(dir, 'zk/bin/zkServer.sh'));
  copyFileSync(join(built, 'tests/zoo.cfg'), join(dir, 'tests/zoo.cfg'));
  symlinkSync(join(built, 'certs'), join(dir, 'certs'));
  writeServerScript(join(dir, 'server'), server);
  for (const file of ['tests/zkServer.sh', 'zk/bin/zkServer.sh']) chmodSync(join(dir, file), 0o755);
}

/** Why a test's program failed; undefined if it passed. */
function failure({ code, signal, late, output }: Ended): string | undefined {
  if (late) return `did not end in ${LIMIT_MS / 1000} s`;
  // It ends with 0 as well if it knows no such test.
  if (code === 0 && /^OK \(1\)$/m.test(output)) return undefined;
  const said = output.split('\n').filter((line) => /: Assertion|what\(\)|ERROR:|: error|the server /.test(line));
  return [...said.slice(-6), `ended with ${signal ?? code}`].join('\n');
}
