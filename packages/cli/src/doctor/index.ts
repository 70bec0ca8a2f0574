// `nodekeeper doctor`: finds out why a client cannot connect, or a quorum does not form.

import { parseServerArguments, UsageError } from '../arguments.js';
import { parseShellArguments } from '../shell/arguments.js';
import { coloursFor } from '../shell/colours.js';
import { failureLine } from '../shell/failure.js';
import { Streams } from '../shell/streams.js';
import { Report } from './findings.js';

export const DOCTOR_USAGE = `Usage: nodekeeper doctor [--config DIR] [ZOO_CFG] [--json]
       nodekeeper doctor -server host:port,…/chroot [options of the shell] [--json]

On the machine of a server: looks at its configuration, myid, ports and who has them, disks and how fast they are, limits,
clock, and at every other member: whether it can be reached, runs, leads, and has the same version and time.

With -server: looks at every server as a client does: name, route, firewall, TLS, state; then opens a session.

Each finding comes with what to do. Exit code 1 if there is a problem.
`;

/** Returns the exit code. */
export async function runDoctor(args: readonly string[]): Promise<number> {
  const streams = new Streams();
  const say = (text: string): void => streams.line(text);
  if (args.some((arg) => /^--?h(elp)?$/.test(arg))) {
    say(DOCTOR_USAGE.trimEnd());
    return 0;
  }
  const report = new Report(say, args.includes('--json'), coloursFor(process.stdout));
  try {
    if (args.some((arg) => /^--?server$/.test(arg))) {
      const { checkClient } = await import('./client.js');
      await checkClient(await parseShellArguments(args), report);
    } else {
      const { checkServer } = await import('./server.js');
      await checkServer(parseServerArguments(args), report);
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    streams.note(failureLine(error, args.includes('--json')));
    return 2;
  }
  return report.end();
}
