// The name in a certificate as the x509 scheme has it: RFC 2253, written as Java's X500Principal.getName() does.

import type { X509Certificate } from 'node:crypto';
import { children, type Element, element, expect, oid, Tag } from './der.js';

/** The attributes that RFC 2253 names; others are written by their numbers. */
const KEYWORDS: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'STREET',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '0.9.2342.19200300.100.1.25': 'DC',
  '0.9.2342.19200300.100.1.1': 'UID',
};
/** UTF8, Printable, Teletex, IA5, General, Universal and BMP strings. */
const STRING_TAGS = new Set([0x0c, 0x13, 0x14, 0x16, 0x1b, 0x1c, 0x1e]);

/** The subject's distinguished name, the most specific part first. */
export function subjectName(certificate: X509Certificate): string {
  // TBSCertificate: [0] version, serial, signature, issuer, validity, subject …
  const [tbs] = children(element(certificate.raw, Tag.sequence));
  const parts = children(tbs, Tag.sequence);
  const subject = parts[parts[0]?.tag === 0xa0 ? 5 : 4];
  return children(subject, Tag.sequence)
    .reverse()
    .map((rdn) => children(rdn, Tag.set).map(attribute).join('+'))
    .join(',');
}

function attribute(pair: Element): string {
  const [type, found] = children(pair, Tag.sequence);
  const value = expect(found);
  const id = oid(type);
  const keyword = KEYWORDS[id];
  if (keyword === undefined || !STRING_TAGS.has(value.tag)) return `${keyword ?? id}=#${value.bytes.toString('hex')}`;
  return `${keyword}=${escaped(value.value.toString('utf8'))}`;
}

function escaped(text: string): string {
  return text
    .replace(/[,=+<>#;"\\]/g, '\\$&')
    .replaceAll('\0', '\\00')
    .replace(/^[ \n]+|[ \n]+$/g, (blanks) => blanks.replace(/[ \n]/g, '\\$&'));
}
