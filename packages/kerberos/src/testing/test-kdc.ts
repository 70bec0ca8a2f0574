// A KDC for tests: knows a few keys, checks what a real one checks, and counts what it is asked.
import { createServer, type Server } from 'node:net';
import { Usage } from '../crypto/enctype.js';
import type { Key } from '../crypto/key.js';
import * as der from '../der.js';
import type { KeytabEntry } from '../keytab.js';
import * as messages from '../messages.js';
import { asComponents, type Principal, parsePrincipal, principalName, samePrincipal } from '../principal.js';
import { issueTicket, newEntry } from './tickets.js';

const UNKNOWN_SERVICE = 7;
const WRONG_KEY = 24;
const HOUR = 3_600_000;

export class TestKdc {
  private readonly server: Server;
  private readonly realm: string;
  /** What it was asked for, `AS client` or `TGS service`. */
  readonly asked: string[] = [];
  /** Whom it knows, with their keys; they can be changed. */
  readonly entries: KeytabEntry[];
  private readonly own: KeytabEntry;
  /** Changes an answer on its way. */
  damage: (reply: Buffer) => Buffer = (reply) => reply;
  /** Who gets the tickets, if it is not who asks for them. */
  favourite: Principal | undefined;
  /** For how long tickets hold, milliseconds. */
  lifetime = HOUR;

  constructor(realm: string, entries: readonly KeytabEntry[]) {
    this.realm = realm;
    this.entries = [...entries];
    this.own = newEntry(parsePrincipal(`krbtgt/${realm}@${realm}`));
    this.server = createServer((socket) => {
      let got = Buffer.alloc(0);
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        got = Buffer.concat([got, chunk]);
        if (got.length < 4 || got.length < 4 + got.readUInt32BE(0)) return;
        const reply = this.damage(this.answer(got.subarray(4)));
        const length = Buffer.alloc(4);
        length.writeUInt32BE(reply.length);
        socket.write(length.subarray(0, 2));
        socket.end(Buffer.concat([length.subarray(2), reply]));
      });
    });
  }

  /** @returns its port, on the loopback address */
  async start(): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return (this.server.address() as { port: number }).port;
  }

  close(): void {
    this.server.close();
  }

  private answer(request: Buffer): Buffer {
    const type = der.firstElement(request).tag & 0x1f;
    const f = messages.fieldsOf(request, type);
    const [proof = Buffer.alloc(0)] = f.get(
      3,
      der.listOf((data) => new der.Fields(data).get(2, der.asOctets), 1),
    );
    const bodyBytes = f.get(4, (bytes) => bytes);
    const body = new der.Fields(bodyBytes);
    const service = { realm: body.get(2, der.asText), components: body.get(3, asComponents) };
    const nonce = body.get(7, der.asUnsigned32);
    if (type === 10) {
      const client = { realm: this.realm, components: body.get(1, asComponents) };
      this.asked.push(`AS ${client.components.join('/')}`);
      const key = this.keyOf(client);
      try {
        messages.decrypted(messages.asEncrypted(proof), key.key, Usage.preauthTimestamp);
      } catch {
        return refusal(WRONG_KEY);
      }
      return this.reply(11, this.own, client, nonce, key.key, Usage.asReply);
    }
    this.asked.push(`TGS ${service.components.join('/')}`);
    const ap = messages.asApRequest(proof);
    const ticket = messages.asTicketPart(messages.decrypted(ap.ticket.part, this.own.key, Usage.ticket));
    const a = messages.asAuthenticator(messages.decrypted(ap.authenticator, ticket.key, Usage.tgsAuthenticator));
    if (a.checksum === undefined || !ticket.key.checksum(Usage.tgsChecksum, bodyBytes).equals(a.checksum.bytes)) {
      throw new Error('a request whose checksum is wrong');
    }
    const entry = this.entries.find(({ principal }) => samePrincipal(principal, service));
    if (entry === undefined) return refusal(UNKNOWN_SERVICE);
    return this.reply(13, entry, ticket.client, nonce, ticket.key, Usage.tgsReply);
  }

  private keyOf(principal: Principal): KeytabEntry {
    const entry = this.entries.find((one) => samePrincipal(one.principal, principal));
    if (entry === undefined) throw new Error('a client that is not known');
    return entry;
  }

  private reply(type: number, service: KeytabEntry, asker: Principal, nonce: number, key: Key, usage: number): Buffer {
    const client = this.favourite ?? asker;
    const now = Date.now();
    const issued = issueTicket(service, client, { start: now, end: now + this.lifetime });
    const part = der.sequence({
      0: messages.keyElement(issued.key),
      1: der.list([]),
      2: der.integer(nonce),
      4: der.flags(0),
      5: der.time(now),
      7: der.time(issued.end),
      9: der.text(service.principal.realm),
      10: principalName(service.principal.components),
    });
    const fields = der.sequence({
      0: der.integer(5),
      1: der.integer(type),
      3: der.text(client.realm),
      4: principalName(client.components),
      5: issued.ticket,
      6: messages.encrypted(key, usage, der.element(der.application(type === 11 ? 25 : 26), part)),
    });
    return der.element(der.application(type), fields);
  }
}

function refusal(code: number): Buffer {
  const fields = der.sequence({ 0: der.integer(5), 1: der.integer(30), 6: der.integer(code) });
  return der.element(der.application(30), fields);
}
