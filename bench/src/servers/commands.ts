// How each server is started on a zoo.cfg: Apache's from the jars of Debian's packages, ours from this repository's build.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ServerKind } from './running-server.js';

const JARS =
  /^(zookeeper|zookeeper-jute|slf4j-api|slf4j-simple|netty-[a-z-]+|snappy-java|metrics-core|jackson-[a-z-]+|commons-cli|audience-annotations|jline2?)\.jar$/;

export const REPOSITORY: string = fileURLToPath(new URL('../../../', import.meta.url));

export interface CommandOptions {
  /** The folder of Apache's jars: Debian's packages zookeeper and libzookeeper-java put them into /usr/share/java. */
  readonly jars: string;
  /** Apache's heap, as in -Xmx. */
  readonly heap: string;
}

/** The command line that runs a server in the foreground. Throws if Apache's jars are not there. */
export function startCommand(kind: ServerKind, configFile: string, options: CommandOptions): string[] {
  if (kind === 'ours') {
    return [process.execPath, join(REPOSITORY, 'packages/cli/bin/nodekeeper.js'), 'start-foreground', configFile];
  }
  const jars = readdirSync(options.jars).filter((name) => JARS.test(name));
  if (!jars.includes('zookeeper.jar')) throw new Error(`there is no zookeeper.jar in ${options.jars}`);
  return [
    'java',
    `-Xmx${options.heap}`,
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    '-cp',
    jars.map((name) => join(options.jars, name)).join(':'),
    'org.apache.zookeeper.server.quorum.QuorumPeerMain',
    configFile,
  ];
}
