// AES in CBC mode with ciphertext stealing, the last two blocks always swapped. Source: RFC 3962, section 5.

import { createCipheriv, createDecipheriv } from 'node:crypto';

export const BLOCK = 16;
const ZERO = Buffer.alloc(BLOCK);

/** One block or more. */
export function encryptCts(key: Buffer, plain: Buffer, iv = ZERO): Buffer {
  const cipher = createCipheriv(mode(key, 'cbc'), key, iv).setAutoPadding(false);
  const blocks = Math.ceil(plain.length / BLOCK);
  const padded = Buffer.alloc(blocks * BLOCK);
  plain.copy(padded);
  const out = cipher.update(padded);
  if (blocks === 1) return out;
  const last = (blocks - 1) * BLOCK;
  const head = out.subarray(0, last - BLOCK);
  return Buffer.concat([head, out.subarray(last), out.subarray(last - BLOCK, last)]).subarray(0, plain.length);
}

/** One block or more. */
export function decryptCts(key: Buffer, cipher: Buffer, iv = ZERO): Buffer {
  const blocks = Math.ceil(cipher.length / BLOCK);
  const cbc = createDecipheriv(mode(key, 'cbc'), key, iv).setAutoPadding(false);
  if (blocks === 1) return cbc.update(cipher);
  const last = (blocks - 1) * BLOCK;
  const full = cipher.subarray(last - BLOCK, last);
  // What the last block lost stands in the decrypted one before it, as the plain text ends in zeros there.
  const inner = createDecipheriv(mode(key, 'ecb'), key, null).setAutoPadding(false).update(full);
  const stolen = inner.subarray(cipher.length - last);
  const ordered = Buffer.concat([cipher.subarray(0, last - BLOCK), cipher.subarray(last), stolen, full]);
  return cbc.update(ordered).subarray(0, cipher.length);
}

function mode(key: Buffer, chaining: 'cbc' | 'ecb'): string {
  return `aes-${key.length * 8}-${chaining}`;
}
