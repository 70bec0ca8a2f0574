// Session ids and passwords, by Apache's formulas, so that any server of an ensemble can check any session.

/**
 * The first id that a server gives out: its own id in the top byte, five bytes of time, two bytes that count.
 * @param serverId 1 for a standalone server
 * @param time milliseconds; only its low 40 bits enter
 */
export function firstSessionId(serverId: number, time: number): bigint {
  let id = BigInt.asIntN(64, BigInt.asUintN(64, BigInt(time) << 24n) >> 8n);
  id = BigInt.asIntN(64, id | (BigInt(serverId) << 56n));
  return id === -(2n ** 63n) ? id + 1n : id;
}

const SECRET = 0xb3415c00n;
const MULTIPLIER = 0x5deece66dn;
const MASK = (1n << 48n) - 1n;

/** The 16 bytes that prove a session: java.util.Random seeded with the id. */
export function sessionPassword(id: bigint): Buffer {
  const out = Buffer.allocUnsafe(16);
  let seed = (id ^ SECRET ^ MULTIPLIER) & MASK;
  for (let i = 0; i < 16; i += 4) {
    seed = (seed * MULTIPLIER + 0xbn) & MASK;
    out.writeInt32LE(Number(BigInt.asIntN(32, seed >> 16n)), i);
  }
  return out;
}

/** Whether the password belongs to the id; id 0 has none. */
export function passwordMatches(id: bigint, password: Buffer | null): boolean {
  return id !== 0n && password !== null && password.equals(sessionPassword(id));
}
