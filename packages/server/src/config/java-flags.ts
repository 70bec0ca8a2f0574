// The files in which installations of Apache's server have -D options. They are shell scripts, and not run here.

import { dirname, join } from 'node:path';

/** zkServer.sh runs the first two, the scripts of Debian's package and of Puppet's module the third. */
const NAMES = ['java.env', 'zookeeper-env.sh', 'environment'] as const;

export interface JavaFlags {
  readonly file: string;
  /** `jute.maxbuffer`, `zookeeper.snapCount` …, each once. */
  readonly properties: readonly string[];
}

/** What those beside a zoo.cfg set for the Java machine. */
export function javaFlagsBeside(configFile: string, read: (path: string) => string): JavaFlags[] {
  const found: JavaFlags[] = [];
  for (const name of NAMES) {
    const file = join(dirname(configFile), name);
    let text: string;
    try {
      text = read(file);
    } catch {
      continue; // most have none
    }
    const code = text.replace(/^[ \t]*#.*$/gm, '');
    const properties = new Set(Array.from(code.matchAll(/-D([\w.-]+)=/g), ([, property = '']) => property));
    found.push({ file, properties: [...properties] });
  }
  return found;
}
