// Whether a certificate is for the host it came from. Source: ZKTrustManager of Apache ZooKeeper.

import type { X509Certificate } from 'node:crypto';
import { lookupService, reverse } from 'node:dns/promises';
import { isIP } from 'node:net';

/**
 * Whether the certificate names the address or, where that is known, the name by which the host was dialled, or else, with
 * `reverseDns`, a name that the DNS or the system (/etc/hosts) has for the address.
 * @param address undefined once the peer is gone
 */
export async function namesHost(
  certificate: X509Certificate,
  address: string | undefined,
  reverseDns: boolean,
  name?: string,
): Promise<boolean> {
  if (address === undefined) return false;
  const plain = address.replace(/^::ffff:(?=.*\.)/, '').replace(/%.*/, ''); // no certificate has a zone
  if (certificate.checkIP(plain) !== undefined || certificate.checkHost(plain) !== undefined) return true;
  if (name !== undefined && isIP(name) === 0) return certificate.checkHost(name) !== undefined;
  if (!reverseDns) return false;
  const names = await reverse(plain).catch((): string[] => []);
  if (names.some((one) => certificate.checkHost(one) !== undefined)) return true;
  // Of a line of /etc/hosts the former tells all names but the first.
  const { hostname } = await lookupService(plain, 0).catch(() => ({ hostname: plain }));
  return certificate.checkHost(hostname) !== undefined;
}
