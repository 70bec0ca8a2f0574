// DER, as far as Kerberos uses it: definite lengths, tags of one byte, numbers of up to six bytes. Source: X.690.
// Readers take the bytes of one whole element and never look beyond them, so a damaged length can only fail.

import { KerberosError } from './errors.js';

export const Tag = {
  integer: 0x02,
  bitString: 0x03,
  octets: 0x04,
  oid: 0x06,
  generalString: 0x1b,
  time: 0x18,
  sequence: 0x30,
} as const;

export const application = (n: number): number => 0x60 | n;
const context = (n: number): number => 0xa0 | n;

/** Reads one whole element. */
export type Read<T> = (element: Buffer) => T;

const LONGEST_NUMBER = 6;

interface Head {
  readonly tag: number;
  /** Where the content begins and ends. */
  readonly start: number;
  readonly end: number;
}

function headAt(bytes: Buffer, at: number): Head {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) throw new KerberosError('an element ends early');
  if ((tag & 0x1f) === 0x1f) throw new KerberosError('a tag of several bytes');
  let start = at + 2;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 4 || start + count > bytes.length) throw new KerberosError('a length cannot be read');
    length = bytes.readUIntBE(start, count);
    start += count;
  }
  if (length > bytes.length - start) throw new KerberosError('an element is longer than what holds it');
  return { tag, start, end: start + length };
}

/** The first element of the bytes, with its head, and what is behind it. */
export function firstElement(bytes: Buffer): { readonly tag: number; readonly content: Buffer; readonly rest: Buffer } {
  const { tag, start, end } = headAt(bytes, 0);
  return { tag, content: bytes.subarray(start, end), rest: bytes.subarray(end) };
}

/** The content of the one element that the bytes are; it must have the tag. */
export function contentOf(bytes: Buffer, tag: number): Buffer {
  const { tag: found, content, rest } = firstElement(bytes);
  if (found !== tag) throw new KerberosError(`tag ${found.toString(16)} where ${tag.toString(16)} is expected`);
  if (rest.length > 0) throw new KerberosError('bytes behind an element');
  return content;
}

/** The fields of a sequence, by the number of their tags; unknown ones are left alone, as later versions may add some. */
export class Fields {
  private readonly found = new Map<number, Buffer>();

  constructor(sequence: Buffer) {
    const content = contentOf(sequence, Tag.sequence);
    for (let at = 0; at < content.length; ) {
      const { tag, start, end } = headAt(content, at);
      if (this.found.has(tag)) throw new KerberosError('a field is there twice');
      this.found.set(tag, content.subarray(start, end));
      at = end;
    }
  }

  get<T>(n: number, read: Read<T>): T {
    const element = this.found.get(context(n));
    if (element === undefined) throw new KerberosError(`field ${n} is missing`);
    return read(element);
  }

  optional<T>(n: number, read: Read<T>): T | undefined {
    return this.found.has(context(n)) ? this.get(n, read) : undefined;
  }
}

/** @throws KerberosError if there are more than `most` */
export function listOf<T>(read: Read<T>, most: number): Read<T[]> {
  return (element) => {
    const content = contentOf(element, Tag.sequence);
    const list: T[] = [];
    for (let at = 0; at < content.length; ) {
      if (list.length === most) throw new KerberosError(`a list of more than ${most}`);
      const { end } = headAt(content, at);
      list.push(read(content.subarray(at, end)));
      at = end;
    }
    return list;
  };
}

export function asInteger(element: Buffer): number {
  const content = contentOf(element, Tag.integer);
  if (content.length === 0 || content.length > LONGEST_NUMBER) throw new KerberosError('a number of odd length');
  return content.readIntBE(0, content.length);
}

/** Some senders write the upper half of these as negative numbers (RFC 4120, 5.5.1 on sequence numbers). */
export function asUnsigned32(element: Buffer): number {
  return asInteger(element) >>> 0;
}

export function asOctets(element: Buffer): Buffer {
  return contentOf(element, Tag.octets);
}

/** The first 32 of the flags, the first flag in the highest bit. */
export function asFlags(element: Buffer): number {
  const content = contentOf(element, Tag.bitString);
  const bytes = Buffer.alloc(4);
  content.copy(bytes, 0, 1);
  return bytes.readUInt32BE(0);
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes that are no text are refused: replaced, they could make two names one. */
export function asText(element: Buffer): string {
  try {
    return utf8.decode(contentOf(element, Tag.generalString));
  } catch (error) {
    throw error instanceof KerberosError ? error : new KerberosError('a name that is not UTF-8');
  }
}

/** Milliseconds since 1970. */
export function asTime(element: Buffer): number {
  const text = contentOf(element, Tag.time).toString('latin1');
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) throw new KerberosError('a time cannot be read');
  const [, year, month, day, hour, minute, second] = match.map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** The element with this tag whose content is the parts, one behind the other. */
export function element(tag: number, ...parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from([tag]), lengthBytes(length), ...parts]);
}

function lengthBytes(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  const used = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
  return Buffer.concat([Buffer.from([0x80 | used.length]), used]);
}

/** A sequence of numbered fields; those that are undefined are left out. */
export function sequence(fields: Readonly<Record<number, Buffer | undefined>>): Buffer {
  const parts = Object.entries(fields).flatMap(([n, part]) =>
    part === undefined ? [] : [element(context(Number(n)), part)],
  );
  return element(Tag.sequence, ...parts);
}

export function list(parts: readonly Buffer[]): Buffer {
  return element(Tag.sequence, ...parts);
}

export function integer(value: number): Buffer {
  const bytes = Buffer.alloc(LONGEST_NUMBER);
  bytes.writeIntBE(value, 0, LONGEST_NUMBER);
  let start = 0;
  while (start < LONGEST_NUMBER - 1 && bytes.readInt8(start) === bytes.readInt8(start + 1) >> 7) start++;
  return element(Tag.integer, bytes.subarray(start));
}

export function octets(value: Buffer): Buffer {
  return element(Tag.octets, value);
}

export function flags(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(value >>> 0, 1);
  return element(Tag.bitString, bytes);
}

export function text(value: string): Buffer {
  return element(Tag.generalString, Buffer.from(value));
}

/** Whole seconds are written, of milliseconds since 1970. */
export function time(value: number): Buffer {
  const digits = new Date(value).toISOString().replace(/\.\d+/, '').replace(/[-:T]/g, '');
  return element(Tag.time, Buffer.from(digits));
}
