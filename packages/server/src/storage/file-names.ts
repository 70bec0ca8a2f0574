// Names of logs and snapshots: `log.<zxid>` and `snapshot.<zxid>[.gz|.snappy]`, the zxid in lower-case hex. Anything else is not ours.

export type Compression = '' | 'gz' | 'snappy';

export interface SnapshotName {
  readonly file: string;
  readonly zxid: number;
  readonly compression: Compression;
}

const HEX = '(0|[1-9a-f][0-9a-f]*)';
const LOG = new RegExp(`^log\\.${HEX}$`);
const SNAPSHOT = new RegExp(`^snapshot\\.${HEX}(?:\\.(gz|snappy))?$`);

/** Temporary files begin so: Java servers take any `log.…` or `snapshot.…` for the real thing. */
export const TEMPORARY = 'tmp-nodekeeper-';

export const logName = (zxid: number): string => `log.${zxid.toString(16)}`;

export const snapshotName = (zxid: number, compression: Compression): string =>
  `snapshot.${zxid.toString(16)}${compression === '' ? '' : `.${compression}`}`;

/** The zxid in a log's name; undefined if it is no log. */
export function parseLogName(name: string): number | undefined {
  return zxidOf(LOG.exec(name)?.[1]);
}

/** Undefined for what Java's servers take no notice of: more than a positive number of 64 bits. */
function zxidOf(hex: string | undefined): number | undefined {
  if (hex === undefined) return undefined;
  // Not compared as numbers, of which the last 512 below 2^63 are rounded up to it.
  if (hex.length > 16 || (hex.length === 16 && hex >= '8')) return undefined;
  const zxid = Number.parseInt(hex, 16);
  if (zxid > Number.MAX_SAFE_INTEGER) throw new RangeError(`zxid 0x${hex}: epochs from 2097152 on are not supported`);
  return zxid;
}

export function parseSnapshotName(name: string): SnapshotName | undefined {
  const match = SNAPSHOT.exec(name);
  const zxid = zxidOf(match?.[1]);
  return zxid === undefined ? undefined : { file: name, zxid, compression: (match?.[2] ?? '') as Compression };
}

/** The logs among the names, oldest first. */
export function sortedLogs(names: readonly string[]): { readonly file: string; readonly zxid: number }[] {
  const logs: { file: string; zxid: number }[] = [];
  for (const file of names) {
    const zxid = parseLogName(file);
    if (zxid !== undefined) logs.push({ file, zxid });
  }
  return logs.sort((a, b) => a.zxid - b.zxid);
}

/** The snapshots among the names, newest first. */
export function sortedSnapshots(names: readonly string[]): SnapshotName[] {
  const snapshots: SnapshotName[] = [];
  for (const name of names) {
    const parsed = parseSnapshotName(name);
    if (parsed !== undefined) snapshots.push(parsed);
  }
  return snapshots.sort((a, b) => b.zxid - a.zxid);
}
