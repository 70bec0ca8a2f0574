// Shares seeds among processes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));

/** Runs the command once for each part of the seeds; returns its exit code: 0 if every part's was. */
export async function runParallel(
  args: readonly string[],
  first: number,
  count: number,
  jobs: number,
): Promise<number> {
  const size = Math.ceil(count / jobs);
  const codes: Promise<number>[] = [];
  for (let from = first; from < first + count; from += size) {
    const part = ['--seed', String(from), '--seeds', String(Math.min(size, first + count - from)), '--jobs', '1'];
    const child = spawn(process.execPath, [MAIN, ...args, ...part], { stdio: 'inherit' });
    codes.push(once(child, 'exit').then(([code]) => (code === null ? 1 : Number(code))));
  }
  return Math.max(...(await Promise.all(codes)));
}
