// Runs a suite's programs: each with the servers that it starts as one group of processes, in a network namespace of its own if
// this machine allows it, because the suites use fixed ports.

import { spawn, spawnSync } from 'node:child_process';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Did not end by itself in time. */
  readonly late: boolean;
  /** What it printed. */
  readonly output: string;
}

export interface Options {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly limitMs: number;
  readonly line?: (line: string) => void;
}

/** In a new namespace the loopback is down; tests look for an address beside its own, of those for documentation. */
const ISOLATE = ['-n', 'sh', '-c', 'ip link set lo up && ip addr add 192.0.2.1/32 dev lo && exec "$@"', 'sh'];
const groups = new Set<number>();
let isolated: boolean | undefined;

/** Whether programs get a network namespace of their own; the first call says so. */
export function isolates(): boolean {
  if (isolated !== undefined) return isolated;
  const root = process.platform === 'linux' && process.getuid?.() === 0;
  isolated = root && spawnSync('unshare', [...ISOLATE, 'true']).status === 0;
  process.stdout.write(
    isolated
      ? '# each program in a network namespace of its own\n'
      : "# no network namespaces (only root on Linux has them): the suite's fixed ports must be free on this machine\n",
  );
  // Detached programs don't hear an interrupt of this one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
  process.once('exit', () => {
    for (const group of groups) killGroup(group);
  });
  return isolated;
}

/** Runs a program to its end or to the limit; servers it leaves behind are ended. */
export function runGroup(file: string, args: readonly string[], options: Options): Promise<Ended> {
  const [command, ...rest] = isolates() ? ['unshare', ...ISOLATE, file, ...args] : [file, ...args];
  const child = spawn(command as string, rest, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own.
    detached: true,
  });
  const group = child.pid;
  if (group !== undefined) groups.add(group);
  let output = '';
  let begun = '';
  const take = (chunk: Buffer): void => {
    output = (output + chunk.toString('latin1')).slice(-2_000_000);
    const lines = (begun + chunk.toString('latin1')).split('\n');
    begun = lines.pop() ?? '';
    for (const line of lines) options.line?.(line);
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  return new Promise((resolve, reject) => {
    let late = false;
    const end = (): void => {
      if (group === undefined) return;
      killGroup(group);
      groups.delete(group);
    };
    const timer = setTimeout(() => {
      late = true;
      end();
    }, options.limitMs);
    child.once('error', reject);
    child.once('exit', end);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, late, output });
    });
  });
}

function killGroup(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {} // all of it has ended
}
