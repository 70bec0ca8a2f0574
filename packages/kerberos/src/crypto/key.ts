// A key of one of the encryption types that are known here. The older ones (DES, RC4) are broken, and left out.

import { randomBytes } from 'node:crypto';
import { KerberosError } from '../errors.js';
import { aesSha1 } from './aes-sha1.js';
import { aesSha2 } from './aes-sha2.js';
import type { Enctype } from './enctype.js';

/** The order is that of MIT's and Java's defaults: what every KDC knows comes first. */
export const ENCTYPES: readonly Enctype[] = [
  aesSha1(18, 16, 32),
  aesSha1(17, 15, 16),
  aesSha2(20, 20, 32),
  aesSha2(19, 19, 16),
];

export class Key {
  readonly enctype: Enctype;
  readonly bytes: Buffer;

  /** @throws KerberosError if the type is not known, or the key not as long as its type says */
  constructor(enctype: number, bytes: Buffer) {
    const known = ENCTYPES.find(({ id }) => id === enctype);
    if (known === undefined) throw new KerberosError(`encryption type ${enctype} is not there`);
    if (bytes.length !== known.keyBytes) throw new KerberosError(`a key of ${bytes.length} bytes for ${known.name}`);
    this.enctype = known;
    this.bytes = bytes;
  }

  static random(enctype: number): Key {
    const known = ENCTYPES.find(({ id }) => id === enctype);
    return new Key(enctype, randomBytes(known?.keyBytes ?? 0));
  }

  encrypt(usage: number, plain: Buffer): Buffer {
    return this.enctype.encrypt(this.bytes, usage, plain);
  }

  /** @throws KerberosError if it was not made with this key for this usage */
  decrypt(usage: number, cipher: Buffer): Buffer {
    return this.enctype.decrypt(this.bytes, usage, cipher);
  }

  checksum(usage: number, data: Buffer): Buffer {
    return this.enctype.checksum(this.bytes, usage, data);
  }
}
