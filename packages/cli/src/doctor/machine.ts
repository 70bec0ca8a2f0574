// Checks of the machine that a server runs on, or is to run on: disk, limits, clock, ports.

import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { findPortOwner, isListening, listenAddress } from '../port-owner.js';
import type { ListenPlace } from '../ports.js';
import { isServer } from '../server-process.js';
import type { Report } from './findings.js';

const GIB = 2 ** 30;
/** Below this a log and a snapshot may not find room. */
const FEW_BYTES = GIB;
const FEW_SHARE = 0.1;
const SYNCS = 50;
/** A write waits for the slowest of a quorum; Apache's server warns at 1000 ms. */
const SLOW_SYNC = 20;
const BAD_SYNC = 200;
const FEW_FILES = 4096;
const TMPFS = 0x01021994;
const NFS = 0x6969;
const COMMAND_SHOWN = 100;

/**
 * Of a directory, or of the nearest one above it that exists.
 * @param pid the server's process, if it runs
 */
export function checkDisk(name: string, dir: string, report: Report, pid?: number): void {
  const about = `disk of ${name}`;
  let at = dir;
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  let disk: ReturnType<typeof statfsSync>;
  try {
    disk = statfsSync(at);
  } catch (error) {
    report.problem(about, `cannot be looked at: ${messageOf(error)}`, `Correct ${name}, or its permissions`);
    return;
  }
  const { bavail, bsize, blocks, ffree, files, type } = disk;
  const free = bavail * bsize;
  const share = blocks === 0 ? 1 : bavail / blocks;
  const shown = `${(free / GIB).toFixed(1)} GiB free (${Math.round(share * 100)} %) in ${dir}`;
  if (free < FEW_BYTES) {
    report.problem(
      about,
      shown,
      'Make room: `nodekeeper tools purge` deletes old snapshots and logs; autopurge.purgeInterval=1 does so every hour',
    );
  } else if (share < FEW_SHARE) {
    report.warning(
      about,
      shown,
      'Watch it: a server whose disk is full ends. autopurge.purgeInterval=1 deletes what is old',
    );
  } else report.ok(about, shown);
  if (files > 0 && ffree / files < 0.02) {
    report.warning(about, `only ${ffree} inodes are left`, 'Delete small files on this disk, or use another');
  }
  if (type === TMPFS) {
    report.problem(
      about,
      `${dir} is in memory: all data is gone when the machine restarts`,
      'Set dataDir to a directory on a disk',
    );
  } else if (type === NFS) {
    report.warning(about, `${dir} is on NFS`, 'Use a local disk: a pause of the network is a pause of the server');
  }
  checkSync(about, at, report, pid);
}

/** Writes as the log does, and measures how long it takes until that is on the disk. */
function checkSync(about: string, dir: string, report: Report, pid: number | undefined): void {
  const file = join(dir, `.nodekeeper-doctor-${process.pid}`);
  let fd: number;
  try {
    fd = openSync(file, 'wx', 0o600);
  } catch (error) {
    const user = pid === undefined ? undefined : othersUser(pid);
    if (isRefused(error) && user !== undefined) {
      report.warning(
        about,
        `not measured: the server runs as user ${user}, and this one may not write into ${dir}`,
        `Ask again as that user: sudo -u '#${user}' nodekeeper doctor …`,
      );
    } else report.problem(about, `cannot be written: ${messageOf(error)}`, remedyOf(error, dir));
    return;
  }
  try {
    const times: number[] = [];
    const block = Buffer.alloc(4096, 1);
    for (let i = 0; i < SYNCS; i++) {
      const began = performance.now();
      writeSync(fd, block, 0, block.length, i * block.length);
      fdatasyncSync(fd);
      times.push(performance.now() - began);
    }
    times.sort((a, b) => a - b);
    const [median, worst] = [times[SYNCS / 2] as number, times.at(-1) as number];
    const shown = `a write is durable after ${median.toFixed(1)} ms (the slowest of ${SYNCS}: ${worst.toFixed(1)} ms)`;
    const remedy = 'Put dataLogDir on a disk of its own, best an SSD, that no other program writes to';
    if (median >= BAD_SYNC) report.problem(about, shown, remedy);
    else if (median >= SLOW_SYNC || worst >= BAD_SYNC) report.warning(about, shown, remedy);
    else report.ok(about, shown);
  } catch (error) {
    report.problem(
      about,
      `cannot be written: ${messageOf(error)}`,
      `Make room on the disk of ${dir}, or raise the limit that keeps files small; nodekeeper tools purge deletes old snapshots and logs`,
    );
  } finally {
    closeSync(fd);
    rmSync(file, { force: true });
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function isRefused(error: unknown): boolean {
  return codeOf(error) === 'EACCES' || codeOf(error) === 'EPERM';
}

/** The number of the user whose process it is, if that is another one than this. */
function othersUser(pid: number): number | undefined {
  const { uid } = statSync(`/proc/${pid}`, { throwIfNoEntry: false }) ?? {};
  return uid === process.getuid?.() ? undefined : uid;
}

/** What is to be done where no file can be made in a directory. */
function remedyOf(error: unknown, dir: string): string {
  if (isRefused(error))
    return `Ask again as the user that the server is to run as. If this is it, give it the directory: chown -R ${process.getuid?.() ?? '?'} ${dir}`;
  if (codeOf(error) === 'ENOTDIR') return `Move the file ${dir} away, or set another directory`;
  return `Make it possible to write files into ${dir}, or set another directory`;
}

/** The limit of open files: of the server's process if it runs, else of this one, which a server started here would have. */
export function checkFileLimit(pid: number | undefined, maxConnections: number, report: Report): void {
  const text = readText(`/proc/${pid ?? 'self'}/limits`);
  const limit = /^Max open files\s+(\S+)/m.exec(text ?? '')?.[1];
  if (limit === undefined) return;
  const count = limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
  const whose = pid === undefined ? 'this shell' : `the server (process ${pid})`;
  const shown = `${whose} may open ${limit} files, one for each connection`;
  const needed = Math.max(FEW_FILES, maxConnections + 100);
  if (count >= needed) report.ok('file limit', shown);
  else {
    report.warning(
      'file limit',
      `${shown}; ${needed} are advised`,
      `ulimit -n ${Math.max(needed, 65_536)} before the start, or LimitNOFILE=65536 in its systemd unit`,
    );
  }
}

/** Whether the clock is kept right, as far as systemd knows. */
export function checkClock(report: Report): void {
  const { status, stdout } = spawnSync('timedatectl', ['show', '--property=NTPSynchronized', '--value'], {
    encoding: 'utf8',
    timeout: 3000,
  });
  if (status !== 0) return; // who keeps the clock here is not known
  if (stdout.trim() === 'yes') report.ok('clock', 'it is synchronized');
  else {
    report.warning(
      'clock',
      'it is not synchronized by NTP',
      'timedatectl set-ntp true, or run chrony: times of nodes and logs of several servers are compared by people',
    );
  }
}

/**
 * Whether a port that the server listens on is free, or its own.
 * @param own the server's process, if it runs
 */
export async function checkPort(
  { name, port, host }: ListenPlace,
  own: number | undefined,
  report: Report,
): Promise<void> {
  const address = await listenAddress(host);
  const owner = findPortOwner(port, address);
  const isOpen = owner !== undefined || isListening(port, address);
  if (!isOpen) report.ok(name, `port ${port} is free`);
  else if (own !== undefined && (owner?.pid ?? own) === own)
    report.ok(name, `the server listens on port ${port} (process ${own})`);
  else if (owner === undefined) {
    report.warning(
      name,
      `another user's process listens on port ${port}`,
      `Ask again as root, or as the server's user: sudo ss -ltnp 'sport = :${port}' names it`,
    );
  } else {
    report.problem(
      name,
      `port ${port} is taken by process ${owner.pid} (${shortened(owner.command)})${isServer(owner.command) ? ', a server with another data directory' : ''}`,
      `Stop it (kill ${owner.pid}), or give the server another port in its configuration`,
    );
  }
}

/** Of Java's, which begin with pages of options, the program and the class. */
export function shortened(command: string): string {
  return command.replace(/^(\S*java) .* (\S+Main) .*$/, '$1 … $2').slice(0, COMMAND_SHOWN);
}

export function checkNode(report: Report): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isGood = major > 20 || (major === 20 && minor >= 19);
  if (isGood) report.ok('Node.js', `${process.version}`);
  else report.problem('Node.js', `${process.version}`, 'Install Node.js 20.19 or later');
}

export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
