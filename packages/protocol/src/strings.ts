// Strings as Java's jute has them: decoded as UTF-8, encoded one UTF-16 unit at a time (so that characters beyond U+FFFF
// become two 3-byte surrogates, CESU-8).

/** The ASCII text that was decoded last, with its bytes: requests tend to name the same path several times in a row. */
let lastText = '';
const lastBytes = new Uint8Array(256);

/** Decodes `buf[start, end)`; short ASCII, which nearly every path is, takes the fast way. */
export function decodeUtf8(buf: Buffer, start: number, end: number): string {
  const length = end - start;
  if (length > lastBytes.length) return decodeLong(buf, start, end);
  if (length === lastText.length && isLast(buf, start, end)) return lastText;
  lastText = '';
  for (let i = start, k = 0; i < end; i++, k++) {
    const byte = buf[i] as number;
    if (byte >= 0x80) return decodeBeyondAscii(buf, start, end);
    lastBytes[k] = byte;
  }
  lastText = buf.toString('latin1', start, end);
  return lastText;
}

/** Whether these are the bytes that were decoded last. Compared from the end: paths differ there. */
function isLast(buf: Buffer, start: number, end: number): boolean {
  for (let i = end - 1, k = end - start - 1; i >= start; i--, k--) if (buf[i] !== lastBytes[k]) return false;
  return true;
}

function decodeLong(buf: Buffer, start: number, end: number): string {
  for (let i = start; i < end; i++) {
    if ((buf[i] as number) >= 0x80) return decodeBeyondAscii(buf, start, end);
  }
  return buf.toString('latin1', start, end);
}

/**
 * Java decodes a surrogate in three bytes (CESU-8, as its encoder writes them), or the first two of its bytes, to one U+FFFD;
 * Node to one for each byte. All else that is invalid both decode alike.
 */
function decodeBeyondAscii(buf: Buffer, start: number, end: number): string {
  let text = '';
  let done = start;
  for (let i = start; i + 1 < end; i++) {
    if (buf[i] !== 0xed || ((buf[i + 1] as number) & 0xe0) !== 0xa0) continue;
    text += `${buf.toString('utf8', done, i)}\ufffd`;
    const whole = i + 2 < end && ((buf[i + 2] as number) & 0xc0) === 0x80;
    done = i + (whole ? 3 : 2);
    i = done - 1;
  }
  return text + buf.toString('utf8', done, end);
}

/** The most bytes that {@link encodeString} writes for one UTF-16 unit. */
export const MOST_BYTES = 3;

/** The number of bytes that {@link encodeString} writes for `s`. */
export function encodedLength(s: string): number {
  let n = s.length;
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    if (c >= 0x80) n += c < 0x800 ? 1 : 2;
  }
  return n;
}

/** Writes `s` at `pos` and returns the position behind it. The caller has made room ({@link encodedLength}). */
export function encodeString(buf: Buffer, pos: number, s: string): number {
  let at = pos;
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    if (c < 0x80) {
      buf[at++] = c;
    } else if (c < 0x800) {
      buf[at++] = 0xc0 | (c >> 6);
      buf[at++] = 0x80 | (c & 0x3f);
    } else {
      buf[at++] = 0xe0 | (c >> 12);
      buf[at++] = 0x80 | ((c >> 6) & 0x3f);
      buf[at++] = 0x80 | (c & 0x3f);
    }
  }
  return at;
}
