// Finds replies in what a server sends to a client: frames of an int length, the first of them the connect response
// (int protocolVersion, int timeOut, long sessionId …), the others with a ReplyHeader (int xid, long zxid, int err).

const LENGTH = 4;
const HEADER = 16;

/** A reply to a request, as its header tells. */
export interface ReplyHeader {
  readonly session: bigint;
  readonly xid: number;
  readonly zxid: bigint;
  /** An error code of ZooKeeper's, 0 for none. */
  readonly error: number;
}

/** Follows one connection. What is no stream of frames, as the answer to a four-letter word, has no replies. */
export class ReplyFrames {
  /** Of the connect response; 0 until it was sent. */
  session = 0n;
  private started = false;
  /** Bytes of the current frame that are still to come. */
  private left = 0;

  /**
   * Takes the next bytes of the stream.
   * @param wanted asked for every reply that begins in them; pings, notifications and what clients send unasked are none
   * @returns where the first wanted reply begins; -1 if there is none
   */
  take(bytes: Buffer, wanted: (header: ReplyHeader) => boolean): number {
    let at = Math.min(this.left, bytes.length);
    this.left -= at;
    while (at + LENGTH + HEADER <= bytes.length) {
      const length = bytes.readInt32BE(at);
      const body = at + LENGTH;
      if (!this.started) {
        this.started = true;
        this.session = bytes.readBigUInt64BE(body + 8);
      } else {
        const xid = bytes.readInt32BE(body);
        const header = {
          session: this.session,
          xid,
          zxid: bytes.readBigInt64BE(body + 4),
          error: bytes.readInt32BE(body + 12),
        };
        if (xid >= 0 && wanted(header)) return at;
      }
      const end = body + Math.max(0, length);
      this.left = Math.max(0, end - bytes.length);
      at = Math.min(end, bytes.length);
    }
    return -1;
  }
}
