// Reads JKS files, Java's own key stores and, before Java 9, its default. Source: sun.security.provider.JavaKeyStore and
// KeyProtector of OpenJDK.

import { createHash, createPrivateKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { children, element, expect, oid, Tag } from './der.js';

export const JKS_MAGIC = 0xfeedfeed;

export interface Jks {
  readonly keys: KeyObject[];
  /** DER of each certificate, in the order of the file. */
  readonly certificates: Buffer[];
}

export class JksError extends Error {
  override readonly name = 'JksError';
}

const DIGEST_SIZE = 20;
const PRIVATE_KEY = 1;
const CERTIFICATE = 2;
const KEY_PROTECTION = '1.3.6.1.4.1.42.2.17.1.1';

/**
 * Reads the keys, which must have the store's password, and the certificates.
 * @throws JksError on a wrong password or a damaged file; DerError on a damaged key
 */
export function readJks(file: Buffer, password: string): Jks {
  const secret = Buffer.from(password, 'utf16le').swap16();
  checkDigest(file, secret);
  const input = new Input(file.subarray(0, -DIGEST_SIZE));
  const found: Jks = { keys: [], certificates: [] };
  if (input.int() !== JKS_MAGIC) throw new JksError('it is no JKS file');
  const version = input.int();
  if (version !== 1 && version !== 2) throw new JksError(`version ${version} of JKS is not read`);
  const certificate = (): void => {
    if (version === 2) input.text(); // its type, always X.509
    found.certificates.push(input.bytes(input.int()));
  };
  for (let entries = input.int(); entries > 0; entries--) {
    const kind = input.int();
    input.text(); // the alias
    input.bytes(8); // when it was added
    if (kind === PRIVATE_KEY) {
      found.keys.push(privateKey(input.bytes(input.int()), secret));
      for (let chain = input.int(); chain > 0; chain--) certificate();
    } else if (kind === CERTIFICATE) certificate();
    else throw new JksError(`an entry of kind ${kind} is not read`);
  }
  return found;
}

function checkDigest(file: Buffer, secret: Buffer): void {
  const content = file.subarray(0, -DIGEST_SIZE);
  const found = file.subarray(content.length);
  const digest = createHash('sha1').update(secret).update('Mighty Aphrodite').update(content).digest();
  if (found.length < DIGEST_SIZE || !timingSafeEqual(digest, found))
    throw new JksError('the password is wrong, or the file is damaged');
}

// EncryptedPrivateKeyInfo: { { oid, null }, octet string: salt, key xor'ed with a chain of digests, digest of password and key }
function privateKey(info: Buffer, secret: Buffer): KeyObject {
  const [algorithm, wrapped] = children(element(info, Tag.sequence));
  const id = oid(children(algorithm, Tag.sequence)[0]);
  if (id !== KEY_PROTECTION) throw new JksError(`the encryption ${id} of a key is not read`);
  const { value } = expect(wrapped, Tag.octetString);
  if (value.length < 2 * DIGEST_SIZE) throw new JksError('a key is cut short');
  const key = Buffer.from(value.subarray(DIGEST_SIZE, -DIGEST_SIZE));
  const sha1 = (...parts: readonly Buffer[]): Buffer =>
    parts.reduce((hash, part) => hash.update(part), createHash('sha1')).digest();
  let digest = value.subarray(0, DIGEST_SIZE);
  for (let i = 0; i < key.length; i++) {
    if (i % DIGEST_SIZE === 0) digest = sha1(secret, digest);
    key[i] = (key[i] as number) ^ (digest[i % DIGEST_SIZE] as number);
  }
  if (!timingSafeEqual(sha1(secret, key), value.subarray(-DIGEST_SIZE)))
    throw new JksError('a key has another password than the store: give it the same with keytool -keypasswd');
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}

class Input {
  private readonly buf: Buffer;
  private at = 0;

  constructor(buf: Buffer) {
    this.buf = buf;
  }

  bytes(length: number): Buffer {
    const end = this.at + length;
    if (end > this.buf.length) throw new JksError('it is cut short');
    const bytes = this.buf.subarray(this.at, end);
    this.at = end;
    return bytes;
  }

  int(): number {
    return this.bytes(4).readUInt32BE();
  }

  text(): string {
    return this.bytes(this.bytes(2).readUInt16BE()).toString('utf8');
  }
}
