// SASL GSSAPI, the service's side: a Kerberos context, then what protection there will be, which is none. Source: RFC 4752.

import type { Accepted, Acceptor } from './acceptor.js';
import { KerberosError } from './errors.js';
import { unwrap, wrap } from './gss-token.js';
import { formatPrincipal } from './principal.js';

/** Tickets of directories carry lists of groups, up to this. */
const LONGEST_TOKEN = 65536;
/** Byte: the layers offered; three bytes: the largest message, 0 as none will be protected. */
const NO_LAYER = 1;
const OFFER = Buffer.from([NO_LAYER, 0, 0, 0]);
const NOTHING = Buffer.alloc(0);

export class GssapiServer {
  private readonly acceptor: Acceptor;
  private accepted: Accepted | undefined;
  private state: 'new' | 'replied' | 'offered' | 'ended' = 'new';
  /** The client's principal, once it has proved it and all is agreed. */
  principal: string | undefined;
  /** As whom it wants to act; the empty name stands for the principal. */
  authorizationId = '';

  constructor(acceptor: Acceptor) {
    this.acceptor = acceptor;
  }

  /**
   * Answers a token; null is the answer to the last.
   * @throws KerberosError if it proves nothing; then, and after the end, every further token fails
   */
  answer(token: Buffer): Buffer | null {
    const { state } = this;
    this.state = 'ended';
    if (token.length > LONGEST_TOKEN) throw new KerberosError(`a token of ${token.length} bytes is too long`);
    if (state === 'ended') throw new KerberosError('the login is over');
    if (state === 'new') return token.length === 0 ? this.begin() : this.judge(token);
    if (state === 'replied') return this.offer();
    return this.agree(token);
  }

  /** A client without a first response is asked for it. */
  private begin(): Buffer {
    this.state = 'new';
    return NOTHING;
  }

  private judge(token: Buffer): Buffer {
    this.accepted = this.acceptor.accept(token);
    if (this.accepted.reply === undefined) return this.offer();
    this.state = 'replied';
    return this.accepted.reply;
  }

  private offer(): Buffer {
    const { context, ownNumber } = this.established;
    this.state = 'offered';
    return wrap(context, 'acceptor', ownNumber, OFFER);
  }

  private agree(token: Buffer): null {
    const { client, context, clientNumber } = this.established;
    const choice = unwrap(context, 'initiator', clientNumber, token);
    if (choice.length < OFFER.length) throw new KerberosError('the choice of a layer is too short');
    if (choice[0] !== NO_LAYER) throw new KerberosError(`layer ${choice[0]} is not offered`);
    this.authorizationId = choice.toString('utf8', OFFER.length);
    this.principal = formatPrincipal(client);
    return null;
  }

  private get established(): Accepted {
    if (this.accepted === undefined) throw new KerberosError('there is no context');
    return this.accepted;
  }
}
