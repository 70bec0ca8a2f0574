// Traffic by namespace, which is the first name of a path: who reads and writes how much, and who is beyond a quota. Measured as
// Apache ZooKeeper does (DataTree.updateReadStat, updateWriteStat), in bytes of path and data.

import { Summary } from './server-stats.js';

/** Anybody can make namespaces; beyond so many they are counted together. */
const MOST = 1000;
/** Bytes of a name; so are those with longer ones. */
const LONGEST = 256;
const OTHERS = '(others)';
/** What a read's reply holds beside path and data. */
const STAT_BYTES = 68;
const SLASH = 0x2f;
const RECENT = 64;

class Namespace {
  readonly name: string;
  readonly bytes: Buffer;
  /** Undefined before the first. */
  reads: Summary | undefined;
  writes: Summary | undefined;
  quotaExceeded: number | undefined;

  constructor(name: string) {
    this.name = name;
    this.bytes = Buffer.from(name);
  }

  is(buf: Buffer, start: number, end: number): boolean {
    const { bytes } = this;
    if (bytes.length !== end - start) return false;
    for (let i = start, k = 0; i < end; i++, k++) if (buf[i] !== bytes[k]) return false;
    return true;
  }
}

export class NamespaceStats {
  private readonly byName = new Map<string, Namespace>();
  /** Those met last, so that most requests make no string; the place comes from length and last byte. */
  private readonly recent: (Namespace | undefined)[] = new Array(RECENT).fill(undefined);

  /** The node at the path in `buf[start, end)` was read; so many bytes of data or names were told. */
  read(buf: Buffer, start: number, end: number, bytes: number): void {
    const found = this.find(buf, start, end);
    if (found === undefined) return;
    found.reads ??= new Summary();
    found.reads.add(end - start + bytes + STAT_BYTES);
  }

  /** The node at the path in `buf[start, end)` was made, changed or deleted; it has so many bytes of new data. */
  written(buf: Buffer, start: number, end: number, bytes: number): void {
    const found = this.find(buf, start, end);
    if (found === undefined) return;
    found.writes ??= new Summary();
    found.writes.add(end - start + bytes);
  }

  quotaExceeded(path: string): void {
    const bytes = Buffer.from(path);
    const found = this.find(bytes, 0, bytes.length);
    if (found !== undefined) found.quotaExceeded = (found.quotaExceeded ?? 0) + 1;
  }

  /** Those that were met, with their counts. */
  values(): Iterable<Namespace> {
    return this.byName.values();
  }

  /** Begins the counts anew; they are still told, as 0. */
  reset(): void {
    for (const namespace of this.byName.values()) {
      namespace.reads?.reset();
      namespace.writes?.reset();
      if (namespace.quotaExceeded !== undefined) namespace.quotaExceeded = 0;
    }
  }

  /** Of the root there is none. */
  private find(buf: Buffer, start: number, pathEnd: number): Namespace | undefined {
    const from = start + 1;
    if (pathEnd <= from || buf[start] !== SLASH) return undefined;
    const longest = Math.min(pathEnd, from + LONGEST + 1);
    let end = from;
    while (end < longest && buf[end] !== SLASH) end++;
    if (end - from > LONGEST) return this.named(OTHERS);
    const place = ((buf[end - 1] as number) + (end - from) * 7) & (RECENT - 1);
    const recent = this.recent[place];
    if (recent?.is(buf, from, end) === true) return recent;
    const found = this.named(buf.toString('utf8', from, end));
    this.recent[place] = found;
    return found;
  }

  private named(name: string): Namespace {
    let found = this.byName.get(name);
    if (found === undefined) {
      const kept = this.byName.size < MOST ? name : OTHERS;
      found = this.byName.get(kept) ?? new Namespace(kept);
      this.byName.set(kept, found);
    }
    return found;
  }
}
