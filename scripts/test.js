// Runs every compiled test file below the given folders with Node's own runner, the same way on every Node version.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const files = [];
function collect(dir) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    if (entry.name === 'node_modules') continue;
    const path = join(dir, entry.name);
    if (entry.isDirectory()) collect(path);
    else if (path.includes('dist-test') && entry.name.endsWith('.test.js')) files.push(path);
  }
}
for (const dir of process.argv.slice(2)) collect(dir);
if (files.length === 0) throw new Error('no compiled tests found; run `npm run build` first');
// Tests wait more than they work: Node's own choice, a file less than there are cores, leaves most of the machine idle.
const atOnce = `--test-concurrency=${2 * availableParallelism()}`;
// A file that waits without end shall fail under its name, and not hold up the rest for good.
const limit = '--test-timeout=480000';
const run = spawnSync(process.execPath, ['--test', atOnce, limit, ...files.sort()], { stdio: 'inherit' });
process.exit(run.status ?? 1);
