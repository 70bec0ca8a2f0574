// What a server process costs, as the Linux kernel tells it.

import { readFileSync } from 'node:fs';

// The kernel's USER_HZ, fixed at 100 on Linux.
const TICKS_PER_SECOND = 100;

/** The CPU time that process `pid` and all of its threads have used, in seconds. Throws if there is no such process. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field, the command, stands in parentheses and may contain anything; utime and stime are fields 14, 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** The resident memory of process `pid` in megabytes (10^6 bytes). Throws if there is no such process. */
export function residentMegabytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  if (kibibytes === undefined) throw new Error(`process ${pid} has no memory any more`);
  return (Number(kibibytes) * 1024) / 1e6;
}
