// aes128-cts-hmac-sha256-128 and aes256-cts-hmac-sha384-192. Source: RFC 8009.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { KerberosError } from '../errors.js';
import { BLOCK, decryptCts, encryptCts } from './aes-cts.js';
import type { Enctype } from './enctype.js';

/** The purposes that a usage's keys are derived for. */
const ENCRYPTION = 0xaa;
const INTEGRITY = 0x55;
const CHECKSUM = 0x99;
/** Cipher state of the first message, which is the only one here. */
const STATE = Buffer.alloc(BLOCK);

export function aesSha2(id: number, checksumId: number, keyBytes: 16 | 32): Enctype {
  const hash = keyBytes === 16 ? 'sha256' : 'sha384';
  const macBytes = keyBytes === 16 ? 16 : 24;

  /** KDF-HMAC-SHA2, section 3. */
  const derive = (key: Buffer, usage: number, purpose: number): Buffer => {
    const length = purpose === ENCRYPTION ? keyBytes : macBytes;
    const input = Buffer.alloc(14); // int 1, int usage, byte purpose, byte 0, int bits
    input.writeUInt32BE(1, 0);
    input.writeUInt32BE(usage, 4);
    input[8] = purpose;
    input.writeUInt32BE(length * 8, 10);
    return createHmac(hash, key).update(input).digest().subarray(0, length);
  };
  const mac = (key: Buffer, ...parts: readonly Buffer[]): Buffer =>
    createHmac(hash, key).update(Buffer.concat(parts)).digest().subarray(0, macBytes);

  return {
    id,
    name: `aes${keyBytes * 8}-cts-hmac-${hash}-${macBytes * 8}`,
    keyBytes,
    checksumId,
    checksumBytes: macBytes,
    encrypt(key, usage, plain, confounder = randomBytes(BLOCK)) {
      const cipher = encryptCts(derive(key, usage, ENCRYPTION), Buffer.concat([confounder, plain]));
      return Buffer.concat([cipher, mac(derive(key, usage, INTEGRITY), STATE, cipher)]);
    },
    decrypt(key, usage, cipher) {
      const end = cipher.length - macBytes;
      if (end < BLOCK) throw new KerberosError('encrypted bytes are too few');
      const body = cipher.subarray(0, end);
      if (!timingSafeEqual(mac(derive(key, usage, INTEGRITY), STATE, body), cipher.subarray(end))) {
        throw new KerberosError('not encrypted with this key');
      }
      return decryptCts(derive(key, usage, ENCRYPTION), body).subarray(BLOCK);
    },
    checksum: (key, usage, data) => mac(derive(key, usage, CHECKSUM), data),
  };
}
