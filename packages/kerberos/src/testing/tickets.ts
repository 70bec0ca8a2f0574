// Tickets and keytabs without a KDC, for tests of what is done with them.

import { randomInt } from 'node:crypto';
import { Usage } from '../crypto/enctype.js';
import { Key } from '../crypto/key.js';
import { application, element, flags, integer, octets, sequence, text, time } from '../der.js';
import type { KeytabEntry } from '../keytab.js';
import { encrypted, keyElement, type TicketPart, Type, VERSION } from '../messages.js';
import { type Principal, principalName } from '../principal.js';
import type { ServiceTicket } from '../service-ticket.js';

const HOURS = 3_600_000;

/** A ticket as a KDC makes it, by default one that holds from an hour ago for ten hours, with a fresh session key. */
export function issueTicket(service: KeytabEntry, client: Principal, part: Partial<TicketPart> = {}): ServiceTicket {
  const now = Date.now();
  const key = Key.random(service.key.enctype.id);
  const whole = { flags: 0, key, client, start: now - HOURS, end: now + 9 * HOURS, ...part };
  const ticket = sequence({
    0: integer(VERSION),
    1: text(service.principal.realm),
    2: principalName(service.principal.components),
    3: encrypted(service.key, Usage.ticket, ticketPart(whole), service.kvno),
  });
  const bytes = element(application(Type.ticket), ticket);
  return { client, service: service.principal, ticket: bytes, key: whole.key, end: whole.end };
}

function ticketPart(part: TicketPart): Buffer {
  const fields = sequence({
    0: flags(part.flags),
    1: keyElement(part.key),
    2: text(part.client.realm),
    3: principalName(part.client.components),
    4: sequence({ 0: integer(0), 1: octets(Buffer.alloc(0)) }), // no realms passed through
    5: time(part.start),
    7: time(part.end),
  });
  return element(application(Type.encTicketPart), fields);
}

/** A fresh key, by default of aes256-cts-hmac-sha1-96. */
export function newEntry(principal: Principal, enctype = 18, kvno = randomInt(1, 200)): KeytabEntry {
  return { principal, kvno, key: Key.random(enctype) };
}

/** The file that has the entries. */
export function keytabOf(entries: readonly KeytabEntry[]): Buffer {
  return Buffer.concat([Buffer.from([5, 2]), ...entries.map(entryBytes)]);
}

function entryBytes({ principal, kvno, key }: KeytabEntry): Buffer {
  const short = (n: number): Buffer => Buffer.from([n >> 8, n & 0xff]);
  const int = (n: number): Buffer => Buffer.concat([short(n >>> 16), short(n & 0xffff)]);
  const string = (bytes: Buffer): Buffer => Buffer.concat([short(bytes.length), bytes]);
  const { components, realm } = principal;
  const names = [realm, ...components].map((part) => string(Buffer.from(part)));
  const rest = [int(1), int(0), Buffer.from([kvno & 0xff]), short(key.enctype.id), string(key.bytes), int(kvno)];
  const body = Buffer.concat([short(components.length), ...names, ...rest]);
  return Buffer.concat([int(body.length), body]);
}
