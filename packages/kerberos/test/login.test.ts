// A client with a ticket and a service with a keytab: who is let in, who is not, and what damaged tokens do.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  Acceptor,
  CLOCK_SKEW,
  GssapiClient,
  GssapiServer,
  KerberosError,
  parseKeytab,
  parsePrincipal,
  type ServiceTicket,
} from '@nodekeeper/kerberos';
import { issueTicket, newEntry } from '@nodekeeper/kerberos/testing';
import { JAVA_LOGIN, MIT_KEYTAB, MIT_LOGIN } from './recorded.js';

const SERVICE = parsePrincipal('zookeeper/localhost@EXAMPLE');
const ALICE = parsePrincipal('alice@EXAMPLE');
const NOTHING = Buffer.alloc(0);
const ENTRY = newEntry(SERVICE, 18, 3);
const MINUTE = 60_000;

function acceptor(now = Date.now(), entries = [ENTRY]): Acceptor {
  return new Acceptor({ principal: SERVICE, keys: () => entries, now: () => now });
}

/** The whole exchange. */
function logIn(ticket: ServiceTicket, service = acceptor(), now = Date.now()): GssapiServer {
  const client = new GssapiClient(ticket, now);
  const server = new GssapiServer(service);
  const proof = server.answer(client.first());
  assert.ok(proof);
  assert.deepEqual(client.answer(proof), NOTHING);
  const offer = server.answer(NOTHING);
  assert.ok(offer);
  assert.equal(server.principal, undefined, 'nobody is let in before the last token');
  const choice = client.answer(offer);
  assert.equal(client.complete, true);
  assert.equal(server.answer(choice), null);
  return server;
}

test('a ticket proves who the client is, with every encryption type', () => {
  for (const enctype of [17, 18, 19, 20]) {
    const entry = newEntry(SERVICE, enctype);
    const server = logIn(issueTicket(entry, ALICE), acceptor(Date.now(), [newEntry(SERVICE), entry]));
    assert.equal(server.principal, 'alice@EXAMPLE');
    assert.equal(server.authorizationId, 'alice@EXAMPLE');
    assert.throws(() => server.answer(NOTHING), /the login is over/);
  }
});

test('a client with no first response is asked for it', () => {
  const server = new GssapiServer(acceptor());
  assert.deepEqual(server.answer(NOTHING), NOTHING);
  assert.ok(server.answer(new GssapiClient(issueTicket(ENTRY, ALICE)).first()));
});

/** The service of the recorded logins, at their time. */
function recorded(time: number): Acceptor {
  const principal = parsePrincipal('zookeeper/localhost@EXAMPLE.TEST');
  return new Acceptor({ principal, keys: () => parseKeytab(MIT_KEYTAB), now: () => time });
}

test("the JDK's client, which asks for no proof, is let in; its login is no use again, or later", () => {
  const { time, first, offer, choice } = JAVA_LOGIN;
  const service = recorded(time);
  const server = new GssapiServer(service);
  assert.deepEqual(server.answer(first), offer);
  assert.equal(server.answer(choice), null);
  assert.deepEqual([server.principal, server.authorizationId], ['alice@EXAMPLE.TEST', 'alice@EXAMPLE.TEST']);
  assert.throws(() => new GssapiServer(service).answer(first), /there before/);
  assert.throws(() => new GssapiServer(recorded(time + CLOCK_SKEW + 1000)).answer(first), /apart/);
});

test("MIT's library, which asks for a proof, gets one; without the key that is in it nothing further is believed", () => {
  const server = new GssapiServer(recorded(MIT_LOGIN.time));
  assert.equal(server.answer(MIT_LOGIN.first)?.[0], 0x60);
  assert.ok(server.answer(NOTHING));
  assert.throws(() => server.answer(JAVA_LOGIN.choice), /of the wrong side, or with another key/);
});

test('a client of another realm needs the word of the KDC that the realms between are trusted', () => {
  const stranger = parsePrincipal('alice@ELSEWHERE');
  refused(/whose way nobody has checked/, issueTicket(ENTRY, stranger));
  assert.equal(logIn(issueTicket(ENTRY, stranger, { flags: 0x00080000 })).principal, 'alice@ELSEWHERE');
});

function refused(message: RegExp, ticket: ServiceTicket, service = acceptor(), now = Date.now()): void {
  const server = new GssapiServer(service);
  assert.throws(
    () => server.answer(new GssapiClient(ticket, now).first()),
    (error: Error) => error instanceof KerberosError && message.test(error.message),
  );
  assert.equal(server.principal, undefined);
}

test('tickets for others, or made with other keys, are no use', () => {
  const other = newEntry(parsePrincipal('other/localhost@EXAMPLE'));
  refused(/a ticket for other\/localhost@EXAMPLE, not for zookeeper\/localhost/, issueTicket(other, ALICE));
  refused(/do not open/, issueTicket(newEntry(SERVICE, 18, 3), ALICE));
  refused(/key version 4 of encryption type 18/, issueTicket(newEntry(SERVICE, 18, 4), ALICE));
  refused(/key version 3 of encryption type 17/, issueTicket(newEntry(SERVICE, 17, 3), ALICE));
  const mallory = { ...issueTicket(ENTRY, parsePrincipal('mallory@EXAMPLE')), client: ALICE };
  refused(/another user's/, mallory);
  const without = { ...issueTicket(ENTRY, ALICE), key: newEntry(SERVICE).key };
  refused(/not encrypted with this key/, without);
  for (const name of ['a/b', 'a@b', 'a\n', '']) {
    refused(/separators/, issueTicket(ENTRY, { components: [name], realm: 'EXAMPLE' }));
  }
});

test('times count, with five minutes for clocks that differ', () => {
  const now = Date.now();
  const ticket = (start: number, end: number, flags = 0): ServiceTicket =>
    issueTicket(ENTRY, ALICE, { start: now + start * MINUTE, end: now + end * MINUTE, flags });
  logIn(ticket(4, 60));
  logIn(ticket(-60, -4));
  refused(/does not hold yet/, ticket(6, 60));
  refused(/has expired/, ticket(-60, -6));
  refused(/does not hold yet/, ticket(-60, 60, 0x01000000));
  const good = ticket(-60, 60);
  logIn(good, acceptor(now), now + 4 * MINUTE);
  logIn(good, acceptor(now), now - 4 * MINUTE);
  refused(/360 s apart/, good, acceptor(now), now + 6 * MINUTE);
  refused(/360 s apart/, good, acceptor(now), now - 6 * MINUTE);
});

test('a recorded login is no use, as long as its time would be taken', () => {
  let now = Date.now();
  const service = new Acceptor({ principal: SERVICE, keys: () => [ENTRY], now: () => now });
  const first = new GssapiClient(issueTicket(ENTRY, ALICE), now + CLOCK_SKEW - 1000).first();
  new GssapiServer(service).answer(first);
  for (const later of [0, CLOCK_SKEW, 2 * CLOCK_SKEW - 2000]) {
    now += later;
    assert.throws(() => new GssapiServer(service).answer(first), /there before/);
    now -= later;
  }
  now += 2 * CLOCK_SKEW + 1;
  assert.throws(() => new GssapiServer(service).answer(first), /apart/);
});

test('what a service without the key answers is not believed', () => {
  const ticket = issueTicket(ENTRY, ALICE);
  const other = { ...ticket, key: newEntry(SERVICE).key };
  const client = new GssapiClient(ticket);
  client.first();
  const elsewhere = new GssapiServer(acceptor());
  const proof = elsewhere.answer(new GssapiClient(issueTicket(ENTRY, ALICE)).first());
  assert.ok(proof);
  assert.throws(() => client.answer(proof), KerberosError);
  assert.throws(() => client.answer(proof), /has failed/);
  assert.throws(() => new GssapiClient(other).answer(NOTHING), /has failed/);
});

/** The tokens that the service gets in one login. */
function tokens(): Buffer[] {
  const client = new GssapiClient(issueTicket(ENTRY, ALICE));
  const server = new GssapiServer(acceptor());
  const first = client.first();
  client.answer(server.answer(first) ?? NOTHING);
  return [first, client.answer(server.answer(NOTHING) ?? NOTHING)];
}

/** Both sides, up to the last token. */
function offered(): { readonly server: GssapiServer; readonly choice: Buffer } {
  const client = new GssapiClient(issueTicket(ENTRY, ALICE));
  const server = new GssapiServer(acceptor());
  client.answer(server.answer(client.first()) ?? NOTHING);
  return { server, choice: client.answer(server.answer(NOTHING) ?? NOTHING) };
}

/** Cut at each length, with each byte changed, with bytes taken out and put in. */
function* damaged(token: Buffer): Generator<Buffer> {
  for (let i = 0; i < token.length; i++) {
    yield token.subarray(0, i);
    for (const mask of [0x01, 0x80, 0xff]) {
      const changed = Buffer.from(token);
      changed[i] = (changed[i] as number) ^ mask;
      yield changed;
    }
    yield Buffer.concat([token.subarray(0, i), token.subarray(i + 1)]);
    yield Buffer.concat([token.subarray(0, i), Buffer.from([0xff]), token.subarray(i)]);
  }
}

test('a damaged token lets nobody in, and is an error of ours, at every byte', (t: TestContext) => {
  const [first = NOTHING] = tokens();
  const service = acceptor();
  let tried = 0;
  let accepted = 0;
  for (const token of damaged(first)) {
    tried++;
    try {
      const server = new GssapiServer(service);
      server.answer(token);
      if (token.length > 0) accepted++;
      assert.equal(server.principal, undefined);
    } catch (error) {
      assert.ok(error instanceof KerberosError, `${token.toString('hex')}: ${(error as Error).stack}`);
    }
  }
  t.diagnostic(`${tried} damaged tokens, ${accepted} of which still made sense`);
  // Nothing protects name types and unused flags; the context's keys are what an attacker lacks there.
  assert.ok(accepted < tried / 50, `${accepted} of ${tried}`);
  for (const token of damaged(offered().choice)) {
    const { server } = offered();
    assert.throws(() => server.answer(token), KerberosError);
    assert.equal(server.principal, undefined);
  }
});

test('a damaged answer of the service is not believed, at every byte', () => {
  const ticket = issueTicket(ENTRY, ALICE);
  const service = acceptor();
  const client = (): { readonly client: GssapiClient; readonly server: GssapiServer; readonly proof: Buffer } => {
    const one = new GssapiClient(ticket);
    const server = new GssapiServer(service);
    return { client: one, server, proof: server.answer(one.first()) ?? NOTHING };
  };
  // Integers are as long as their values need, so an answer can be a few bytes shorter than the one before.
  const { length } = client().proof;
  for (let at = 0; at < length; at++) {
    for (const damage of [cut, flipped]) {
      const { client: one, proof } = client();
      if (at >= proof.length) continue;
      assert.throws(() => one.answer(damage(proof, at)), KerberosError, `${damage.name} at ${at}`);
    }
  }
  for (let at = 0; at < 32; at++) {
    for (const damage of [cut, flipped]) {
      if (at === 6 && damage === flipped) continue; // 256 bytes more of rotation turn 16 bytes to where they are
      const { client: one, server, proof } = client();
      one.answer(proof);
      const offer = server.answer(NOTHING) ?? NOTHING;
      assert.throws(() => one.answer(damage(offer, at)), KerberosError, `${damage.name} at ${at}`);
      assert.equal(one.complete, false);
    }
  }
});

function cut(bytes: Buffer, at: number): Buffer {
  return bytes.subarray(0, at);
}

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] as number) ^ 1;
  return changed;
}

test('lengths that promise too much are refused at once', () => {
  for (const bytes of [
    '60',
    '6084ffffffff',
    '60847fffffff06',
    '6080',
    '60850000000001',
    '7f',
    `60${'8400000000'.repeat(10)}`,
  ]) {
    assert.throws(() => new GssapiServer(acceptor()).answer(Buffer.from(bytes, 'hex')), KerberosError, bytes);
  }
  assert.throws(() => new GssapiServer(acceptor()).answer(Buffer.alloc(65537)), /too long/);
});
