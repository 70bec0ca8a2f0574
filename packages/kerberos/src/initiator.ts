// A client's tickets: from a keytab or from what kinit left, and from the KDC for each service that it logs in to.

import { randomInt } from 'node:crypto';
import { type Krb5Config, loadKrb5Config, realmOfHost } from './config.js';
import { loadCredentialCache } from './credential-cache.js';
import { KerberosError } from './errors.js';
import { askKdc, kdcsOf } from './kdc.js';
import { asRequest, readAsReply, readTgsReply, type TicketRequest, tgsRequest } from './kdc-messages.js';
import { Keytab } from './keytab.js';
import { formatPrincipal, type Principal, parsePrincipal, samePrincipal } from './principal.js';
import type { ServiceTicket } from './service-ticket.js';

export interface InitiatorOptions {
  /** As whom to log in; needed with a keytab, without one it is whose cache it is. */
  readonly principal?: string;
  /** Path of a file with the key of the principal. */
  readonly keytab?: string;
  /** Path of a credential cache; by default what KRB5CCNAME names, or /tmp/krb5cc_<uid>. */
  readonly cache?: string;
  /** Path of krb5.conf; by default what KRB5_CONFIG names, or /etc/krb5.conf. */
  readonly config?: string;
}

/** A ticket that ends sooner, in milliseconds, is not used any more. */
const MARGIN = 60_000;
/** For how long tickets are asked for, in milliseconds; the KDC gives shorter ones if it is set up so. */
const LIFETIME = 24 * 3_600_000;

/** Where a client's first tickets are. */
interface Source {
  readonly client: Principal;
  /** A ticket for the service that is there already. */
  readonly found: (service: Principal) => ServiceTicket | undefined;
  /** The ticket for the KDC, which gives the others. */
  readonly granting: () => Promise<ServiceTicket>;
}

export class Initiator {
  private readonly options: InitiatorOptions;
  private readonly config: Krb5Config;
  private readonly now: () => number;
  /** By service. */
  private readonly tickets = new Map<string, ServiceTicket>();
  /** By service, the ticket that it has refused last. */
  private readonly refused = new Map<string, Buffer>();

  /**
   * @param now milliseconds since 1970
   * @throws KerberosError if krb5.conf cannot be read
   */
  constructor(options: InitiatorOptions = {}, now: () => number = Date.now) {
    if (options.keytab !== undefined && options.principal === undefined) {
      throw new KerberosError('a keytab needs a principal');
    }
    this.options = options;
    this.config = loadKrb5Config(options.config);
    this.now = now;
  }

  /**
   * A ticket for `service/host` or `service/host@REALM`. Without a realm it is that of the host in krb5.conf, or the client's.
   * @throws KerberosError if there is none
   */
  async ticketFor(service: string): Promise<ServiceTicket> {
    return (await this.obtain(service)).ticket;
  }

  /**
   * As {@link ticketFor}, and whether the KDC gave the ticket just now.
   * @throws KerberosError if there is none
   */
  async obtain(service: string): Promise<{ readonly ticket: ServiceTicket; readonly isNew: boolean }> {
    const { client, found, granting } =
      this.options.keytab === undefined ? this.fromCache() : this.fromKeytab(this.options.keytab);
    const host = /\/([^@]*)$/.exec(service)?.[1] ?? '';
    const principal = parsePrincipal(service, realmOfHost(this.config, host) ?? client.realm);
    if (principal.realm !== client.realm) {
      throw new KerberosError(`${formatPrincipal(principal)} is in another realm than ${formatPrincipal(client)}`);
    }
    const known = this.held(client, principal) ?? found(principal);
    if (known !== undefined) return { ticket: known, isNew: false };
    return { ticket: this.keep(await this.ask(client, principal, await granting())), isNew: true };
  }

  /** To be called when the service does not take the ticket, having got another key for one: the KDC is asked for the next. */
  refuse({ service, ticket }: ServiceTicket): void {
    this.refused.set(formatPrincipal(service), ticket);
  }

  private async ask(client: Principal, service: Principal, granting: ServiceTicket): Promise<ServiceTicket> {
    const wanted = this.request(client, service, granting.end);
    return readTgsReply(await this.askKdc(client, tgsRequest(wanted, granting)), granting, wanted);
  }

  private fromKeytab(path: string): Source {
    const client = parsePrincipal(this.options.principal ?? '', this.config.defaultRealm);
    const service = grantingService(client);
    const granting = async (): Promise<ServiceTicket> => {
      const known = this.held(client, service);
      if (known !== undefined) return known;
      const [newest] = new Keytab(path).keysOf(client);
      if (newest === undefined) throw new KerberosError('no key');
      const wanted = this.request(client, service, this.now() + LIFETIME);
      const reply = await this.askKdc(client, asRequest(wanted, newest.key));
      return this.keep(readAsReply(reply, newest.key, wanted));
    };
    return { client, found: () => undefined, granting };
  }

  /** Read each time: kinit may have been there again. */
  private fromCache(): Source {
    const path = cachePath(this.options.cache);
    const { principal, tickets } = loadCredentialCache(path);
    const found = (service: Principal): ServiceTicket | undefined =>
      tickets.find((ticket) => samePrincipal(ticket.service, service) && this.isGood(ticket));
    const wanted = this.options.principal;
    if (wanted !== undefined && !samePrincipal(principal, parsePrincipal(wanted, this.config.defaultRealm))) {
      throw new KerberosError(`credential cache ${path} is ${formatPrincipal(principal)}'s, not ${wanted}'s`);
    }
    const granting = async (): Promise<ServiceTicket> => {
      const good = found(grantingService(principal));
      if (good === undefined)
        throw new KerberosError(`credential cache ${path} has no ticket that holds; kinit makes one`);
      return good;
    };
    return { client: principal, found, granting };
  }

  private request(client: Principal, service: Principal, till: number): TicketRequest {
    return { client, service, till, nonce: randomInt(2 ** 31), now: this.now() };
  }

  private async askKdc({ realm }: Principal, request: Buffer): Promise<Buffer> {
    return askKdc(await kdcsOf(this.config, realm), request);
  }

  private held(client: Principal, service: Principal): ServiceTicket | undefined {
    const ticket = this.tickets.get(formatPrincipal(service));
    return ticket !== undefined && samePrincipal(ticket.client, client) && this.isGood(ticket) ? ticket : undefined;
  }

  private keep(ticket: ServiceTicket): ServiceTicket {
    this.tickets.set(formatPrincipal(ticket.service), ticket);
    return ticket;
  }

  private isGood({ service, ticket, end }: ServiceTicket): boolean {
    return end - MARGIN > this.now() && this.refused.get(formatPrincipal(service))?.equals(ticket) !== true;
  }
}

function grantingService({ realm }: Principal): Principal {
  return { components: ['krbtgt', realm], realm };
}

function cachePath(given: string | undefined): string {
  const name = given ?? process.env.KRB5CCNAME ?? `/tmp/krb5cc_${process.getuid?.() ?? 0}`;
  const match = /^(?:([A-Z]+):)?(.*)$/s.exec(name);
  if (match?.[1] !== undefined && match[1] !== 'FILE') {
    throw new KerberosError(`credential cache ${name}: only those of type FILE can be read`);
  }
  return match?.[2] ?? name;
}
