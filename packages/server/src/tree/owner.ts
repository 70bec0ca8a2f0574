// What a node's ephemeralOwner says about its kind. Source: EphemeralType of Apache ZooKeeper.

export const OwnerKind = { persistent: 0, ephemeral: 1, container: 2, ttl: 3 } as const;

const CONTAINER_HI = 0x80000000 | 0;

/** Whether owners tell of TTL nodes; also as 3.5.3 wrote them, for which every owner with the sign bit is one. */
export type ExtendedTypes = boolean | '3.5.3';

/** The kind of a stored owner, given as two words. With extended types off, TTL owners count as sessions, as in Apache. */
export function ownerKind(hi: number, lo: number, extendedTypes: ExtendedTypes): number {
  if (hi === 0 && lo === 0) return OwnerKind.persistent;
  if (hi === CONTAINER_HI && lo === 0) return OwnerKind.container;
  if (extendedTypes !== false && (hi >>> 24 === 0xff || (extendedTypes === '3.5.3' && hi < 0))) return OwnerKind.ttl;
  return OwnerKind.ephemeral;
}

/** The high word of a TTL owner: 0xff, two bytes of feature id 0, and the top of the 40-bit time to live. */
export function ttlOwnerHi(ttl: number): number {
  return 0xff000000 | Math.floor(ttl / 4294967296);
}

/** Whether an owner is one of a TTL node and no session's id: those hold the time, where a TTL owner has zeros. */
export function isTtlOwner(owner: bigint): boolean {
  return BigInt.asUintN(64, owner) >> 40n === 0xff0000n;
}

/** The time to live, in milliseconds, of a TTL owner. */
export function ttlOf(hi: number, lo: number): number {
  return (hi & 0xff) * 4294967296 + (lo >>> 0);
}

/** Two words as the session id they stand for. */
export function ownerId(hi: number, lo: number): bigint {
  return (BigInt(hi) << 32n) | BigInt(lo >>> 0);
}
