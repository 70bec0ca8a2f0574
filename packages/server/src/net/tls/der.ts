// Reads DER, the encoding of certificates and key stores. Source: ITU-T X.690.

export const Tag = {
  integer: 0x02,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One element: its tag, its content, and both together as they stand in the input. */
export interface Element {
  readonly tag: number;
  readonly value: Buffer;
  readonly bytes: Buffer;
}

export class DerError extends Error {
  override readonly name = 'DerError';
}

/** The elements that stand one behind the other in `buf`. Throws DerError if they do not end with it. */
export function elements(buf: Buffer): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < buf.length; ) {
    const tag = buf[at] as number;
    if ((tag & 0x1f) === 0x1f) throw new DerError('tags of several bytes are not read');
    let start = at + 2;
    let length = buf[at + 1] ?? -1;
    if (length >= 0x80) {
      const size = length & 0x7f;
      if (size === 0 || size > 4 || start + size > buf.length) throw new DerError('a length that is not DER');
      length = buf.readUIntBE(start, size);
      start += size;
    }
    const end = start + length;
    if (length < 0 || end > buf.length) throw new DerError('an element ends behind its container');
    found.push({ tag, value: buf.subarray(start, end), bytes: buf.subarray(at, end) });
    at = end;
  }
  return found;
}

/** The only element of `buf`. */
export function element(buf: Buffer, tag?: number): Element {
  const [only, ...more] = elements(buf);
  return expect(more.length === 0 ? only : undefined, tag);
}

/** The elements within a sequence or set. */
export function children(parent: Element | undefined, tag?: number): Element[] {
  return elements(expect(parent, tag).value);
}

/** The element, which must be there and, if a tag is given, have it. */
export function expect(found: Element | undefined, tag?: number): Element {
  if (found === undefined) throw new DerError('an element is missing');
  if (tag !== undefined && found.tag !== tag) throw new DerError(`tag ${found.tag} where ${tag} belongs`);
  return found;
}

/** An object identifier in dotted form. */
export function oid(found: Element | undefined): string {
  const { value } = expect(found, Tag.oid);
  const parts: number[] = [];
  let n = 0;
  for (const byte of value) {
    n = n * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      parts.push(n);
      n = 0;
    }
  }
  const first = parts.shift() ?? 0;
  const top = Math.min(2, Math.floor(first / 40));
  return [top, first - 40 * top, ...parts].join('.');
}

/** A small integer. */
export function integer(found: Element | undefined): number {
  const { value } = expect(found, Tag.integer);
  if (value.length === 0 || value.length > 6) throw new DerError('an integer of unexpected size');
  return value.readIntBE(0, value.length);
}
