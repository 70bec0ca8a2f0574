// The shells that come with ZooKeeper, driven by recorded sessions: zkCli.sh of the Java client, cli_mt of the C client.

import { fileURLToPath } from 'node:url';
import { apacheClassPath } from '../servers/index.js';
import type { ShellKind } from './recorded-shell.js';

const MAIN = fileURLToPath(new URL('../../../packages/cli/bin/nodekeeper.js', import.meta.url));

/** Debian's, or the one of the jars in the folder of NODEKEEPER_APACHE_JARS. */
function zkCli(): string {
  if (process.env.NODEKEEPER_APACHE_JARS === undefined) return '/usr/share/zookeeper/bin/zkCli.sh';
  const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error';
  // JLine would repeat what it reads.
  const jars = apacheClassPath().split(':');
  const path = jars.filter((jar) => !jar.includes('jline')).join(':');
  return `java $CLIENT_JVMFLAGS ${quiet} -cp '${path}' org.apache.zookeeper.ZooKeeperMain`;
}

export const ZKCLI: ShellKind = {
  session: 'zkcli/session.txt',
  command: (port) => `${zkCli()} -server 127.0.0.1:${port}`,
  env: { CLIENT_JVMFLAGS: '-Dfile.encoding=UTF-8 -XX:TieredStopAtLevel=1' },
  // Needs no connection, and is answered at once.
  mark: 'printwatches',
  marked: /^printwatches is (on|off)$/,
  event: /^WatchedEvent /,
  noise: /^(WATCHER::)?$/,
  unordered: /^$/,
  mask: (line) =>
    line
      .replace(/\b0x[0-9a-f]+/g, '0x…')
      .replace(/\b[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \S+ \d{4}/g, '<time>')
      .replace(/(connect 127\.0\.0\.1):\d+/g, '$1:<port>')
      .replace(/^ZooKeeper CLI version: .*/, 'ZooKeeper CLI version: …'),
};

/** This project's shell, which is to print what zkCli prints. */
export const NODEKEEPER_SHELL: ShellKind = {
  ...ZKCLI,
  command: (port) => `${process.execPath} ${MAIN} shell -server 127.0.0.1:${port}`,
  env: {},
};

export const CLI_MT: ShellKind = {
  session: 'c/cli-mt-session.txt',
  command: (port) => `stdbuf -oL /usr/lib/zookeeper/bin/cli_mt 127.0.0.1:${port}`,
  // Answers come in the order of the requests.
  mark: 'sync /mark',
  marked: /^\[\/mark\]: rc = 0$/,
  event: /^Watcher /,
  noise: /^(time = -?\d+ msec|Got a new session id: .*|\tname = \/mark)?$/,
  // The names of children, in the order of a hash table of the server.
  unordered: /^\t[^ =]+$/,
  mask: (line) =>
    line
      .replace(/\b0x[0-9a-f]+/g, '0x…')
      .replace(/(session Id = )[0-9a-f]+/, '$1…')
      .replace(/((?:czxid|mzxid|ephemeralOwner) ?= ?)[1-9a-f][0-9a-f]*/g, '$1…')
      .replace(/\b[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}/g, '<time>'),
};
