// The server's side of SASL DIGEST-MD5 as Java's library has it, which is the mechanism ZooKeeper clients use with a password.
// Source: RFC 2831; only the protection level `auth` is offered.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** Service and server name of ZooKeeper's client port; the name is the realm, too. */
const SERVICE = 'zookeeper';
const REALM = 'zk-sasl-md5';
const NONCE_BYTES = 30;
/** Clients send less than 500 bytes. */
const LONGEST_TOKEN = 4096;

/** The client did not prove who it is; the message is for the log. */
export class SaslError extends Error {
  override readonly name = 'SaslError';
}

export class DigestMd5 {
  private readonly passwordOf: (user: string) => string | undefined;
  private readonly nonce: string;
  private challenged = false;
  /** Who the client is, once it has proved it. */
  user: string | undefined;

  constructor(passwordOf: (user: string) => string | undefined, nonce = randomBytes(NONCE_BYTES).toString('base64')) {
    this.passwordOf = passwordOf;
    this.nonce = nonce;
  }

  /**
   * Answers a token: the first, whatever it holds, with a challenge, the second with the proof that the server knows the password.
   * @throws SaslError if it proves nothing
   */
  answer(token: Buffer): Buffer {
    if (this.user !== undefined) throw new SaslError('the client is authenticated already');
    if (this.challenged) return this.judge(token);
    this.challenged = true;
    return Buffer.from(`realm="${REALM}",nonce="${this.nonce}",charset=utf-8,algorithm=md5-sess`);
  }

  private judge(token: Buffer): Buffer {
    const given = directives(token);
    const get = (name: string): string => {
      const value = given.get(name);
      if (value === undefined) throw new SaslError(`${name} is missing`);
      return value;
    };
    const user = get('username');
    const qop = given.get('qop') ?? 'auth';
    if ((given.get('realm') ?? '') !== REALM) throw new SaslError(`realm ${given.get('realm')} is not ours`);
    if (get('nonce') !== this.nonce) throw new SaslError('the nonce is not ours');
    if (get('nc') !== '00000001') throw new SaslError('the nonce was used before');
    if (qop !== 'auth') throw new SaslError(`protection ${qop} is not offered`);
    if (get('digest-uri').toLowerCase() !== `${SERVICE}/${REALM}`) throw new SaslError('digest-uri is not ours');
    const password = this.passwordOf(user);
    if (password === undefined) throw new SaslError(`user ${user} is not known`);
    const secret = hash(Buffer.concat([latin1(user), Buffer.from(`:${REALM}:`), latin1(password)]));
    const authzid = given.get('authzid');
    const session = `:${this.nonce}:${get('cnonce')}${authzid === undefined ? '' : `:${authzid}`}`;
    const a1 = hash(Buffer.concat([secret, Buffer.from(session)])).toString('hex');
    const value = (a2: string): string =>
      hash(
        `${a1}:${this.nonce}:${get('nc')}:${get('cnonce')}:${qop}:${hash(a2 + get('digest-uri')).toString('hex')}`,
      ).toString('hex');
    const expected = Buffer.from(value('AUTHENTICATE:'));
    const response = Buffer.from(get('response'));
    if (response.length !== expected.length || !timingSafeEqual(response, expected)) {
      throw new SaslError(`wrong password for user ${user}`);
    }
    this.user = user;
    return Buffer.from(`rspauth=${value(':')}`);
  }
}

function hash(input: string | Buffer): Buffer {
  return createHash('md5').update(input).digest();
}

/** Names and passwords are hashed as Latin-1 if that can express them, RFC 2831, 2.1.2.1. */
function latin1(text: string): Buffer {
  return Buffer.from(text, /^[\0-\xff]*$/.test(text) ? 'latin1' : 'utf8');
}

/** `name=value` pairs, separated by commas, a value in quotes if need be. */
function directives(token: Buffer): Map<string, string> {
  if (token.length > LONGEST_TOKEN) throw new SaslError(`a response of ${token.length} bytes is too long`);
  const utf8 = /(^|,)\s*charset\s*=\s*"?utf-8"?\s*(,|$)/i.test(token.toString('latin1'));
  const text = token.toString(utf8 ? 'utf8' : 'latin1');
  const found = new Map<string, string>();
  const pair = /[,\s]*([a-z-]+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s,"]*))\s*(?=,|$)/giy;
  while (pair.lastIndex < text.length) {
    const match = pair.exec(text);
    if (match === null) throw new SaslError('the response cannot be read');
    const name = (match[1] ?? '').toLowerCase();
    if (found.has(name)) throw new SaslError(`${name} is given twice`);
    found.set(name, match[2]?.replace(/\\(.)/gs, '$1') ?? match[3] ?? '');
  }
  return found;
}
