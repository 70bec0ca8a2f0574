// What envi and /commands/environment tell: Java's names, filled with what Node knows.

import { arch, freemem, hostname, release, tmpdir, totalmem, type } from 'node:os';
import { processUser } from '../process-user.js';

const mb = (bytes: number): string => `${Math.floor(bytes / 1048576)}MB`;

/** @param version the server's, with its build date */
export function environment(version: string): [string, string][] {
  const user = processUser();
  return [
    ['zookeeper.version', version],
    ['host.name', hostname()],
    ['java.version', `node ${process.version}`],
    ['java.vendor', 'Node.js'],
    ['java.home', process.execPath],
    ['java.class.path', process.argv[1] ?? ''],
    ['java.library.path', ''],
    ['java.io.tmpdir', tmpdir()],
    ['java.compiler', `v8 ${process.versions.v8}`],
    ['os.name', type()],
    ['os.arch', arch()],
    ['os.version', release()],
    ['user.name', user.name],
    ['user.home', user.home],
    ['user.dir', process.cwd()],
    ['os.memory.free', mb(freemem())],
    ['os.memory.max', mb(totalmem())],
    ['os.memory.total', mb(process.memoryUsage().rss)],
  ];
}
