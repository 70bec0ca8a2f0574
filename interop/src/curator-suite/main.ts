// `npm run test:curator`: Curator's own tests, from Debian's source package, with Curator's jars as Debian packages them, against
// servers of ours. Curator runs Apache's server within its tests' JVM; a stand-in for that class (java/) starts ours as a process,
// on the same properties. Takes most of an hour.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { installMissing } from '../clients/packages.js';
import { apacheClassPath, type Kind } from '../servers/index.js';
import { isolates, runGroup } from '../suites/processes.js';
import { type Known, type Outcome, Report } from '../suites/report.js';
import { kindOf, writeServerScript } from '../suites/server-script.js';
import { made, run, sourceOf } from '../suites/sources.js';

const CURATOR = ['test', 'client', 'framework', 'recipes', 'discovery'];
const PACKAGES = [
  ...['default-jdk-headless', 'zookeeper', 'iproute2', 'junit5'],
  ...CURATOR.map((name) => `libcurator-${name}-java`),
  ...['apiguardian', 'assertj-core', 'byte-buddy', 'commons-io', 'commons-math', 'guava', 'jackson2-annotations'].map(
    lib,
  ),
  ...['jackson2-core', 'jackson2-databind', 'jsr305', 'mockito', 'objenesis', 'opentest4j', 'univocity-parsers'].map(
    lib,
  ),
  ...['libjackson2-dataformat-yaml', 'libyaml-snake-java'],
];
const JARS = [
  ...['client', 'framework', 'recipes', 'x-discovery', 'test'].map((name) => `curator-${name}`),
  ...['api', 'engine', 'params'].map((name) => `junit-jupiter-${name}`),
  ...['commons', 'engine', 'launcher'].map((name) => `junit-platform-${name}`),
  ...[
    'opentest4j',
    'apiguardian-api',
    'univocity-parsers',
    'mockito-core',
    'byte-buddy',
    'byte-buddy-agent',
    'objenesis',
  ],
  ...['assertj-core', 'commons-math', 'commons-io', 'guava', 'failureaccess', 'jackson-core', 'jackson-databind'],
  ...['jackson-annotations', 'jackson-dataformat-yaml', 'snakeyaml', 'jsr305'],
];
/** Modules with tests, and those whose tests' classes theirs use. */
const MODULES: Readonly<Record<string, readonly string[]>> = {
  'curator-test': [],
  'curator-client': [],
  'curator-framework': [],
  'curator-recipes': ['curator-framework'],
  'curator-x-discovery': ['curator-framework'],
  'curator-x-async': ['curator-framework', 'curator-recipes'],
};
/** The longest class takes four minutes. */
const CLASS_LIMIT_MS = 900_000;

const GZIP = "fails without a server too: Java writes another header of gzip since version 16 than Curator's";
const CHAOS = "gives the server a class of its own for connections, which only Apache's server in the tests' JVM runs";
const KNOWN: Known = {
  'TestGzipCompressionProvider#smokeTestRandomDataWithJdk': GZIP,
  'TestGzipCompressionProvider#testEmpty': GZIP,
  'TestGzipCompressionProvider#testSimple': GZIP,
  'TestQuorumConfigBuilder#testCustomProperties':
    "looks for what Apache's server sets in its own JVM, which is not the tests' here",
  'TestLeaderSelectorEdges#flappingTest': CHAOS,
  'TestLeaderSelectorEdges#createProtectedNodeInBackgroundTest': CHAOS,
  'TestLeaderSelectorEdges#createProtectedNodeInBackgroundTestNoRetry': CHAOS,
  'TestRetryLoop#testRetryForeverWithSessionFailed':
    "fails now and then with Apache's server too: counts on a session's end within a moment",
  'TestLeaderLatch#testNoServerAtStart':
    "fails now and then with Apache's server too: its listener lets it go on before it counts",
};

const HELP = `Usage: npm run test:curator -- [options] [module, Class or Class#test]...

  --server NAME    nodekeeper (default) or apache
  --sources DIR    Curator's unpacked sources, if not those of Debian's package
  --fresh          fetch and build the tests anew
  --list           names of the tests, and nothing else
  --logs DIR       keep what each class and its servers print

  Modules: ${Object.keys(MODULES).join(', ')}
`;

interface Test {
  readonly module: string;
  /** With its package. */
  readonly class: string;
  readonly method: string;
}

const { values, positionals } = parseArgs({
  options: {
    server: { type: 'string', default: 'nodekeeper' },
    sources: { type: 'string' },
    fresh: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    logs: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
  allowPositionals: true,
});

if (values.help) process.stdout.write(HELP);
else process.exitCode = await main(kindOf(values.server), positionals, values.logs);

async function main(server: Kind, wanted: readonly string[], logs: string | undefined): Promise<number> {
  installMissing(PACKAGES);
  const built = build(values.sources, values.fresh);
  const all = Object.keys(MODULES).flatMap((module) => testsOf(built, module));
  for (const name of wanted) {
    if (!all.some((test) => matches(test, name))) throw new Error(`there is no test ${name}`);
  }
  const tests = all.filter((test) => wanted.length === 0 || wanted.some((name) => matches(test, name)));
  if (values.list) {
    for (const test of tests) process.stdout.write(`${test.module} ${test.class}#${test.method}\n`);
    return 0;
  }
  isolates();
  const report = new Report(KNOWN);
  const classes = new Map<string, Test[]>();
  for (const test of tests) {
    const name = `${test.module} ${test.class}`;
    classes.set(name, [...(classes.get(name) ?? []), test]);
  }
  for (const [name, chosen] of classes) {
    process.stdout.write(`# ${name}\n`);
    const whole = chosen.length === all.filter((test) => `${test.module} ${test.class}` === name).length;
    await runClass(built, server, chosen, whole, report, logs);
  }
  return report.end();
}

/** Runs tests of one class in a JVM of their own. */
async function runClass(
  built: string,
  server: Kind,
  tests: readonly Test[],
  whole: boolean,
  report: Report,
  logs: string | undefined,
): Promise<void> {
  const { module, class: name } = tests[0] as Test;
  const selectors = whole ? [name] : tests.map((test) => `${name}#${test.method}`);
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-curator-'));
  let running = '';
  try {
    writeServerScript(join(dir, 'server'), server);
    const ended = await runGroup('java', ['-Xmx1g', ...jvm(built, module), 'RunTests', ...selectors], {
      cwd: dir,
      env: { SUITE_SERVER: join(dir, 'server') },
      limitMs: CLASS_LIMIT_MS,
      line: (line) => {
        const [mark, , test = '', message = ''] = line.split('\t');
        if (mark === '@started') running = `${test}: `;
        else if (mark !== undefined && isOutcome(mark)) {
          running = '';
          report.add(`${module} ${test}`, mark.slice(1) as Outcome, message, keyOf(test));
        }
      },
    });
    if (ended.late) report.add(`${module} ${name}`, 'failed', `${running}did not end in ${CLASS_LIMIT_MS / 1000} s`);
    else if (ended.code !== 0) {
      const said = ended.output.split('\n').slice(-5).join('\n');
      report.add(`${module} ${name}`, 'failed', `${running}the JVM ended with ${ended.signal ?? ended.code}\n${said}`);
    }
    if (logs !== undefined) {
      writeFileSync(join(dir, 'printed.txt'), ended.output, 'latin1');
      cpSync(dir, join(logs, `${module}.${name}`), { recursive: true });
    }
  } finally {
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

function isOutcome(mark: string): boolean {
  return mark === '@passed' || mark === '@failed' || mark === '@skipped';
}

/** A test's name in the table of those that are known. */
function keyOf(test: string): string {
  return test.slice(test.lastIndexOf('.') + 1);
}

function matches(test: Test, wanted: string): boolean {
  const simple = keyOf(test.class);
  return [test.module, test.class, simple, `${test.class}#${test.method}`, `${simple}#${test.method}`].includes(wanted);
}

function debianSource(fresh: boolean): string {
  try {
    return sourceOf('apache-curator', fresh);
  } catch (e) {
    console.error(`${(e as Error).message}
Debian's source package apache-curator could not be had. Unpack the sources of the installed version of Curator yourself, and
name the folder: npm run test:curator -- --sources DIR`);
    process.exit(2);
  }
}

/** The folder with all that is compiled, and a list of each module's tests. */
function build(sources: string | undefined, fresh: boolean): string {
  const java = fileURLToPath(new URL('../../src/curator-suite/java/', import.meta.url));
  const own = sourcesIn(java);
  const source = sources === undefined ? debianSource(fresh) : resolve(sources);
  const ingredients = [
    sources === undefined ? basename(source) : source,
    ...own.map((file) => readFileSync(file, 'utf8')),
  ];
  return made('curator', ingredients, fresh, (dir) => {
    process.stdout.write("# compiling Curator's tests\n");
    compile(dir, 'own', own, jars());
    // Not among Debian's packages.
    compile(dir, 'async', sourcesIn(join(source, 'curator-x-async/src/main/java')), jars());
    for (const module of Object.keys(MODULES)) {
      const tests = join(source, module, 'src/test');
      compile(dir, module, sourcesIn(join(tests, 'java')), classPath(dir, module));
      if (existsSync(join(tests, 'resources'))) {
        cpSync(join(tests, 'resources'), join(dir, module), { recursive: true });
      }
      const listed = spawnSync('java', [...jvm(dir, module), 'RunTests', '--list', join(dir, module)], {
        encoding: 'utf8',
      });
      if (listed.status !== 0) throw new Error(`${module}: its tests could not be listed:\n${listed.stderr}`);
      writeFileSync(join(dir, `${module}.tests`), listed.stdout);
    }
  });
}

function testsOf(built: string, module: string): Test[] {
  const lines = readFileSync(join(built, `${module}.tests`), 'utf8').split('\n');
  return lines.flatMap((line) => {
    const [name, method] = line.split('#');
    return name === undefined || method === undefined ? [] : [{ module, class: name, method }];
  });
}

function sourcesIn(dir: string): string[] {
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.java') && !file.endsWith('module-info.java'))
    .sort()
    .map((file) => join(dir, file));
}

function compile(dir: string, into: string, sources: readonly string[], path: string): void {
  mkdirSync(join(dir, into));
  const list = join(dir, `${into}.files`);
  writeFileSync(list, sources.map((file) => `"${file}"\n`).join(''));
  const quiet = ['-nowarn', '-Xlint:none', '-proc:none', '-encoding', 'UTF-8'];
  run('javac', [...quiet, '-d', join(dir, into), '-cp', path, `@${list}`]);
}

function jvm(built: string, module: string): string[] {
  return ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', classPath(built, module)];
}

/** Own classes come before Curator's of the same name, and a module's tests before other modules' of the same name. */
function classPath(built: string, module: string): string {
  const folders = [module, 'own', 'async', ...(MODULES[module] ?? [])];
  return [...folders.map((folder) => join(built, folder)), jars()].join(':');
}

function jars(): string {
  return [...JARS.map((name) => `/usr/share/java/${name}.jar`), apacheClassPath()].join(':');
}

function lib(name: string): string {
  return `lib${name}-java`;
}
