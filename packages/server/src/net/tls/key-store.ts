// Key stores and trust stores as Apache ZooKeeper's options name them: PEM, PKCS #12 and JKS files.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DerError } from './der.js';
import { JKS_MAGIC, JksError, readJks } from './jks.js';
import { Pkcs12Error, readPkcs12 } from './pkcs12.js';

export interface StoreSettings {
  /** The setting that names the file. */
  readonly option: string;
  readonly path: string;
  readonly password: string;
  /** File whose content is the password, if that is set; it wins over `password`. */
  readonly passwordPath: string | undefined;
}

/** TLS cannot be offered with these settings; the process ends with exit code 2. */
export class TlsError extends Error {
  override readonly name = 'TlsError';
  readonly exitCode = 2;
}

export interface KeyStore {
  readonly key: KeyObject;
  /** The certificate of the key, and those that vouch for it. */
  readonly chain: readonly X509Certificate[];
}

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]+?-----END \1-----/g;
const JCEKS_MAGIC = 0xcececece;

interface Content {
  readonly keys: readonly KeyObject[];
  readonly certificates: readonly X509Certificate[];
}

/** @throws TlsError naming the file, what is wrong, and what to do */
export function readKeyStore(settings: StoreSettings): KeyStore {
  const { keys, certificates } = readStore(settings);
  const fail = (what: string): TlsError => new TlsError(`${settings.path}: ${what} (${settings.option})`);
  if (keys.length === 0) throw fail('there is no private key in it');
  for (const key of keys) {
    const leaf = certificates.find((certificate) => certificate.checkPrivateKey(key));
    if (leaf !== undefined) return { key, chain: chainOf(leaf, certificates) };
  }
  throw fail('there is no certificate for its private key in it');
}

/** @throws TlsError likewise */
export function readTrustStore(settings: StoreSettings): readonly X509Certificate[] {
  const { certificates } = readStore(settings);
  if (certificates.length === 0) {
    throw new TlsError(`${settings.path}: there are no certificates in it (${settings.option})`);
  }
  return certificates;
}

function chainOf(leaf: X509Certificate, all: readonly X509Certificate[]): X509Certificate[] {
  const chain = [leaf];
  for (let last = leaf; !last.checkIssued(last); ) {
    const issuer = all.find((one) => last.checkIssued(one) && !chain.includes(one));
    if (issuer === undefined) break;
    chain.push(issuer);
    last = issuer;
  }
  return chain;
}

function readStore(settings: StoreSettings): Content {
  const { path } = settings;
  const file = read(path);
  const password = settings.passwordPath === undefined ? settings.password : secret(settings.passwordPath);
  const magic = file.length < 4 ? 0 : file.readUInt32BE(0);
  if (magic === JCEKS_MAGIC) {
    throw new TlsError(
      `${path}: this is a JCEKS file; PEM, PKCS12 and JKS are read. Convert it with: ` +
        `keytool -importkeystore -srckeystore ${path} -destkeystore ${path.replace(/\.jks$/, '')}.p12 -deststoretype PKCS12`,
    );
  }
  try {
    if (file.includes('-----BEGIN ')) return readPem(file.toString('latin1'), password);
    const { keys, certificates } = (magic === JKS_MAGIC ? readJks : readPkcs12)(file, password);
    return { keys, certificates: certificates.map((der) => new X509Certificate(der)) };
  } catch (e) {
    if (e instanceof Pkcs12Error || e instanceof JksError) throw new TlsError(`${path}: ${e.message}`);
    if (e instanceof DerError)
      throw new TlsError(`${path}: this is neither a PEM nor a PKCS12 nor a JKS file (${e.message})`);
    throw new TlsError(`${path}: ${(e as Error).message}. Is the password right?`);
  }
}

function readPem(text: string, password: string): Content {
  const keys: KeyObject[] = [];
  const certificates: X509Certificate[] = [];
  for (const [block, label] of text.matchAll(PEM_BLOCK)) {
    if (label === 'CERTIFICATE' || label === 'X509 CERTIFICATE') certificates.push(new X509Certificate(block));
    else if (label?.endsWith('PRIVATE KEY')) keys.push(createPrivateKey({ key: block, passphrase: password }));
  }
  return { keys, certificates };
}

/** The password in a file, without the end of its line. */
function secret(path: string): string {
  return read(path)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (e) {
    throw new TlsError(`${path}: cannot be read: ${(e as Error).message}`);
  }
}
