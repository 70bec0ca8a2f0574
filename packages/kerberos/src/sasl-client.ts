// SASL GSSAPI, the client's side: proves with a ticket who it is, has the service prove who that is, and agrees that what
// follows is not protected. Source: RFC 4752; RFC 4121, 4.1.

import { randomInt } from 'node:crypto';
import { Usage } from './crypto/enctype.js';
import { Key } from './crypto/key.js';
import { KerberosError } from './errors.js';
import {
  type ContextKey,
  frame,
  GSS_CHECKSUM,
  GssFlag,
  gssChecksum,
  TokenId,
  unframe,
  unwrap,
  wrap,
} from './gss-token.js';
import { ApOption, apRequest, authenticator, encrypted, type Moment, momentOf, readApReply } from './messages.js';
import { formatPrincipal } from './principal.js';
import type { ServiceTicket } from './service-ticket.js';

const FLAGS = GssFlag.mutual | GssFlag.replay | GssFlag.sequence | GssFlag.integrity;
const NO_LAYER = 1;
const CHOICE = Buffer.from([NO_LAYER, 0, 0, 0]);
const NOTHING = Buffer.alloc(0);

export class GssapiClient {
  private readonly ticket: ServiceTicket;
  private readonly made: Moment;
  private readonly subkey: Key;
  private readonly ownNumber = randomInt(2 ** 30);
  private serviceNumber = 0;
  private context: ContextKey | undefined;
  private state: 'new' | 'sent' | 'proved' | 'complete' | 'failed' = 'new';

  /** @param now milliseconds since 1970 */
  constructor(ticket: ServiceTicket, now = Date.now()) {
    this.ticket = ticket;
    this.made = momentOf(now);
    this.subkey = Key.random(ticket.key.enctype.id);
  }

  /** Whether the service has proved who it is, and the last token was made. */
  get complete(): boolean {
    return this.state === 'complete';
  }

  /** The first token. */
  first(): Buffer {
    if (this.state !== 'new') throw new KerberosError('the login has begun');
    this.state = 'sent';
    const { client, ticket, key } = this.ticket;
    const proof = authenticator({
      client,
      checksum: { type: GSS_CHECKSUM, bytes: gssChecksum(FLAGS) },
      made: this.made,
      subkey: this.subkey,
      sequenceNumber: this.ownNumber,
    });
    const request = apRequest(ApOption.mutualRequired, ticket, encrypted(key, Usage.authenticator, proof));
    return frame(TokenId.apRequest, request);
  }

  /**
   * Answers a token of the service.
   * @throws KerberosError if it is not the service's, or demands protection
   */
  answer(token: Buffer): Buffer {
    const { state } = this;
    this.state = 'failed';
    if (state === 'sent') return this.judge(token);
    if (state === 'proved') return this.choose(token);
    throw new KerberosError(state === 'complete' ? 'the login is over' : 'the login has failed');
  }

  private judge(token: Buffer): Buffer {
    const reply = readApReply(unframe(TokenId.apReply, token), this.ticket.key, Usage.apReply);
    if (reply.made.time !== this.made.time || reply.made.micros !== this.made.micros) {
      throw new KerberosError('the service answers another request');
    }
    const { subkey } = reply;
    this.context = { key: subkey ?? this.subkey, ofAcceptor: subkey !== undefined };
    this.serviceNumber = reply.sequenceNumber;
    this.state = 'proved';
    return NOTHING;
  }

  private choose(token: Buffer): Buffer {
    if (this.context === undefined) throw new KerberosError('there is no context');
    const offer = unwrap(this.context, 'acceptor', this.serviceNumber, token);
    if (((offer[0] ?? 0) & NO_LAYER) === 0) throw new KerberosError('the service demands a protected connection');
    this.state = 'complete';
    const name = Buffer.from(formatPrincipal(this.ticket.client));
    return wrap(this.context, 'initiator', this.ownNumber, Buffer.concat([CHOICE, name]));
  }
}
