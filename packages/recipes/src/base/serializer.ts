// How values become the data of nodes.

/** Turns values into bytes and back. `deserialize` may throw; the recipe then tells of it as `BadData`. */
export interface Serializer<T> {
  serialize(value: T): Uint8Array;
  deserialize(bytes: Buffer): T;
}

export const bytesSerializer: Serializer<Uint8Array> = {
  serialize: (value) => value,
  deserialize: (bytes) => bytes,
};

/** UTF-8. */
export const stringSerializer: Serializer<string> = {
  serialize: (value) => Buffer.from(value),
  deserialize: (bytes) => bytes.toString(),
};

/** JSON in UTF-8. With a `parse`, what was read is checked or made by it: a schema's, for example. */
export function jsonSerializer<T>(parse: (value: unknown) => T = (value) => value as T): Serializer<T> {
  return {
    serialize: (value) => Buffer.from(JSON.stringify(value)),
    deserialize: (bytes) => parse(JSON.parse(bytes.toString())),
  };
}

/** Four bytes, the most significant first: Curator's SharedCount, and kazoo's Counter with `support_curator`. No bytes are 0. */
export const int32Serializer: Serializer<number> = {
  serialize(value) {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return bytes;
  },
  deserialize: (bytes) => (ofLength(bytes, 4) ? bytes.readInt32BE(0) : 0),
};

/** Eight bytes, the most significant first: Curator's DistributedAtomicLong. No bytes are 0. */
export const int64Serializer: Serializer<bigint> = {
  serialize(value) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(value);
    return bytes;
  },
  deserialize: (bytes) => (ofLength(bytes, 8) ? bytes.readBigInt64BE(0) : 0n),
};

/** Decimal digits: kazoo's Counter as it is by default. No bytes are 0. */
export const decimalSerializer: Serializer<bigint> = {
  serialize: (value) => Buffer.from(String(value)),
  deserialize: (bytes) => BigInt(bytes.toString()),
};

/** False if there are none. @throws RangeError if there are others: they are of another kind of number, or of none */
function ofLength(bytes: Buffer, length: number): boolean {
  if (bytes.length !== 0 && bytes.length !== length) throw new RangeError(`${bytes.length} bytes, not ${length}`);
  return bytes.length > 0;
}
