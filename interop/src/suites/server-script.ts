// The program that a suite's stand-ins start servers with: its arguments are a zoo.cfg and -D flags.

import { writeFileSync } from 'node:fs';
import { apacheClassPath, type Kind, NODEKEEPER } from '../servers/index.js';

const APACHE = 'org.apache.zookeeper.server.quorum.QuorumPeerMain';

/** What is given as --server. */
export function kindOf(given: string): Kind {
  if (given === 'nodekeeper' || given === 'apache') return given;
  throw new Error(`--server: ${given} is neither nodekeeper nor apache`);
}

/** Writes the program; its process becomes the server. */
export function writeServerScript(file: string, server: Kind): void {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own
  const props = '-Dzookeeper.admin.enableServer=false "${@:2}"';
  const command =
    server === 'nodekeeper'
      ? `'${process.execPath}' '${NODEKEEPER}' start-foreground "$1" ${props}`
      : `java -Xmx512m -Dorg.slf4j.simpleLogger.defaultLogLevel=warn ${props} -cp '${apacheClassPath()}' ${APACHE} "$1"`;
  writeFileSync(file, `#!/bin/bash\nexec ${command}\n`, { mode: 0o755 });
}
