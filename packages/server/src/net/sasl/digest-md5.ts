// SASL DIGEST-MD5, the mechanism by which ZooKeeper's clients and servers log in with a password; both sides.
// Source: RFC 2831, and the JDK's implementation where that decides otherwise. Only the protection level `auth` is there.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const NONCE_BYTES = 30;
/** The JDK's limit. */
const LONGEST_TOKEN = 4096;
/** Nonces are used once, so this is the only count there is; what a client says it is makes no difference. */
const NONCE_COUNT = '00000001';

/** The peer did not prove who it is; the message is for the log. */
export class SaslError extends Error {
  override readonly name = 'SaslError';
}

/** Service and server name, which tell what a login is for; the server name is the realm, too. */
export interface SaslService {
  readonly protocol: string;
  readonly realm: string;
}

export class DigestMd5Server {
  private readonly service: SaslService;
  private readonly passwordOf: (user: string) => string | undefined;
  private readonly nonce: string;
  private state: 'new' | 'challenged' | 'ended' = 'new';
  /** Who the client is, once it has proved it. */
  user: string | undefined;

  constructor(
    service: SaslService,
    passwordOf: (user: string) => string | undefined,
    nonce = randomBytes(NONCE_BYTES).toString('base64'),
  ) {
    this.service = service;
    this.passwordOf = passwordOf;
    this.nonce = nonce;
  }

  /**
   * Answers a token: the first, whatever it holds, with a challenge, the second with the proof that the server knows the password.
   * @throws SaslError if it proves nothing; then, and after the proof, every further token fails
   */
  answer(token: Buffer): Buffer {
    const { state } = this;
    this.state = 'ended';
    if (token.length > LONGEST_TOKEN) throw new SaslError(`a token of ${token.length} bytes is too long`);
    if (state === 'ended') throw new SaslError('the login is over');
    if (state === 'challenged') return this.judge(token);
    this.state = 'challenged';
    return Buffer.from(`realm="${this.service.realm}",nonce="${this.nonce}",charset=utf-8,algorithm=md5-sess`);
  }

  private judge(token: Buffer): Buffer {
    const { protocol, realm } = this.service;
    const given = directives(token.toString());
    const get = (name: string): string => {
      const value = given.get(name);
      if (value === undefined) throw new SaslError(`${name} is missing`);
      return value;
    };
    const user = get('username');
    const uri = get('digest-uri');
    const qop = given.get('qop') ?? 'auth';
    if ((given.get('charset') ?? 'utf-8') !== 'utf-8')
      throw new SaslError(`charset ${given.get('charset')} is not ours`);
    if (given.get('realm') !== realm) throw new SaslError(`realm ${given.get('realm')} is not ours`);
    if (get('nonce') !== this.nonce) throw new SaslError('the nonce is not ours');
    if (qop !== 'auth') throw new SaslError(`protection ${qop} is not offered`);
    if (uri.toLowerCase() !== `${protocol}/${realm}`) throw new SaslError(`digest-uri ${uri} is not ours`);
    const password = this.passwordOf(user);
    if (password === undefined) throw new SaslError(`user ${user} is not known`);
    const authzid = given.get('authzid');
    const proof = { user, password, realm, nonce: this.nonce, cnonce: get('cnonce'), uri, authzid };
    const expected = Buffer.from(responseValue(proof, 'AUTHENTICATE'));
    const response = Buffer.from(get('response'));
    if (response.length !== expected.length || !timingSafeEqual(response, expected)) {
      throw new SaslError(`wrong password for user ${user}`);
    }
    // The identity is the user whose password was proved. An authzid beside it is let pass and ignored.
    this.user = user;
    return Buffer.from(`rspauth=${responseValue(proof, '')}`);
  }
}

export class DigestMd5Client {
  private readonly service: SaslService;
  private readonly user: string;
  private readonly password: string;
  private readonly cnonce: string;
  /** What the server has to answer; undefined while it has not been challenged. */
  private expected: string | undefined;
  /** Whether the server has proved that it knows the password. */
  complete = false;

  constructor(
    service: SaslService,
    user: string,
    password: string,
    cnonce = randomBytes(NONCE_BYTES).toString('base64'),
  ) {
    this.service = service;
    this.user = user;
    this.password = password;
    this.cnonce = cnonce;
  }

  /** The server speaks first. */
  first(): Buffer {
    return Buffer.alloc(0);
  }

  /**
   * Answers the server's challenge with a proof; what follows has to be the server's.
   * @throws SaslError if it is not, or if the challenge asks for what is not there
   */
  answer(token: Buffer): Buffer {
    if (this.complete) throw new SaslError('the login is over');
    const given = directives(token.toString());
    if (this.expected !== undefined) {
      if (given.get('rspauth') !== this.expected) throw new SaslError('the server does not know the password');
      this.complete = true;
      return Buffer.alloc(0);
    }
    const { protocol, realm: name } = this.service;
    const { user, password, cnonce } = this;
    const nonce = given.get('nonce');
    const realm = given.get('realm') ?? name;
    if (nonce === undefined) throw new SaslError('nonce is missing');
    if (given.get('algorithm') !== 'md5-sess') throw new SaslError(`algorithm ${given.get('algorithm')} is not there`);
    if (!(given.get('qop') ?? 'auth').split(/[ \t]*,[ \t]*/).includes('auth')) {
      throw new SaslError(`protection ${given.get('qop')} is not there`);
    }
    const uri = `${protocol}/${name}`;
    const proof = { user, password, realm, nonce, cnonce, uri, authzid: user };
    this.expected = responseValue(proof, '');
    const response = responseValue(proof, 'AUTHENTICATE');
    return Buffer.from(
      `charset=utf-8,username=${quoted(user)},realm=${quoted(realm)},nonce=${quoted(nonce)},nc=${NONCE_COUNT},` +
        `cnonce=${quoted(cnonce)},digest-uri=${quoted(uri)},maxbuf=65536,response=${response},qop=auth,authzid=${quoted(user)}`,
    );
  }
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** What both sides hash, RFC 2831, 2.1.2.1. */
interface Proof {
  readonly user: string;
  readonly password: string;
  readonly realm: string;
  readonly nonce: string;
  readonly cnonce: string;
  readonly uri: string;
  readonly authzid: string | undefined;
}

function responseValue({ user, password, realm, nonce, cnonce, uri, authzid }: Proof, method: string): string {
  const secret = md5(Buffer.concat([latin1(user), Buffer.from(`:${realm}:`), latin1(password)]));
  const session = `:${nonce}:${cnonce}${authzid === undefined ? '' : `:${authzid}`}`;
  const a1 = md5(Buffer.concat([secret, Buffer.from(session)])).toString('hex');
  const a2 = md5(`${method}:${uri}`).toString('hex');
  return md5(`${a1}:${nonce}:${NONCE_COUNT}:${cnonce}:auth:${a2}`).toString('hex');
}

function md5(input: string | Buffer): Buffer {
  return createHash('md5').update(input).digest();
}

/** Names and passwords are hashed as Latin-1 if that can express them. */
function latin1(text: string): Buffer {
  return Buffer.from(text, /^[\0-\xff]*$/.test(text) ? 'latin1' : 'utf8');
}

/** What may be there once only. */
const SINGLE = [
  'username',
  'realm',
  'nonce',
  'cnonce',
  'qop',
  'digest-uri',
  'response',
  'maxbuf',
  'charset',
  'authzid',
];
/** An element of a list of `name=value`, separated by commas or white space, a value in quotes if need be. */
const ELEMENT =
  /[, \t\r\n]*(?:$|([^,= \t\r\n]+)[ \t\r\n]*(?:$|=[ \t\r\n]*(?!$)(?:"((?:\\[\s\S]|[^"\\])*)"|(?!")([^, \t\r\n]*))(?=[, \t\r\n]|$)))/y;

function directives(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (ELEMENT.lastIndex = 0; ELEMENT.lastIndex < text.length; ) {
    const match = ELEMENT.exec(text);
    if (match === null) throw new SaslError('the response cannot be read');
    const name = match[1]?.toLowerCase();
    if (name === undefined) break;
    if (found.has(name) && SINGLE.includes(name)) throw new SaslError(`${name} is given twice`);
    found.set(name, match[2]?.replace(/\\([\s\S])/g, '$1') ?? match[3] ?? '');
  }
  return found;
}
