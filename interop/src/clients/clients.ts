// The third-party clients, as Debian packages them: what to install, how to compile their checks, how to run those.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { apacheClassPath } from '../servers/index.js';
import type { Check } from './features.js';
import { type Command, runProgram } from './program.js';
import { runRecorded } from './recorded-shell.js';
import { CLI_MT, ZKCLI } from './shells.js';
import type { Stage } from './stage.js';

export const SOURCES: string = fileURLToPath(new URL('../../clients/', import.meta.url));
const JAVA_JARS = ['curator-client', 'curator-framework', 'curator-recipes', 'guava'];

export interface Client {
  readonly id: string;
  readonly title: string;
  /** The first one's version is the client's. */
  readonly packages: readonly string[];
  /** Lines of its server's configuration beyond the usual ones. */
  readonly cfg?: Readonly<Record<string, string>>;
  /** Compiles what must be compiled into `dir`, a directory of its own. */
  readonly build: (dir: string) => void;
  readonly run: (dir: string, stage: Stage, seen: (check: Check) => void) => Promise<Check[]>;
  /** Runs, and keeps what it sees as what is expected from then on; only with Apache's server. */
  readonly record?: (stage: Stage, seen: (check: Check) => void) => Promise<Check[]>;
}

const JAVA_PACKAGES = ['zookeeper', 'default-jdk-headless', 'libcurator-client-java', 'libcurator-recipes-java'];
/** What every run needs: Apache's server, and its jars with all they depend on. */
export const COMMON_PACKAGES = ['zookeeper'];

export const CLIENTS: readonly Client[] = [
  {
    id: 'java',
    title: 'Java client',
    packages: ['libzookeeper-java', ...JAVA_PACKAGES],
    build: (dir) => compileJava(dir, ['Checks.java', 'JavaClient.java']),
    run: program((dir) => java(dir, 'JavaClient')),
  },
  {
    id: 'zkcli',
    title: 'zkCli.sh',
    packages: ['zookeeper', 'default-jre-headless'],
    build: () => undefined,
    run: (_dir, stage, seen) => runRecorded(ZKCLI, stage.port, false, seen),
    record: (stage, seen) => runRecorded(ZKCLI, stage.port, true, seen),
  },
  {
    id: 'curator',
    title: 'Curator',
    packages: ['libcurator-framework-java', ...JAVA_PACKAGES],
    build: (dir) => compileJava(dir, ['Checks.java', 'Curator.java', 'CuratorRecipes.java']),
    run: program((dir) => java(dir, 'Curator')),
  },
  {
    id: 'kazoo',
    title: 'kazoo (Python)',
    packages: ['python3-kazoo', 'python3-pure-sasl'],
    // This version ends its connection's thread at the error code for a disabled reconfig, which it doesn't know.
    cfg: { reconfigEnabled: 'true' },
    build: () => undefined,
    run: program(() => ({ file: '/usr/bin/python3', args: [join(SOURCES, 'python/kazoo_client.py')] })),
  },
  {
    id: 'c',
    title: 'C client',
    packages: ['libzookeeper-mt-dev', 'gcc', 'libc6-dev'],
    build: (dir) =>
      compile('gcc', [
        '-O1',
        '-Wall',
        '-Werror',
        '-DTHREADED',
        '-o',
        join(dir, 'c-client'),
        join(SOURCES, 'c/c_client.c'),
        '-lzookeeper_mt',
        '-lpthread',
      ]),
    run: program((dir) => ({ file: join(dir, 'c-client'), args: [] })),
  },
  {
    id: 'cli_mt',
    title: 'cli_mt (C shell)',
    packages: ['zookeeper-bin'],
    build: () => undefined,
    run: (_dir, stage, seen) => runRecorded(CLI_MT, stage.port, false, seen),
    record: (stage, seen) => runRecorded(CLI_MT, stage.port, true, seen),
  },
  {
    id: 'go',
    title: 'go-zookeeper',
    packages: ['golang-github-samuel-go-zookeeper-dev', 'golang-go'],
    build: (dir) =>
      compile('go', ['build', '-o', join(dir, 'go-client'), join(SOURCES, 'go/go_client.go')], {
        GO111MODULE: 'off',
        GOFLAGS: '',
        GOPATH: '/usr/share/gocode',
        GOCACHE: join(dir, 'go-cache'),
      }),
    run: program((dir) => ({ file: join(dir, 'go-client'), args: [] })),
  },
];

function program(command: (dir: string) => Command): Client['run'] {
  return (dir, stage, seen) => {
    const { file, args } = command(dir);
    return runProgram({ file, args: [...args, String(stage.port), String(stage.serverPort)] }, stage, seen);
  };
}

function classPath(): string {
  const jars = readdirSync('/usr/share/java').filter((name) => JAVA_JARS.some((jar) => name === `${jar}.jar`));
  return `${apacheClassPath()}:${jars.map((name) => join('/usr/share/java', name)).join(':')}`;
}

/** Compiles programs of interop/clients/java into `dir`. Throws with what the compiler says. */
export function compileJava(dir: string, files: readonly string[]): void {
  const sources = files.map((name) => join(SOURCES, 'java', name));
  compile('javac', ['-Xlint:-options', '-nowarn', '-encoding', 'UTF-8', '-d', dir, '-cp', classPath(), ...sources]);
}

/** The command that runs a compiled program. */
export function java(dir: string, main: string): Command {
  const quiet = ['-Dfile.encoding=UTF-8', '-Dorg.slf4j.simpleLogger.defaultLogLevel=off', '-XX:TieredStopAtLevel=1'];
  // Without it the clients from 3.9 on don't log in by DIGEST-MD5.
  const args = [...quiet, '-Dzookeeper.fips-mode=false'];
  return { file: 'java', args: [...args, '-cp', `${dir}:${classPath()}`, main] };
}

function compile(file: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  const run = spawnSync(file, args, { encoding: 'utf8', env: { ...process.env, ...env } });
  if (run.error !== undefined) throw run.error;
  if (run.status !== 0) throw new Error(`${file} ${args.join(' ')} failed:\n${run.stderr}${run.stdout}`);
}
