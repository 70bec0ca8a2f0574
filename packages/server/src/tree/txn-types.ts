// Layout of a log entry's header, which is also a proposal's.
// TxnHeader: long clientId, int cxid, long zxid, long time (ms since 1970), int type

export const TXN_HEADER_SIZE = 32;
/** TxnDigest: int version, long digest. Stands behind every transaction but error ones. */
export const TXN_DIGEST_SIZE = 12;

export const TxnHeaderAt = { clientId: 0, cxid: 8, zxid: 12, time: 20, type: 28 } as const;

/** When the transaction was made, in milliseconds since 1970. */
export function timeOf(buf: Buffer, start: number): number {
  return buf.readInt32BE(start + TxnHeaderAt.time) * 4294967296 + buf.readUInt32BE(start + TxnHeaderAt.time + 4);
}

/** The zxid in a header that begins at `start`. */
export function zxidOf(buf: Buffer, start: number): number {
  return buf.readInt32BE(start + TxnHeaderAt.zxid) * 4294967296 + buf.readUInt32BE(start + TxnHeaderAt.zxid + 4);
}
