// Source packages of Debian, whose tests the suites run: fetched and built once, into a folder that is not part of the repository.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installMissing } from '../clients/packages.js';

const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/nodekeeper-suites/', import.meta.url));
const APT = '/etc/apt';

/**
 * A folder that `make` has filled, in this run or an earlier one. Other ingredients (the contents of the files that go into it) make
 * another folder, and so does `fresh`.
 */
export function made(
  name: string,
  ingredients: readonly string[],
  fresh: boolean,
  make: (dir: string) => void,
): string {
  const hash = createHash('sha256').update(ingredients.join('\0')).digest('hex').slice(0, 12);
  const dir = join(CACHE, `${name}-${hash}`);
  if (fresh) rmSync(dir, { recursive: true, force: true });
  if (existsSync(dir)) return dir;
  // Only what is complete has the final name.
  const part = `${dir}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  make(part);
  renameSync(part, dir);
  return dir;
}

/** The folder with the unpacked source package. */
export function sourceOf(name: string, fresh: boolean): string {
  installMissing(['dpkg-dev']);
  const dir = made(`source-${name}`, [], fresh, (into) => fetchSource(name, into));
  const unpacked = readdirSync(dir, { withFileTypes: true }).find((entry) => entry.isDirectory());
  if (unpacked === undefined) throw new Error(`apt-get source ${name} unpacked nothing in ${dir}`);
  return join(dir, unpacked.name);
}

/** Lists and cache of apt are own ones: this machine's know of no sources, and stay as they are. */
function fetchSource(name: string, dir: string): void {
  process.stdout.write(`# fetching the source package ${name}\n`);
  const apt = `${dir}.apt`;
  rmSync(apt, { recursive: true, force: true });
  for (const folder of ['sources', 'lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(apt, folder), { recursive: true });
  }
  for (const [file, text] of sourceLists()) writeFileSync(join(apt, 'sources', file), text);
  const options = [
    ['Dir::Etc::sourcelist', '/dev/null'],
    ['Dir::Etc::sourceparts', join(apt, 'sources')],
    ['Dir::State::lists', join(apt, 'lists')],
    ['Dir::Cache', join(apt, 'cache')],
    // Another user, whom apt would fetch as, may not write here.
    ['APT::Sandbox::User', ''],
  ].flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  try {
    // A repository without sources among the others makes an update fail: what counts is whether the package is found.
    const update = spawnSync('apt-get', [...options, '-qq', 'update'], { encoding: 'utf8' });
    try {
      run('apt-get', [...options, '-qq', 'source', name], dir);
    } catch (e) {
      throw new Error(`${(e as Error).message}\n${update.stderr ?? ''}`);
    }
  } finally {
    rmSync(apt, { recursive: true, force: true });
  }
}

/** This machine's lists of package repositories, turned into lists of the same repositories' sources. */
function sourceLists(): Map<string, string> {
  const lists = new Map<string, string>();
  const parts = join(APT, 'sources.list.d');
  const files = existsSync(parts) ? readdirSync(parts).map((name) => join(parts, name)) : [];
  for (const file of [join(APT, 'sources.list'), ...files]) {
    if (!existsSync(file)) continue;
    const text = readFileSync(file, 'utf8');
    const name = `${lists.size}${file.endsWith('.sources') ? '.sources' : '.list'}`;
    if (file.endsWith('.sources')) lists.set(name, deb822(text));
    else if (file.endsWith('.list')) lists.set(name, oneLine(text));
  }
  return lists;
}

function deb822(text: string): string {
  const stanzas = text.split(/\n\s*\n/).map((stanza) => stanza.replace(/^Types:.*$/im, 'Types: deb-src'));
  return `${stanzas.join('\n\n')}\n`;
}

function oneLine(text: string): string {
  const lines = text.split('\n').filter((line) => /^\s*deb(-src)?\s/.test(line));
  return `${[...new Set(lines.map((line) => line.replace(/^\s*deb(-src)?\s/, 'deb-src ')))].join('\n')}\n`;
}

/** Runs a command of a build to its end. Throws with what it printed if it fails. */
export function run(file: string, args: readonly string[], cwd?: string): void {
  const done = spawnSync(file, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (done.error !== undefined) throw done.error;
  if (done.status !== 0) {
    const said = `${done.stdout}${done.stderr}`.split('\n').slice(-60).join('\n');
    throw new Error(`${file} ${args.join(' ').slice(0, 300)} failed:\n${said}`);
  }
}
