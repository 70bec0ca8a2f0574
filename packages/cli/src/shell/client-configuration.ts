// What Apache's clients are told by the file of properties that -client-configuration names: TLS, and the largest request.

import type { ConnectionOptions } from 'node:tls';
import { parseProperties } from '@nodekeeper/server/config';
import { readKeyStore, readTrustStore, type StoreSettings } from '@nodekeeper/server/key-store';
import { LARGEST_REQUEST, wholeNumber } from '../arguments.js';

/** The file's jute.maxbuffer, in bytes. */
export function maxRequestIn(text: string): number | undefined {
  const value = parseProperties(text).findLast(({ key }) => key === 'jute.maxbuffer')?.value;
  return value === undefined ? undefined : wholeNumber('jute.maxbuffer', value, 1, LARGEST_REQUEST);
}

/** Undefined if the file asks for no TLS. @throws TlsError if a store cannot be read */
export function readClientConfiguration(text: string): ConnectionOptions | undefined {
  const settings = new Map(parseProperties(text).map(({ key, value }) => [key.replace(/^zookeeper\./, ''), value]));
  if (settings.get('client.secure') !== 'true') return undefined;
  const store = (kind: string): StoreSettings | undefined => {
    const option = `ssl.${kind}.location`;
    const path = settings.get(option);
    if (path === undefined) return undefined;
    const password = settings.get(`ssl.${kind}.password`) ?? '';
    return { option, path, password, passwordPath: settings.get(`ssl.${kind}.passwordPath`) };
  };
  const keyStore = store('keyStore');
  const trustStore = store('trustStore');
  const own = keyStore && readKeyStore(keyStore);
  const trusted = trustStore && readTrustStore(trustStore);
  const isUnverified = settings.get('ssl.hostnameVerification') === 'false';
  return {
    ...(own && { key: own.key.export({ type: 'pkcs8', format: 'pem' }), cert: own.chain.map(String).join('\n') }),
    // In Java's trust stores every certificate is an anchor, whoever signed it.
    ...(trusted && { ca: trusted.map(String), allowPartialTrustChain: true }),
    ...(isUnverified && { checkServerIdentity: () => undefined }),
  };
}
