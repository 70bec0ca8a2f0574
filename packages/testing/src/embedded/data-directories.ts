// The directories of embedded servers: they go when the servers are closed, or else with the process. What a killed process has
// left goes when the next one begins.

import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'nodekeeper-test-';
/** As mkdtemp names them. */
const NAME = new RegExp(`^${PREFIX}[A-Za-z0-9]{6}$`);
/** Says whose a directory is. Without it nobody can know, and it stays. */
const OWNER_FILE = 'owner.json';

interface Owner {
  readonly pid: number;
  readonly place: string;
}

/** Directories of this process that are not removed yet. */
const own = new Set<string>();
let hasBegun = false;

/** Makes a directory that is removed with the process at the latest. */
export function makeDirectory(): string {
  if (!hasBegun) {
    hasBegun = true;
    removeLeftOver(tmpdir());
    process.once('exit', () => own.forEach(tryToRemove));
  }
  const dir = mkdtempSync(join(tmpdir(), PREFIX));
  own.add(dir);
  const place = placeOfProcesses();
  if (place !== undefined) writeFileSync(join(dir, OWNER_FILE), JSON.stringify({ pid: process.pid, place }));
  return dir;
}

export function removeDirectory(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
  own.delete(dir);
}

function removeLeftOver(parent: string): void {
  const place = placeOfProcesses();
  const names = readdirSync(parent).filter((name) => NAME.test(name));
  for (const dir of names.map((name) => join(parent, name))) if (isLeftOver(dir, place)) tryToRemove(dir);
}

/** Whether the directory is of a process that certainly runs no more. */
function isLeftOver(dir: string, place: string | undefined): boolean {
  try {
    const stat = lstatSync(dir);
    if (!stat.isDirectory() || stat.uid !== (process.getuid?.() ?? stat.uid)) return false;
    const owner = JSON.parse(readFileSync(join(dir, OWNER_FILE), 'utf8')) as Owner;
    return owner.place === place && Number.isInteger(owner.pid) && owner.pid > 0 && !isRunning(owner.pid);
  } catch {
    return false; // it is gone, or not of this package
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (e) {
    return (e as { code?: string }).code !== 'ESRCH';
  }
}

/** Where a process's number means that process and no other; undefined if that cannot be told. */
function placeOfProcesses(): string | undefined {
  if (process.platform !== 'linux') return hostname();
  try {
    // Containers count their processes for themselves, and may share a directory.
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return undefined;
  }
}

function tryToRemove(dir: string): void {
  try {
    rmSync(dir, { recursive: true, force: true, maxRetries: 3, retryDelay: 20 });
  } catch {
    // Whoever begins next tries again.
  }
}
