// The client's side of SASL DIGEST-MD5, as ZooKeeper uses it: one challenge, one response, one confirmation.
// Source: RFC 2831; the service is `zookeeper`, the realm comes with the challenge.

import { createHash, randomBytes } from 'node:crypto';

export interface PasswordLogin {
  readonly mechanism: 'DIGEST-MD5';
  readonly username: string;
  readonly password: string;
  /** The second half of the digest-uri; `zk-sasl-md5` unless the servers are set up otherwise. */
  readonly serverName?: string | undefined;
}

const NC = '00000001';

export class DigestMd5 {
  private readonly options: PasswordLogin;
  private readonly cnonce: string;
  private expected: string | undefined;

  constructor(options: PasswordLogin, cnonce = randomBytes(16).toString('base64')) {
    this.options = options;
    this.cnonce = cnonce;
  }

  /**
   * Answers the server's challenge.
   * @throws Error if it is no DIGEST-MD5 challenge
   */
  respond(challenge: Buffer): Buffer {
    const fields = parseFields(challenge.toString('utf8'));
    const nonce = fields.get('nonce');
    if (nonce === undefined || fields.get('algorithm') !== 'md5-sess') throw new Error('no DIGEST-MD5 challenge');
    const { username, password, serverName = 'zk-sasl-md5' } = this.options;
    const realm = fields.get('realm') ?? '';
    const uri = `zookeeper/${serverName}`;
    const secret = md5(Buffer.concat([hashed(username), hashed(`:${realm}:`), hashed(password)]));
    const a1 = hex(Buffer.concat([secret, Buffer.from(`:${nonce}:${this.cnonce}:${username}`)]));
    const digest = (a2: string) => hex(`${a1}:${nonce}:${NC}:${this.cnonce}:auth:${hex(a2)}`);
    this.expected = digest(`:${uri}`);
    const response = [
      'charset=utf-8',
      `username=${quote(username)}`,
      `realm=${quote(realm)}`,
      `nonce=${quote(nonce)}`,
      `nc=${NC}`,
      `cnonce=${quote(this.cnonce)}`,
      `digest-uri=${quote(uri)}`,
      'maxbuf=65536',
      `response=${digest(`AUTHENTICATE:${uri}`)}`,
      'qop=auth',
      `authzid=${quote(username)}`,
    ];
    return Buffer.from(response.join(','));
  }

  /** Whether the server has shown that it knows the password too. */
  confirms(token: Buffer): boolean {
    return this.expected !== undefined && parseFields(token.toString('utf8')).get('rspauth') === this.expected;
  }
}

function parseFields(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const match of text.matchAll(/([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^,\s]*))/g)) {
    fields.set(match[1] as string, match[2]?.replace(/\\(.)/g, '$1') ?? (match[3] as string));
  }
  return fields;
}

/** The bytes to hash: Latin-1 if that has all characters, else UTF-8 (RFC 2831, section 2.1.2.1). */
function hashed(text: string): Buffer {
  const isLatin1 = [...text].every((character) => (character.codePointAt(0) ?? 0) < 0x100);
  return Buffer.from(text, isLatin1 ? 'latin1' : 'utf8');
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

function md5(text: string | Buffer): Buffer {
  return createHash('md5').update(text).digest();
}

function hex(text: string | Buffer): string {
  return md5(text).toString('hex');
}
