// Counts the reply frames in received bytes without decoding their bodies, so that the driver costs next to nothing.

const NOTIFICATION_XID = -1;
// length (4) + ReplyHeader: int xid, long zxid, int err
const HEADER = 20;

/** Walks over length prefixes; frames and headers may be split anywhere between chunks. */
export class FrameScanner {
  /** Complete replies so far, notifications left out. */
  replies = 0;
  notifications = 0;
  /** Replies whose header told an error, and the first such code. */
  errors = 0;
  firstError = 0;
  private readonly header = Buffer.alloc(HEADER);
  private headerFill = 0;
  private bodyLeft = 0;
  private isNotification = false;

  /** Takes `length` received bytes from the start of `chunk`. */
  feed(chunk: Buffer, length: number): void {
    let pos = 0;
    while (pos < length) {
      if (this.bodyLeft > 0) {
        const taken = Math.min(this.bodyLeft, length - pos);
        this.bodyLeft -= taken;
        pos += taken;
        if (this.bodyLeft === 0) this.finish();
      } else if (this.headerFill === 0 && length - pos >= HEADER) {
        this.begin(chunk, pos);
        pos += HEADER;
      } else {
        const taken = Math.min(HEADER - this.headerFill, length - pos);
        chunk.copy(this.header, this.headerFill, pos, pos + taken);
        this.headerFill += taken;
        pos += taken;
        if (this.headerFill < HEADER) return;
        this.headerFill = 0;
        this.begin(this.header, 0);
      }
    }
  }

  private begin(buf: Buffer, at: number): void {
    const length = buf.readInt32BE(at);
    if (length < HEADER - 4) throw new Error(`a reply frame of ${length} bytes`);
    this.isNotification = buf.readInt32BE(at + 4) === NOTIFICATION_XID;
    const error = buf.readInt32BE(at + 16);
    if (error !== 0) {
      if (this.errors === 0) this.firstError = error;
      this.errors++;
    }
    this.bodyLeft = length - (HEADER - 4);
    if (this.bodyLeft === 0) this.finish();
  }

  private finish(): void {
    if (this.isNotification) this.notifications++;
    else this.replies++;
  }
}
