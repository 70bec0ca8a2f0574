// Reads PKCS #12 files, key stores and, as Java writes them, trust stores of certificates alone. Source: RFC 7292, RFC 8018.

import { createDecipheriv, createHash, createHmac, createPrivateKey, type KeyObject, pbkdf2Sync } from 'node:crypto';
import { children, type Element, element, expect, integer, oid, Tag } from './der.js';
import { decryptRc2Cbc } from './rc2.js';

export interface Pkcs12 {
  readonly keys: KeyObject[];
  /** DER of each certificate, in the order of the file. */
  readonly certificates: Buffer[];
}

export class Pkcs12Error extends Error {
  override readonly name = 'Pkcs12Error';
}

const DATA = '1.2.840.113549.1.7.1';
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6';
const KEY_BAG = '1.2.840.113549.1.12.10.1.1';
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2';
const CERT_BAG = '1.2.840.113549.1.12.10.1.3';
const SAFE_CONTENTS_BAG = '1.2.840.113549.1.12.10.1.6';
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1';
const PBES2 = '1.2.840.113549.1.5.13';
const PBKDF2 = '1.2.840.113549.1.5.12';
const PBE_SHA1_3DES = '1.2.840.113549.1.12.1.3';
/** How long the key is, in bytes. */
const PBE_SHA1_RC2: Readonly<Record<string, number>> = { '1.2.840.113549.1.12.1.5': 16, '1.2.840.113549.1.12.1.6': 5 };

const DIGESTS: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};
const HMACS: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.8': 'sha224',
  '1.2.840.113549.2.9': 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
};
const CIPHERS: Readonly<Record<string, { readonly name: string; readonly keyLength: number }>> = {
  '2.16.840.1.101.3.4.1.2': { name: 'aes-128-cbc', keyLength: 16 },
  '2.16.840.1.101.3.4.1.22': { name: 'aes-192-cbc', keyLength: 24 },
  '2.16.840.1.101.3.4.1.42': { name: 'aes-256-cbc', keyLength: 32 },
  '1.2.840.113549.3.7': { name: 'des-ede3-cbc', keyLength: 24 },
};
/** More would keep the start waiting; the usual numbers are 1 to 50,000. */
const MOST_ITERATIONS = 10_000_000;

/** @throws Pkcs12Error on a wrong password or an algorithm that is not read; DerError on a damaged file */
export function readPkcs12(file: Buffer, password: string): Pkcs12 {
  const [, authSafe, mac] = children(element(file, Tag.sequence));
  const contents = data(children(authSafe, Tag.sequence));
  if (mac !== undefined) checkMac(mac, contents, password);
  const found: Pkcs12 = { keys: [], certificates: [] };
  for (const info of children(element(contents, Tag.sequence))) {
    const parts = children(info, Tag.sequence);
    const type = oid(parts[0]);
    if (type === DATA) readBags(data(parts), password, found);
    else if (type === ENCRYPTED_DATA) readBags(decryptedData(parts, password), password, found);
    else throw new Pkcs12Error(`content of type ${type} is not read`);
  }
  return found;
}

// ContentInfo: oid data, [0] { octet string }
function data([type, content]: Element[]): Buffer {
  if (oid(type) !== DATA) throw new Pkcs12Error('only files protected by a password are read');
  return expect(children(content)[0], Tag.octetString).value;
}

// ContentInfo: oid encryptedData, [0] { int version, { oid type, AlgorithmIdentifier, [0] implicit octet string } }
function decryptedData([, content]: Element[], password: string): Buffer {
  const [, info] = children(children(content)[0], Tag.sequence);
  const [, algorithm, encrypted] = children(info, Tag.sequence);
  return decrypt(children(algorithm, Tag.sequence), expect(encrypted).value, password);
}

// SafeContents: sequence of { oid bagId, [0] { value }, set of attributes }
function readBags(safe: Buffer, password: string, found: Pkcs12): void {
  for (const bag of children(element(safe, Tag.sequence))) {
    const [id, wrapped] = children(bag, Tag.sequence);
    const value = expect(children(wrapped)[0], Tag.sequence);
    switch (oid(id)) {
      case KEY_BAG:
        found.keys.push(privateKey(value.bytes));
        break;
      case SHROUDED_KEY_BAG: {
        const [algorithm, encrypted] = children(value);
        found.keys.push(
          privateKey(decrypt(children(algorithm, Tag.sequence), expect(encrypted, Tag.octetString).value, password)),
        );
        break;
      }
      case CERT_BAG: {
        const [type, certificate] = children(value);
        if (oid(type) === X509_CERTIFICATE) {
          found.certificates.push(expect(children(certificate)[0], Tag.octetString).value);
        }
        break;
      }
      case SAFE_CONTENTS_BAG:
        readBags(value.bytes, password, found);
        break;
    }
  }
}

function privateKey(der: Buffer): KeyObject {
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}

function decrypt([algorithm, parameters]: Element[], encrypted: Buffer, password: string): Buffer {
  const id = oid(algorithm);
  const given = children(parameters, Tag.sequence);
  const keyLength = id === PBE_SHA1_3DES ? 24 : PBE_SHA1_RC2[id];
  if (id !== PBES2 && keyLength === undefined) throw new Pkcs12Error(`the encryption ${id} is not read`);
  try {
    if (keyLength === undefined) return decryptPbes2(given, encrypted, password);
    const salt = expect(given[0], Tag.octetString).value;
    const rounds = iterations(given[1]);
    const key = pkcs12Key('sha1', 1, password, salt, rounds, keyLength);
    const iv = pkcs12Key('sha1', 2, password, salt, rounds, 8);
    if (id === PBE_SHA1_3DES) return run('des-ede3-cbc', key, iv, encrypted);
    return unpadded(decryptRc2Cbc(key, iv, encrypted));
  } catch (e) {
    if ((e as { code?: string }).code?.startsWith('ERR_OSSL') !== true) throw e;
    throw new Pkcs12Error('the password is wrong');
  }
}

/** Takes off what fills the last block: as many bytes as they say. */
function unpadded(text: Buffer): Buffer {
  const by = text.at(-1) ?? 0;
  if (by < 1 || by > 8 || text.length < by) throw new Pkcs12Error('the password is wrong');
  return text.subarray(0, -by);
}

// PBES2-params: { oid PBKDF2, { octet string salt, int iterations, [int keyLength], [prf] } }, { oid cipher, octet string iv }
function decryptPbes2([kdf, scheme]: Element[], encrypted: Buffer, password: string): Buffer {
  const [kdfId, kdfParameters] = children(kdf, Tag.sequence);
  if (oid(kdfId) !== PBKDF2) throw new Pkcs12Error(`the key derivation ${oid(kdfId)} is not read`);
  const [salt, rounds, ...optional] = children(kdfParameters, Tag.sequence);
  const prf = optional.find((part) => part.tag === Tag.sequence);
  const hash = prf === undefined ? 'sha1' : HMACS[oid(children(prf)[0])];
  const [cipherId, iv] = children(scheme, Tag.sequence);
  const cipher = CIPHERS[oid(cipherId)];
  if (hash === undefined || cipher === undefined) throw new Pkcs12Error(`the cipher ${oid(cipherId)} is not read`);
  const key = pbkdf2Sync(password, expect(salt, Tag.octetString).value, iterations(rounds), cipher.keyLength, hash);
  return run(cipher.name, key, expect(iv, Tag.octetString).value, encrypted);
}

function run(cipher: string, key: Buffer, iv: Buffer, encrypted: Buffer): Buffer {
  const decipher = createDecipheriv(cipher, key, iv);
  return Buffer.concat([decipher.update(encrypted), decipher.final()]);
}

// MacData: { AlgorithmIdentifier, octet string digest }, octet string salt, [int iterations = 1]
function checkMac(mac: Element, contents: Buffer, password: string): void {
  const [info, salt, rounds] = children(mac, Tag.sequence);
  const [algorithm, digest] = children(info, Tag.sequence);
  const id = oid(children(algorithm, Tag.sequence)[0]);
  const hash = DIGESTS[id];
  if (hash === undefined) throw new Pkcs12Error(`the integrity check ${id} is not read`);
  const length = createHash(hash).digest().length;
  const count = rounds === undefined ? 1 : iterations(rounds);
  const key = pkcs12Key(hash, 3, password, expect(salt, Tag.octetString).value, count, length);
  if (!createHmac(hash, key).update(contents).digest().equals(expect(digest, Tag.octetString).value)) {
    throw new Pkcs12Error('the password is wrong, or the file is damaged');
  }
}

function iterations(found: Element | undefined): number {
  const count = integer(found);
  if (count < 1 || count > MOST_ITERATIONS) throw new Pkcs12Error(`${count} iterations are not acceptable`);
  return count;
}

/** Key derivation of RFC 7292, appendix B.2. `purpose` is 1 for a key, 2 for an initial vector, 3 for a MAC key. */
function pkcs12Key(
  hash: string,
  purpose: number,
  password: string,
  salt: Buffer,
  rounds: number,
  length: number,
): Buffer {
  const block = hash === 'sha384' || hash === 'sha512' ? 128 : 64;
  const text = Buffer.from(`${password}\0`, 'utf16le').swap16();
  const fill = (bytes: Buffer): Buffer => Buffer.alloc(Math.ceil(bytes.length / block) * block, bytes);
  const input = Buffer.concat([fill(salt), fill(text)]);
  const diversifier = Buffer.alloc(block, purpose);
  const out: Buffer[] = [];
  for (let size = 0; size < length; ) {
    let a = createHash(hash).update(diversifier).update(input).digest();
    for (let i = 1; i < rounds; i++) a = createHash(hash).update(a).digest();
    out.push(a);
    size += a.length;
    const b = Buffer.alloc(block, a);
    for (let at = 0; at < input.length; at += block) {
      let carry = 1;
      for (let i = block - 1; i >= 0; i--) {
        carry += (input[at + i] as number) + (b[i] as number);
        input[at + i] = carry & 0xff;
        carry >>= 8;
      }
    }
  }
  return Buffer.concat(out).subarray(0, length);
}
