// Removes what the build made.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const dirs = [
  ...readdirSync('packages').map((name) => join('packages', name)),
  'packages/client/cjs',
  'bench',
  'interop',
];
for (const dir of dirs) {
  for (const out of ['dist', 'dist-test', 'bundle', 'tsconfig.tsbuildinfo'])
    rmSync(join(dir, out), { recursive: true, force: true });
}
