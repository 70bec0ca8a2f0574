// How a client logs in with SASL: by a password, or by a mechanism that the program brings along.

import { DigestMd5, type PasswordLogin } from './sasl-digest-md5.js';

/** A mechanism that is not part of this package; `kerberosLogin` of @nodekeeper/kerberos makes one. */
export interface SaslMechanism {
  /** Its name in the registry of SASL mechanisms. */
  readonly mechanism: string;
  /**
   * Prepares a login to the server of this name in the connect string. If that rejects, the attempt to connect has failed, and the
   * next server is tried.
   */
  begin(host: string): Promise<SaslExchange>;
}

/** One login. Whatever it throws says that the server is not to be trusted, and ends the client. */
export interface SaslExchange {
  /** The first token; empty if the server is to speak first. */
  first(): Uint8Array;
  /** Answers the server's token, null if it sent none; undefined when all is said. */
  answer(token: Buffer | null): Uint8Array | undefined;
  /**
   * Called when the server refuses the login. True if the next one is another, as with a ticket that is got anew: then the next
   * attempt to connect makes it. Without it, and if it is false, a refusal ends the client.
   */
  refused?(): boolean;
}

export type SaslOptions = PasswordLogin | SaslMechanism;

export async function beginLogin(options: SaslOptions, host: string): Promise<SaslExchange> {
  return 'begin' in options ? options.begin(host) : digestExchange(options);
}

function digestExchange(options: PasswordLogin): SaslExchange {
  const digest = new DigestMd5(options);
  let challenged = false;
  return {
    first: () => Buffer.alloc(0),
    answer(token) {
      if (token === null) throw new Error('the server offers no SASL');
      if (challenged && !digest.confirms(token)) throw new Error('the server does not know the password');
      if (challenged) return undefined;
      challenged = true;
      return digest.respond(token);
    },
  };
}
