// What well-made tokens may not say: each side against a peer that keeps all rules but one. And the parts that hold the rules.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Acceptor,
  GssapiClient,
  GssapiServer,
  KerberosError,
  parsePrincipal,
  type ServiceTicket,
} from '@nodekeeper/kerberos';
import { issueTicket, newEntry } from '@nodekeeper/kerberos/testing';
import { Usage } from '../dist/crypto/enctype.js';
import { Key } from '../dist/crypto/key.js';
import * as der from '../dist/der.js';
import * as gss from '../dist/gss-token.js';
import * as messages from '../dist/messages.js';
import { ReplayCache } from '../dist/replay-cache.js';

const SERVICE = newEntry(parsePrincipal('zookeeper/localhost@EXAMPLE'));
const ALICE = parsePrincipal('alice@EXAMPLE');
const NUMBER = 7;

function newServer(): GssapiServer {
  return new GssapiServer(new Acceptor({ principal: SERVICE.principal, keys: () => [SERVICE], now: () => Date.now() }));
}

/** A first token that asks for no proof. */
function present(ticket: ServiceTicket, options = 0, checksum: messages.Checksum | undefined = PLAIN): Buffer {
  const made = messages.momentOf(Date.now());
  const proof = messages.authenticator({ client: ALICE, checksum, made, subkey: undefined, sequenceNumber: NUMBER });
  const sealed = messages.encrypted(ticket.key, Usage.authenticator, proof);
  return gss.frame(gss.TokenId.apRequest, messages.apRequest(options, ticket.ticket, sealed));
}

const PLAIN: messages.Checksum = { type: gss.GSS_CHECKSUM, bytes: gss.gssChecksum(gss.GssFlag.integrity) };

test('a first token for another purpose is refused', () => {
  const ticket = issueTicket(SERVICE, ALICE);
  assert.throws(() => newServer().answer(present(ticket, messages.ApOption.useSessionKey)), /a ticket for a user/);
  const other = { type: 16, bytes: PLAIN.bytes };
  assert.throws(() => newServer().answer(present(ticket, 0, other)), /not of GSS-API/);
  const short = { type: gss.GSS_CHECKSUM, bytes: PLAIN.bytes.subarray(1) };
  assert.throws(() => newServer().answer(present(ticket, 0, short)), /without the flags/);
  const odd = Buffer.from(present(ticket));
  odd[odd.indexOf('2a864886f712010202', 0, 'hex') + 8] = 3;
  assert.throws(() => newServer().answer(odd), /not Kerberos 5/);
});

test('a choice of what is not offered, or out of sequence, is refused', () => {
  const ticket = issueTicket(SERVICE, ALICE);
  const context = { key: ticket.key, ofAcceptor: false };
  const choose = (choice: Buffer, number = NUMBER): GssapiServer => {
    const server = newServer();
    server.answer(present(ticket));
    assert.equal(server.answer(gss.wrap(context, 'initiator', number, choice)), null);
    return server;
  };
  assert.equal(choose(Buffer.from([1, 0, 0, 0])).principal, 'alice@EXAMPLE');
  assert.equal(choose(Buffer.from('\x01\0\0\0admin')).authorizationId, 'admin');
  for (const layer of [0, 2, 4, 7]) assert.throws(() => choose(Buffer.from([layer, 0, 0, 0])), /is not offered/);
  assert.throws(() => choose(Buffer.from([1, 0, 0])), /too short/);
  assert.throws(() => choose(Buffer.from([1, 0, 0, 0]), NUMBER + 1), /out of sequence/);
});

test('a message may be rotated, and not be sealed or of the other side', () => {
  const context = { key: Key.random(17), ofAcceptor: true };
  const whole = gss.wrap(context, 'acceptor', 1, Buffer.from('message'));
  for (const by of [0, 1, 12, 19, 65535]) {
    const body = whole.subarray(16);
    const cut = body.length - (by % body.length);
    const rotated = Buffer.concat([whole.subarray(0, 16), body.subarray(cut), body.subarray(0, cut)]);
    rotated.writeUInt16BE(by, 6);
    assert.equal(gss.unwrap(context, 'acceptor', 1, rotated).toString(), 'message', `${by}`);
  }
  assert.throws(() => gss.unwrap(context, 'initiator', 1, whole), /wrong side/);
  assert.throws(() => gss.unwrap({ ...context, ofAcceptor: false }, 'acceptor', 1, whole), /another key/);
  const sealed = Buffer.from(whole);
  sealed[2] = (sealed[2] as number) | 2;
  assert.throws(() => gss.unwrap(context, 'acceptor', 1, sealed), /sealed/);
});

test('a service that answers another request, or demands protection, is not gone along with', () => {
  const ticket = issueTicket(SERVICE, ALICE);
  /** Answers as a service does, but for what is changed. */
  const login = (later: number, layers: number): GssapiClient => {
    const client = new GssapiClient(ticket);
    const request = messages.asApRequest(gss.unframe(gss.TokenId.apRequest, client.first()));
    const plain = messages.decrypted(request.authenticator, ticket.key, Usage.authenticator);
    const { made } = messages.asAuthenticator(plain);
    const subkey = Key.random(18);
    const part = { made: { ...made, micros: made.micros + later }, subkey, sequenceNumber: 3 };
    client.answer(gss.frame(gss.TokenId.apReply, messages.apReply(part, ticket.key, Usage.apReply)));
    client.answer(gss.wrap({ key: subkey, ofAcceptor: true }, 'acceptor', 3, Buffer.from([layers, 0, 0, 0])));
    return client;
  };
  assert.equal(login(0, 1).complete, true);
  assert.equal(login(0, 7).complete, true);
  assert.throws(() => login(1, 1), /answers another request/);
  assert.throws(() => login(0, 6), /demands a protected connection/);
});

test('what was seen is remembered for its time, and no more than there is room for', () => {
  const cache = new ReplayCache(100, 2);
  const [a, b, c] = [Buffer.from('a'), Buffer.from('b'), Buffer.from('c')];
  assert.deepEqual([cache.add(a, 0), cache.add(b, 50), cache.add(a, 100)], [true, true, false]);
  assert.equal(cache.add(c, 100), false, 'there is no room');
  assert.equal(cache.add(c, 101), true);
  assert.equal(cache.size, 2);
  assert.equal(cache.add(b, 150), false);
});

test('logins from before the clock was set back are remembered, and those after it no longer than their time', () => {
  const cache = new ReplayCache(100, 3);
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer, Buffer];
  assert.equal(cache.add(a, 10_000), true);
  assert.deepEqual([cache.add(b, 0), cache.add(c, 50), cache.add(d, 100)], [true, true, false]);
  assert.equal(cache.add(d, 101), true, 'b was forgotten in its time');
  assert.equal(cache.add(a, 101), false);
  assert.equal(cache.add(a, 10_100), false);
  assert.equal(cache.size, 1);
  assert.equal(cache.add(a, 10_101), true);
});

test('an element is what its length says, and a field is there once', () => {
  const number = der.integer(5);
  assert.throws(() => der.asInteger(Buffer.concat([number, number])), /behind an element/);
  const [, , ...field] = der.sequence({ 1: number });
  const twice = der.element(der.Tag.sequence, Buffer.from(field), Buffer.from(field));
  assert.throws(() => new der.Fields(twice), /there twice/);
  assert.throws(() => new der.Fields(der.sequence({})).get(0, der.asInteger), /field 0 is missing/);
  assert.throws(() => der.listOf(der.asInteger, 1)(der.list([number, number])), /more than 1/);
  for (const value of [0, 1, 127, 128, 255, 256, -1, -128, -129, 2 ** 31, 2 ** 32 - 1, -(2 ** 31)]) {
    assert.equal(der.asInteger(der.integer(value)), value);
  }
  assert.equal(der.integer(128).toString('hex'), '02020080');
  assert.equal(der.asUnsigned32(der.integer(-1)), 2 ** 32 - 1);
  assert.equal(der.asTime(der.time(1795263208807)), 1795263208000);
  assert.throws(() => der.asText(der.element(der.Tag.generalString, Buffer.from([0xff]))), KerberosError);
  const long = Buffer.alloc(70_000, 1);
  assert.deepEqual(der.asOctets(der.octets(long)), long);
});
