// Makes packages/cli/bundle from what tsc built: the command in a few files, as loading hundreds of modules is most of a start.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('../', import.meta.url));
const outdir = join(root, 'packages/cli/bundle');
const server = './start-foreground.js';

rmSync(outdir, { recursive: true, force: true });
// The server is bundled by itself: what the other verbs have in common with it would cut it into more files.
const made = await Promise.all([
  bundle({ main: 'packages/cli/dist/main.js' }, [server]),
  bundle({
    'start-foreground': 'packages/cli/dist/start-foreground.js',
    'storage/purge-worker': 'packages/server/dist/storage/purge-worker.js',
  }),
]);
writeFileSync(join(outdir, 'THIRD-PARTY-LICENSES.txt'), thirdParty(made).map(licenseOf).join('\n'));

/** Resolves to the files that went into it. */
async function bundle(input, external = []) {
  // Native code is found by its package.
  const made = await rolldown({ cwd: root, input, platform: 'node', external: ['snappy', ...external] });
  const { output } = await made.write({ dir: outdir, format: 'esm', chunkFileNames: '[name]-[hash].js' });
  return output.flatMap((chunk) => Object.keys(chunk.modules ?? {}));
}

/** The folders of the packages that files are from. */
function thirdParty(files) {
  const dirs = files.flat().flatMap((file) => /[^\0]*node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(file)?.[0] ?? []);
  return [...new Set(dirs)].sort();
}

/** What is to be kept with copies of a package's code. */
function licenseOf(dir) {
  const { name, version, license } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
  const files = readdirSync(dir).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
  if (files.length === 0 && license === undefined) throw new Error(`${name} comes without a license`);
  const texts = files.map((file) => readFileSync(join(dir, file), 'utf8').trim());
  return [`${name} ${version} (${license})`, ...texts, '-'.repeat(80), ''].join('\n\n');
}
