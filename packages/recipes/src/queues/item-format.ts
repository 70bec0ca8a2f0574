// How Curator lays out the items of a queue's node: several may be in one.
// Source: ItemSerializer of Apache Curator.

import type { Serializer } from '../base/serializer.js';

// int version; for each item: byte 1, int length, bytes; byte 2
const VERSION = 0x00010001;
const ITEM = 1;
const END = 2;

export function encodeItems<T>(items: readonly T[], serializer: Serializer<T>): Buffer {
  const parts: Uint8Array[] = [];
  const head = Buffer.alloc(4);
  head.writeInt32BE(VERSION);
  parts.push(head);
  for (const item of items) {
    const bytes = serializer.serialize(item);
    const itemHead = Buffer.alloc(5);
    itemHead.writeInt8(ITEM);
    itemHead.writeInt32BE(bytes.length, 1);
    parts.push(itemHead, bytes);
  }
  parts.push(Buffer.from([END]));
  return Buffer.concat(parts);
}

/** @throws RangeError, Error for bytes that are no items */
export function decodeItems<T>(bytes: Buffer, serializer: Serializer<T>): T[] {
  if (bytes.readInt32BE(0) !== VERSION) throw new Error(`the version is ${bytes.readInt32BE(0)}, not ${VERSION}`);
  const items: T[] = [];
  for (let at = 4; ; ) {
    const kind = bytes.readInt8(at);
    if (kind === END) return items;
    if (kind !== ITEM) throw new Error(`an item cannot begin with ${kind}`);
    const length = bytes.readInt32BE(at + 1);
    const start = at + 5;
    if (length < 0 || start + length > bytes.length) throw new RangeError(`an item cannot have ${length} bytes`);
    items.push(serializer.deserialize(bytes.subarray(start, start + length)));
    at = start + length;
  }
}
