// Which version a server says it is.

import { ask } from '../ensemble/words.js';

/** Whether the server is of 3.9 or later. */
export async function isFrom39(port: number): Promise<boolean> {
  const version = /^Zookeeper version: (\d+)\.(\d+)\./.exec((await ask(port, 'srvr')) ?? '');
  if (version === null) throw new Error("the server doesn't tell its version by srvr");
  const [, major, minor] = version.map(Number) as [number, number, number];
  return major > 3 || (major === 3 && minor >= 9);
}
