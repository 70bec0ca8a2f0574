// On what was measured: machine, kernel and versions.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statfsSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from '../servers/commands.js';
import type { ServerKind } from '../servers/running-server.js';

const TMPFS_MAGIC = 0x01021994;

export interface Environment {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memory: string;
  readonly kernel: string;
  readonly servers: Partial<Record<ServerKind, string>>;
  readonly warnings: readonly string[];
}

export function describeEnvironment(
  kinds: readonly ServerKind[],
  options: { jars: string; heap: string; directory: string; connect: string | undefined },
): Environment {
  const servers: Partial<Record<ServerKind, string>> = {};
  for (const kind of kinds) servers[kind] = describeServer(kind, options);
  const inMemory = statfsSync(options.directory).type === TMPFS_MAGIC;
  return {
    date: new Date().toISOString(),
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.cpus().length,
    memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    kernel: `${os.type()} ${os.release()}`,
    servers,
    warnings: inMemory ? [`${options.directory} is in memory: the cost of fsync is not in these figures`] : [],
  };
}

function describeServer(kind: ServerKind, options: { jars: string; heap: string; connect: string | undefined }) {
  if (kind === 'connected') return `the server at ${options.connect}`;
  if (kind === 'ours') {
    const { version } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8'));
    return `Nodekeeper ${version} on Node ${process.version}`;
  }
  const version = readdirSync(options.jars)
    .map((name) => /^zookeeper-(\d.*)\.jar$/.exec(name)?.[1])
    .find((found) => found !== undefined);
  const java = spawnSync('java', ['-version'], { encoding: 'utf8' }).stderr.split('\n')[0].replaceAll('"', '');
  return `Apache ZooKeeper ${version ?? ''} on ${java}, -Xmx${options.heap}`;
}
