// Names of protocols and cipher suites, from Java's to OpenSSL's.

import { getCiphers } from 'node:tls';

const TLS13_SUITES = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'];

/** Whether one of the suites is of TLS 1.3. They have one name for all. */
export function hasTls13(names: readonly string[]): boolean {
  return names.some((name) => TLS13_SUITES.includes(name));
}

/** OpenSSL's name of a cipher suite given by that name or by Java's; undefined if it is not there. */
export function cipherSuite(name: string): string | undefined {
  if (TLS13_SUITES.includes(name)) return name;
  const match =
    /^(?:TLS|SSL)_(?:(ECDHE|DHE)_)?(RSA|ECDSA)_WITH_(AES_128|AES_256|CHACHA20)_(GCM|CBC|POLY1305)_(SHA\d*)$/.exec(name);
  let openssl = name;
  if (match !== null) {
    const [, exchange, signature, cipher = '', mode, hash] = match;
    // RSA without a key exchange of its own goes unnamed, as does CBC, and the hash of ChaCha20-Poly1305.
    openssl = [
      ...(exchange === undefined ? [] : [exchange, signature]),
      cipher.replace('_', ''),
      ...(mode === 'CBC' ? [] : [mode]),
      ...(mode === 'POLY1305' ? [] : [hash]),
    ].join('-');
  }
  return getCiphers().includes(openssl.toLowerCase()) ? openssl : undefined;
}
