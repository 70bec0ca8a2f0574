// Stat: what a client learns about a node besides its data. 68 bytes on the wire.

import type { JuteReader } from './reader.js';
import type { JuteWriter } from './writer.js';

// Stat: long czxid, mzxid, ctime, mtime; int version, cversion, aversion; long ephemeralOwner; int dataLength, numChildren; long pzxid
export interface Stat {
  czxid: number;
  mzxid: number;
  /** Milliseconds since 1970. */
  ctime: number;
  mtime: number;
  version: number;
  cversion: number;
  aversion: number;
  ephemeralOwner: bigint;
  dataLength: number;
  numChildren: number;
  pzxid: number;
}

export const STAT_SIZE = 68;

export function readStat(r: JuteReader): Stat {
  return {
    czxid: r.long53(),
    mzxid: r.long53(),
    ctime: r.long53(),
    mtime: r.long53(),
    version: r.int(),
    cversion: r.int(),
    aversion: r.int(),
    ephemeralOwner: r.long(),
    dataLength: r.int(),
    numChildren: r.int(),
    pzxid: r.long53(),
  };
}

export function writeStat(w: JuteWriter, s: Stat): void {
  w.long53(s.czxid).long53(s.mzxid).long53(s.ctime).long53(s.mtime);
  w.int(s.version).int(s.cversion).int(s.aversion).long(s.ephemeralOwner);
  w.int(s.dataLength).int(s.numChildren).long53(s.pzxid);
}
