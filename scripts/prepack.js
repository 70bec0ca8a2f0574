// Before a package is packed: nothing is packed that was not built from the sources as they are.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
for (const step of [
  [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-b'],
  [join(root, 'scripts', 'bundle.js')],
]) {
  // What npm prints with --json must stay JSON.
  const { status } = spawnSync(process.execPath, step, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(status ?? 1);
}
