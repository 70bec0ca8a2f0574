// The service's side: who a client is that presents a ticket. Source: RFC 4120, 3.2.3, and RFC 4121, 4.1.

import { randomInt } from 'node:crypto';
import { Usage } from './crypto/enctype.js';
import { Key } from './crypto/key.js';
import { KerberosError } from './errors.js';
import { type ContextKey, frame, GSS_CHECKSUM, GssFlag, gssFlags, TokenId, unframe } from './gss-token.js';
import type { KeytabEntry } from './keytab.js';
import {
  ApOption,
  apReply,
  asApRequest,
  asAuthenticator,
  asTicketPart,
  decrypted,
  type Encrypted,
  type TicketPart,
} from './messages.js';
import { formatPrincipal, type Principal, samePrincipal } from './principal.js';
import { ReplayCache } from './replay-cache.js';

/** How far two clocks may be apart, in milliseconds. Source: the default of MIT and Java. */
export const CLOCK_SKEW = 5 * 60_000;
/** Flags of tickets, RFC 4120, 5.3. */
const TicketFlag = { invalid: 0x01000000, transitedChecked: 0x00080000 } as const;

/** A client that has proved who it is, and what its further messages are checked with. */
export interface Accepted {
  readonly client: Principal;
  /** To be sent; undefined if the client does not want the service to prove who it is. */
  readonly reply: Buffer | undefined;
  readonly context: ContextKey;
  /** The number of the client's first message, and of ours. */
  readonly clientNumber: number;
  readonly ownNumber: number;
}

export interface AcceptorOptions {
  /** The service. */
  readonly principal: Principal;
  /** Its keys; may throw KerberosError. */
  readonly keys: () => readonly KeytabEntry[];
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** One for each service, as it remembers who was there. */
export class Acceptor {
  private readonly options: AcceptorOptions;
  private readonly replays = new ReplayCache(2 * CLOCK_SKEW);

  constructor(options: AcceptorOptions) {
    this.options = options;
  }

  get principal(): Principal {
    return this.options.principal;
  }

  /**
   * Judges the first token of a GSS-API context.
   * @throws KerberosError if it does not prove who the client is
   */
  accept(token: Buffer): Accepted {
    const now = this.options.now();
    const request = asApRequest(unframe(TokenId.apRequest, token));
    if (request.options & ApOption.useSessionKey) throw new KerberosError('a ticket for a user, not for a service');
    const { service, part } = request.ticket;
    if (!samePrincipal(service, this.options.principal)) {
      throw new KerberosError(`a ticket for ${printable(service)}, not for ${printable(this.options.principal)}`);
    }
    const ticket = asTicketPart(this.openTicket(part));
    checkTimes(ticket, now);
    checkRealm(ticket, service.realm);
    const a = asAuthenticator(decrypted(request.authenticator, ticket.key, Usage.authenticator));
    if (!samePrincipal(a.client, ticket.client)) throw new KerberosError("a ticket that is another user's");
    const late = now - (a.made.time + a.made.micros / 1000);
    if (Math.abs(late) > CLOCK_SKEW) {
      throw new KerberosError(`the clocks are ${Math.round(Math.abs(late) / 1000)} s apart, more than 300`);
    }
    if (a.checksum?.type !== GSS_CHECKSUM) throw new KerberosError('an authenticator that is not of GSS-API');
    const flags = gssFlags(a.checksum.bytes);
    if (!this.replays.add(request.authenticator.cipher, now)) {
      throw new KerberosError('a login that was there before, or too many in ten minutes to tell');
    }
    formatPrincipal(ticket.client);
    if (!(flags & GssFlag.mutual)) {
      return {
        client: ticket.client,
        reply: undefined,
        context: { key: a.subkey ?? ticket.key, ofAcceptor: false },
        clientNumber: a.sequenceNumber,
        ownNumber: a.sequenceNumber,
      };
    }
    const subkey = Key.random((a.subkey ?? ticket.key).enctype.id);
    const ownNumber = randomInt(2 ** 30);
    const reply = apReply({ made: a.made, subkey, sequenceNumber: ownNumber }, ticket.key, Usage.apReply);
    return {
      client: ticket.client,
      reply: frame(TokenId.apReply, reply),
      context: { key: subkey, ofAcceptor: true },
      clientNumber: a.sequenceNumber,
      ownNumber,
    };
  }

  private openTicket(part: Encrypted): Buffer {
    const { enctype, kvno } = part;
    const ofType = this.options.keys().filter(({ key }) => key.enctype.id === enctype);
    const keys = ofType.filter((entry) => kvno === undefined || entry.kvno === kvno || isShort(entry.kvno, kvno));
    for (const { key } of keys) {
      try {
        return decrypted(part, key, Usage.ticket);
      } catch (error) {
        if (!(error instanceof KerberosError)) throw error;
      }
    }
    throw new KerberosError(
      keys.length > 0
        ? 'a ticket that the keys of the keytab do not open'
        : `a ticket made with key version ${kvno} of encryption type ${enctype}, which is not in the keytab`,
    );
  }
}

/** Old keytabs have the lowest 8 bits only. */
function isShort(own: number, kvno: number): boolean {
  return kvno > 0xff && own === (kvno & 0xff);
}

function checkTimes({ flags, start, end }: TicketPart, now: number): void {
  if (flags & TicketFlag.invalid) throw new KerberosError('a ticket that does not hold yet');
  if (start > now + CLOCK_SKEW) throw new KerberosError('a ticket that does not hold yet');
  if (end < now - CLOCK_SKEW) throw new KerberosError('a ticket that has expired');
}

/** The realms between two others are the KDC's to judge (RFC 4120, 2.7): this side knows nothing of them. */
function checkRealm({ flags, client }: TicketPart, own: string): void {
  if (client.realm !== own && !(flags & TicketFlag.transitedChecked)) {
    throw new KerberosError('a ticket from another realm whose way nobody has checked');
  }
}

function printable({ components, realm }: Principal): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what came from outside must not steer a terminal
  return `${components.join('/')}@${realm}`.slice(0, 200).replace(/[\x00-\x1f\x7f]/g, '?');
}
