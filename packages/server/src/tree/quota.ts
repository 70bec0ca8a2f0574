// Quotas: limits and counts kept as text in nodes below /zookeeper/quota. Source: Quotas and StatsTrack of Apache ZooKeeper.

import { PathLengths } from '@nodekeeper/protocol';
import { javaNumber } from './java-number.js';

const QUOTA_ROOT = '/zookeeper/quota';
const LIMITS = '/zookeeper_limits';
const STATS = '/zookeeper_stats';

export const limitsPath = (path: string): string => QUOTA_ROOT + path + LIMITS;
export const statsPath = (path: string): string => QUOTA_ROOT + path + STATS;

/** Apache's servers take the path whose quota this would limit for one that cannot be, and end: now and at every start. */
export const ROOT_LIMITS = QUOTA_ROOT + LIMITS;

/** The path whose quota the node at `path` limits, or undefined if it is no limits node. */
export function limitedPath(path: string): string | undefined {
  return between(path, LIMITS);
}

/** The path whose use the node at `path` counts, or undefined if it is no stats node. */
export function countedPath(path: string): string | undefined {
  return between(path, STATS);
}

function between(path: string, name: string): string | undefined {
  if (!path.startsWith(`${QUOTA_ROOT}/`) || !path.endsWith(name)) return undefined;
  const inner = path.slice(QUOTA_ROOT.length, path.length - name.length);
  return inner === '' ? undefined : inner;
}

/** The numbers of a limits or stats node; -1 where one is missing. */
export interface QuotaNumbers {
  readonly count: number;
  readonly bytes: number;
  readonly countHardLimit: number;
  readonly byteHardLimit: number;
}

/** Reads `count=C,bytes=B=;byteHardLimit=X;countHardLimit=Y`; undefined if Java's StatsTrack cannot. */
export function parseQuota(text: string): QuotaNumbers | undefined {
  const values = new Map<string, number>();
  if (text !== '') {
    for (const pair of javaSplit(text, /[,;]+/)) {
      const [key, given] = javaSplit(pair, /=/);
      if (key === undefined || given === undefined) return undefined;
      const value = given === '' ? -1 : javaNumber(given, 64);
      if (value === undefined) return undefined;
      values.set(key, value);
    }
  }
  return {
    count: values.get('count') ?? -1,
    bytes: values.get('bytes') ?? -1,
    countHardLimit: values.get('countHardLimit') ?? -1,
    byteHardLimit: values.get('byteHardLimit') ?? -1,
  };
}

/** As String.split: empty parts at the end are left out. */
function javaSplit(text: string, separator: RegExp): string[] {
  const parts = text.split(separator);
  while (parts.length > 1 && parts.at(-1) === '') parts.pop();
  return parts.length === 1 && parts[0] === '' && text !== '' ? [] : parts;
}

/**
 * Whether Apache's servers could no longer count in the node at `path` with these data, which are null below 0: they end at the
 * next write below the path that it is for, and whenever they read that again.
 */
export function spoilsCounts(path: string, buf: Buffer, start: number, length: number): boolean {
  if (!path.startsWith(QUOTA_ROOT) || countedPath(path) === undefined) return false;
  return length < 0 || parseQuota(buf.toString('utf8', start, start + length)) === undefined;
}

export function formatStats(count: number, bytes: number): string {
  return `count=${count},bytes=${bytes}`;
}

/** The paths that have a quota. */
export class QuotaPaths {
  private readonly paths = new Set<string>();
  private readonly lengths = new PathLengths();

  add(path: string): void {
    if (!this.paths.has(path)) this.lengths.add(path);
    this.paths.add(path);
  }

  delete(path: string): void {
    if (this.paths.delete(path)) this.lengths.delete(path);
  }

  get size(): number {
    return this.paths.size;
  }

  values(): Iterable<string> {
    return this.paths;
  }

  clear(): void {
    this.paths.clear();
    this.lengths.clear();
  }

  /** The deepest path with a quota at or above `path`, or undefined. The root has none. */
  governing(path: string): string | undefined {
    if (this.paths.size === 0) return undefined;
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      if (!this.lengths.has(end)) continue;
      const prefix = end === path.length ? path : path.slice(0, end);
      if (this.paths.has(prefix)) return prefix;
    }
    return undefined;
  }
}
