// What a SASL mechanism does for a client that logs in, whichever it is, and how logins of the client port begin.

import { Acceptor, GssapiServer, KerberosError, type Keytab, type Principal } from '@nodekeeper/kerberos';
import { DigestMd5Server, SaslError, type SaslService } from './digest-md5.js';

/** One client's login. */
export interface SaslLogin {
  /**
   * Answers a token; null stands for no answer.
   * @throws SaslError if it proves nothing
   */
  answer(token: Buffer): Buffer | null;
  /** Who the client is, once it has proved it. */
  readonly user: string | undefined;
}

/** Who may log in with SASL, and how. */
export interface SaslSettings {
  /** Passwords by user, for DIGEST-MD5. */
  readonly users: ReadonlyMap<string, string>;
  /** For GSSAPI; if it is there, it is the only way. */
  readonly kerberos: KerberosSettings | undefined;
  readonly superUsers: ReadonlySet<string>;
  readonly allowFailed: boolean;
}

export interface KerberosSettings {
  readonly principal: Principal;
  readonly keytab: Keytab;
  /** The name in ACLs of a client's principal. */
  readonly names: { nameOf(principal: string): string };
}

/** The names of ZooKeeper's client port in DIGEST-MD5. */
const CLIENT_PORT: SaslService = { protocol: 'zookeeper', realm: 'zk-sasl-md5' };

/**
 * Makes logins.
 * @param now milliseconds since 1970
 */
export function saslLogins({ users, kerberos }: SaslSettings, now: () => number): () => SaslLogin {
  if (kerberos === undefined) return () => new DigestMd5Server(CLIENT_PORT, (user) => users.get(user));
  const { principal, keytab, names } = kerberos;
  const acceptor = new Acceptor({ principal, keys: () => keytab.keysOf(principal), now });
  return () => new KerberosLogin(acceptor, (client) => names.nameOf(client));
}

/**
 * GSSAPI. The user is made from the principal that was proved: as whom a client says it wants to act makes no difference, as
 * with Apache's server.
 */
export class KerberosLogin implements SaslLogin {
  private readonly server: GssapiServer;
  private readonly nameOf: (principal: string, authorizationId: string) => string;
  user: string | undefined;

  /** @param nameOf the user's name; throws if there is none */
  constructor(acceptor: Acceptor, nameOf: (principal: string, authorizationId: string) => string) {
    this.server = new GssapiServer(acceptor);
    this.nameOf = nameOf;
  }

  answer(token: Buffer): Buffer | null {
    try {
      const answer = this.server.answer(token);
      const { principal, authorizationId } = this.server;
      if (principal !== undefined) this.user = this.nameOf(principal, authorizationId);
      return answer;
    } catch (error) {
      throw error instanceof KerberosError ? new SaslError(error.message) : error;
    }
  }
}
