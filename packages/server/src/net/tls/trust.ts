// Whether a certificate is trusted, as Java sees it. OpenSSL takes one whose issuer has its own name for self-signed and looks no
// further; Java looks whether an anchor of that name signed it. Some scripts give all certificates one name, those of Apache's C
// client among them. Source: PKIXValidator and EndEntityChecker of Java.

import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

/** What a certificate is shown for: its owner's role. */
export type Role = 'client' | 'server';

const ANY_USAGE = '2.5.29.37.0';
const USAGE: Readonly<Record<Role, string>> = { client: '1.3.6.1.5.5.7.3.2', server: '1.3.6.1.5.5.7.3.1' };

/**
 * Why the other end's certificate is not trusted; undefined if it is.
 * @param anchors the certificates of the trust store
 */
export function distrust(
  socket: TLSSocket,
  certificate: X509Certificate,
  role: Role,
  anchors: readonly X509Certificate[],
): string | undefined {
  if (socket.authorized) return undefined;
  const error = String(socket.authorizationError);
  // One with the name and key of one in the trust store, itself mostly, is trusted whatever its dates and issuer.
  const same = (anchor: X509Certificate): boolean =>
    anchor.subject === certificate.subject && anchor.publicKey.equals(certificate.publicKey);
  if (anchors.some(same)) return mayBeUsed(certificate, role) ? undefined : 'INVALID_PURPOSE';
  if (error !== 'DEPTH_ZERO_SELF_SIGNED_CERT') return error;
  const issued = anchors.some((anchor) => certificate.checkIssued(anchor) && certificate.verify(anchor.publicKey));
  if (!issued) return error;
  const now = Date.now();
  if (now < Date.parse(certificate.validFrom)) return 'CERT_NOT_YET_VALID';
  if (now > Date.parse(certificate.validTo)) return 'CERT_HAS_EXPIRED';
  return mayBeUsed(certificate, role) ? undefined : 'INVALID_PURPOSE';
}

function mayBeUsed(certificate: X509Certificate, role: Role): boolean {
  const usages: readonly string[] | undefined = certificate.keyUsage;
  return usages === undefined || usages.includes(USAGE[role]) || usages.includes(ANY_USAGE);
}
