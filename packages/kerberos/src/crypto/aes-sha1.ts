// aes128-cts-hmac-sha1-96 and aes256-cts-hmac-sha1-96. Source: RFC 3961, section 5.3, and RFC 3962.

import { createCipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { KerberosError } from '../errors.js';
import { BLOCK, decryptCts, encryptCts } from './aes-cts.js';
import type { Enctype } from './enctype.js';
import { nFold } from './n-fold.js';

const MAC_BYTES = 12;
/** The purposes that a usage's keys are derived for. */
const ENCRYPTION = 0xaa;
const INTEGRITY = 0x55;
const CHECKSUM = 0x99;

/** By usage and purpose, of which there are a few: the same for all keys. */
const folded = new Map<number, Buffer>();

function foldedConstant(usage: number, purpose: number): Buffer {
  const constant = Buffer.alloc(5);
  constant.writeUInt32BE(usage);
  constant[4] = purpose;
  const id = constant.readUIntBE(0, 5);
  const known = folded.get(id) ?? nFold(constant, BLOCK);
  folded.set(id, known);
  return known;
}

/** The key for a usage and a purpose. */
export function deriveKey(key: Buffer, usage: number, purpose: number): Buffer {
  const ecb = createCipheriv(`aes-${key.length * 8}-ecb`, key, null).setAutoPadding(false);
  const parts: Buffer[] = [];
  for (let block = foldedConstant(usage, purpose); parts.length * BLOCK < key.length; ) {
    block = ecb.update(block);
    parts.push(block);
  }
  return Buffer.concat(parts).subarray(0, key.length);
}

function mac(key: Buffer, data: Buffer): Buffer {
  return createHmac('sha1', key).update(data).digest().subarray(0, MAC_BYTES);
}

export function aesSha1(id: number, checksumId: number, keyBytes: number): Enctype {
  return {
    id,
    name: `aes${keyBytes * 8}-cts-hmac-sha1-96`,
    keyBytes,
    checksumId,
    checksumBytes: MAC_BYTES,
    encrypt(key, usage, plain, confounder = randomBytes(BLOCK)) {
      const all = Buffer.concat([confounder, plain]);
      const tag = mac(deriveKey(key, usage, INTEGRITY), all);
      return Buffer.concat([encryptCts(deriveKey(key, usage, ENCRYPTION), all), tag]);
    },
    decrypt(key, usage, cipher) {
      const end = cipher.length - MAC_BYTES;
      if (end < BLOCK) throw new KerberosError('encrypted bytes are too few');
      const all = decryptCts(deriveKey(key, usage, ENCRYPTION), cipher.subarray(0, end));
      if (!timingSafeEqual(mac(deriveKey(key, usage, INTEGRITY), all), cipher.subarray(end))) {
        throw new KerberosError('not encrypted with this key');
      }
      return all.subarray(BLOCK);
    },
    checksum: (key, usage, data) => mac(deriveKey(key, usage, CHECKSUM), data),
  };
}
