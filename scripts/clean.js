// Removes what the build made.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

for (const dir of [...readdirSync('packages').map((name) => join('packages', name)), 'bench', 'interop']) {
  for (const out of ['dist', 'dist-test', 'tsconfig.tsbuildinfo'])
    rmSync(join(dir, out), { recursive: true, force: true });
}
