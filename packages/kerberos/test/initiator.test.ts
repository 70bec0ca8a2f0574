// Where a client's tickets come from: a keytab, what kinit left, the KDC; and krb5.conf, which says where that is.
import assert from 'node:assert/strict';
import type { SrvRecord } from 'node:dns';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  Acceptor,
  formatPrincipal,
  GssapiClient,
  GssapiServer,
  Initiator,
  KerberosError,
  kerberosLogin,
  parseCredentialCache,
  parseKrb5Config,
  parsePrincipal,
  realmOfHost,
} from '@nodekeeper/kerberos';
import { keytabOf, newEntry, TestKdc } from '@nodekeeper/kerberos/testing';
import { askKdc, kdcsOf } from '../dist/kdc.js';
import { MIT_CACHE } from './recorded.js';

const SERVICE = newEntry(parsePrincipal('zookeeper/host@EXAMPLE'));
const ALICE = newEntry(parsePrincipal('alice@EXAMPLE'));

interface Realm {
  readonly kdc: TestKdc;
  readonly dir: string;
  readonly config: string;
  readonly keytab: string;
}

async function realm(t: TestContext): Promise<Realm> {
  const dir = mkdtempSync(join(tmpdir(), 'kerberos-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const kdc = new TestKdc('EXAMPLE', [SERVICE, ALICE]);
  const port = await kdc.start();
  t.after(() => kdc.close());
  const config = join(dir, 'krb5.conf');
  writeFileSync(
    config,
    `[libdefaults]\ndefault_realm = EXAMPLE\ndns_lookup_kdc = false\n[realms]\nEXAMPLE = {\nkdc = 127.0.0.1:1\nkdc = 127.0.0.1:${port}\n}\n[domain_realm]\nfar = OTHER\n`,
  );
  const keytab = join(dir, 'keytab');
  writeFileSync(keytab, keytabOf([ALICE]));
  return { kdc, dir, config, keytab };
}

test('with a keytab tickets are got from the KDC that answers, once', async (t) => {
  const { kdc, config, keytab } = await realm(t);
  const initiator = new Initiator({ principal: 'alice', keytab, config });
  const ticket = await initiator.ticketFor('zookeeper/host');
  assert.equal(formatPrincipal(ticket.service), 'zookeeper/host@EXAMPLE');
  assert.equal(await initiator.ticketFor('zookeeper/host@EXAMPLE'), ticket);
  assert.deepEqual(kdc.asked, ['AS alice', 'TGS zookeeper/host']);
  await assert.rejects(initiator.ticketFor('zookeeper/elsewhere'), /the service is not known \(error 7\)/);
  await assert.rejects(initiator.ticketFor('zookeeper/far'), /is in another realm/);
  const service = new Acceptor({ principal: SERVICE.principal, keys: () => [SERVICE], now: () => Date.now() });
  assert.ok(new GssapiServer(service).answer(new GssapiClient(ticket).first()));
});

test('tickets that end are got anew', async (t) => {
  const { kdc, config, keytab } = await realm(t);
  let now = Date.now();
  const initiator = new Initiator({ principal: 'alice', keytab, config }, () => now);
  const first = await initiator.ticketFor('zookeeper/host');
  now += kdc.lifetime - 2 * 60_000;
  assert.equal(await initiator.ticketFor('zookeeper/host'), first);
  now += 60_000 + 1000;
  assert.notEqual(await initiator.ticketFor('zookeeper/host'), first);
  assert.equal(kdc.asked.length, 4);
});

test('a wrong key, and an answer that is not the KDC’s, are told', async (t) => {
  const { kdc, config, keytab } = await realm(t);
  const log = (): Promise<unknown> => new Initiator({ principal: 'alice', keytab, config }).ticketFor('zookeeper/host');
  const flip = (at: number) => (reply: Buffer) => {
    reply[at] = (reply[at] as number) ^ 1;
    return reply;
  };
  let length = 0;
  kdc.damage = (reply) => {
    length = reply.length;
    return reply;
  };
  await log();
  for (const at of [0, 5, length - 1, length - 40]) {
    kdc.damage = flip(at);
    await assert.rejects(log(), KerberosError, `byte ${at}`);
  }
  let old: Buffer | undefined;
  kdc.damage = (reply) => {
    old ??= reply;
    return old;
  };
  await assert.rejects(log(), KerberosError, 'the second answer is the first again');
  await assert.rejects(log(), /the KDC answers another request/);
  kdc.damage = (reply) => reply;
  kdc.favourite = parsePrincipal('bob@EXAMPLE');
  await assert.rejects(log(), /to bob@EXAMPLE/);
  kdc.favourite = undefined;
  kdc.damage = (reply) => reply.subarray(0, 9);
  await assert.rejects(log(), KerberosError);
  kdc.damage = (reply) => reply;
  writeFileSync(keytab, keytabOf([newEntry(ALICE.principal)]));
  await assert.rejects(log(), /the key of the client is wrong \(error 24\)/);
  await assert.rejects(
    new Initiator({ principal: 'bob', keytab, config }).ticketFor('zookeeper/host'),
    /no key of bob/,
  );
  assert.throws(() => new Initiator({ keytab, config }), /needs a principal/);
  assert.throws(() => new Initiator({ config: '/nowhere' }), /\/nowhere: ENOENT/);
});

test('a KDC that says nothing, or too much, is passed over', async (t) => {
  const sockets: Socket[] = [];
  const serve = async (speak: (socket: Socket) => void): Promise<{ host: string; port: number }> => {
    const server = createServer((socket) => {
      sockets.push(socket.on('error', () => {}));
      speak(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    return { host: '127.0.0.1', port: (server.address() as { port: number }).port };
  };
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const silent = await serve(() => {});
  const rude = await serve((socket) => socket.end(Buffer.alloc(8, 0xff)));
  const echo = await serve((socket) => socket.pipe(socket));
  const request = Buffer.from('6a00', 'hex');
  assert.deepEqual(await askKdc([rude, echo, silent], request), request);
  await assert.rejects(askKdc([silent, rude], request, 50), /within 50 ms; .*an answer of 4294967295 bytes/);
  await assert.rejects(askKdc([], request), /none is named/);
});

test('a KDC that says nothing keeps the next one waiting for its head start only, and is left with the answer', async (t) => {
  const answered = Buffer.from('6b00', 'hex');
  const left: Promise<unknown>[] = [];
  const serve = async (speak: (socket: Socket) => void): Promise<{ host: string; port: number }> => {
    const server = createServer((socket) => {
      left.push(once(socket, 'close'));
      speak(socket.on('error', () => {}).resume());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    return { host: '127.0.0.1', port: (server.address() as { port: number }).port };
  };
  const silent = await serve(() => {});
  const good = await serve((socket) => socket.end(Buffer.concat([Buffer.from([0, 0, 0, 2]), answered])));
  assert.deepEqual(await askKdc([silent, good], Buffer.from('6a00', 'hex'), 600_000, 20), answered);
  await Promise.all(left);
  assert.equal(left.length, 2);
  assert.deepEqual(await askKdc([good, silent], Buffer.from('6a00', 'hex'), 600_000, 600_000), answered);
  assert.equal(left.length, 3, 'the first was enough');
});

test('what kinit left is read, and used as long as it holds', async (t) => {
  const { dir, config } = await realm(t);
  const bytes = MIT_CACHE;
  const { principal, tickets } = parseCredentialCache(bytes);
  assert.equal(formatPrincipal(principal), 'alice@EXAMPLE.TEST');
  assert.deepEqual(
    tickets.map(({ service, key }) => [formatPrincipal(service), key.enctype.id]),
    [['krbtgt/EXAMPLE.TEST@EXAMPLE.TEST', 18]],
  );
  for (let length = 0; length < bytes.length; length++) {
    const changed = Buffer.from(bytes);
    changed[length] = 0xff - (changed[length] as number);
    for (const damaged of [bytes.subarray(0, length), changed]) {
      try {
        parseCredentialCache(damaged);
      } catch (error) {
        assert.ok(error instanceof KerberosError, `${length}: ${error}`);
      }
    }
  }
  const cache = join(dir, 'cache');
  writeFileSync(cache, bytes);
  const end = tickets[0]?.end ?? 0;
  const late = new Initiator({ cache: `FILE:${cache}`, config }, () => end);
  await assert.rejects(late.ticketFor('zookeeper/host'), /has no ticket that holds/);
  const early = new Initiator({ cache, config }, () => end - 3_600_000);
  await assert.rejects(early.ticketFor('zookeeper/host'), /names no KDC of realm EXAMPLE.TEST/);
  const known = await early.ticketFor('krbtgt/EXAMPLE.TEST');
  assert.equal(known.end, end, 'what is in the cache needs no KDC');
  early.refuse(known);
  await assert.rejects(early.ticketFor('krbtgt/EXAMPLE.TEST'), /has no ticket that holds/);
  const other = new Initiator({ cache, config, principal: 'bob' });
  await assert.rejects(other.ticketFor('zookeeper/host'), /is alice@EXAMPLE.TEST's, not bob's/);
  await assert.rejects(new Initiator({ cache: 'KEYRING:x', config }).ticketFor('a/b'), /only those of type FILE/);
});

test('a client logs in to the host that the connect string names, or to the service it is told', async (t) => {
  const { kdc, config, keytab } = await realm(t);
  const service = new Acceptor({ principal: SERVICE.principal, keys: () => [SERVICE], now: () => Date.now() });
  for (const [options, host] of [
    [{}, 'HOST'],
    [{ service: 'zookeeper/host' }, '10.0.0.1'],
  ] as const) {
    const login = await kerberosLogin({ principal: 'alice', keytab, config, ...options }).begin(host);
    const server = new GssapiServer(service);
    let answer = server.answer(login.first());
    for (let token = login.answer(answer); token !== undefined; token = login.answer(answer))
      answer = server.answer(token);
    assert.equal(server.principal, 'alice@EXAMPLE');
  }
  assert.ok(kdc.asked.every((asked) => /^AS alice$|^TGS zookeeper\/host$/.test(asked)));
  const silent = await kerberosLogin({ principal: 'alice', keytab, config }).begin('host');
  silent.first();
  assert.throws(() => silent.answer(null), /offers no Kerberos/);
});

test('a ticket that the service refuses is used no more: after a change of its key the next login goes well', async (t) => {
  const { kdc, config, keytab } = await realm(t);
  const mechanism = kerberosLogin({ principal: 'alice', keytab, config });
  const service = (entry: typeof SERVICE): GssapiServer =>
    new GssapiServer(new Acceptor({ principal: SERVICE.principal, keys: () => [entry], now: () => Date.now() }));
  service(SERVICE).answer((await mechanism.begin('host')).first());

  const changed = newEntry(SERVICE.principal, 18, 2);
  kdc.entries.splice(kdc.entries.indexOf(SERVICE), 1, changed);
  const old = await mechanism.begin('host');
  assert.throws(() => service(changed).answer(old.first()), KerberosError);
  assert.equal(old.refused(), true, 'there is another ticket to be had');
  service(changed).answer((await mechanism.begin('host')).first());
  service(changed).answer((await mechanism.begin('host')).first());
  assert.deepEqual(kdc.asked, ['AS alice', 'TGS zookeeper/host', 'TGS zookeeper/host']);

  const first = await kerberosLogin({ principal: 'alice', keytab, config }).begin('host');
  assert.throws(() => service(SERVICE).answer(first.first()), KerberosError);
  assert.equal(first.refused(), false, 'no other ticket is better than one that the KDC has just given');
});

test('KDCs that krb5.conf does not name are looked for in the DNS, unless it says no', async () => {
  const record = (name: string, priority: number, weight: number): SrvRecord => ({ name, port: 88, priority, weight });
  const asked: string[] = [];
  const lookup = async (name: string): Promise<SrvRecord[]> => {
    asked.push(name);
    return [record('last', 2, 9), record('second', 1, 1), record('first', 1, 2)];
  };
  const config = (more: string): ReturnType<typeof parseKrb5Config> =>
    parseKrb5Config(`[libdefaults]\n${more}\n[realms]\nNAMED = {\nkdc = here\n}\n`);
  const found = await kdcsOf(config(''), 'EXAMPLE', lookup);
  assert.deepEqual(
    found.map(({ host, port }) => `${host}:${port}`),
    ['first:88', 'second:88', 'last:88'],
  );
  assert.deepEqual(await kdcsOf(config(''), 'NAMED', lookup), [{ host: 'here', port: 88 }]);
  await assert.rejects(kdcsOf(config('dns_lookup_kdc = no'), 'EXAMPLE', lookup), /names no KDC of realm EXAMPLE$/);
  assert.deepEqual(asked, ['_kerberos._tcp.EXAMPLE']);
  const fails = (): Promise<never> => Promise.reject(new Error('no such name'));
  await assert.rejects(kdcsOf(config(''), 'EXAMPLE', fails), /nor does the DNS: no such name/);
});

test('krb5.conf is read as far as it is needed', (t) => {
  const text = `
# a comment
[libdefaults]
  default_realm = "EXAMPLE"
  other = { 
    default_realm = NO
  }
[realms]
  EXAMPLE = {
    kdc = one.example
    kdc = two.example:750
    kdc = https://proxy.example/KdcProxy
    kdc = [::1]:88
    admin_server = one.example
    v4_instance_convert = {
      kdc = not.this
    }
  }
[domain_realm]
  .example = EXAMPLE
  Odd.example = ODD
`;
  const config = parseKrb5Config(text);
  assert.equal(config.defaultRealm, 'EXAMPLE');
  assert.deepEqual(config.kdcs.get('EXAMPLE'), [
    { host: 'one.example', port: 88 },
    { host: 'two.example', port: 750 },
    { host: '::1', port: 88 },
  ]);
  assert.equal(realmOfHost(config, 'a.b.EXAMPLE'), 'EXAMPLE');
  assert.equal(realmOfHost(config, 'odd.example'), 'ODD');
  assert.equal(realmOfHost(config, 'localhost'), undefined);
  assert.throws(() => parseKrb5Config('[a]\nnonsense'), /line 2 is not understood/);
  assert.throws(() => parseKrb5Config('[a]\n}'), /line 2: a '}' without/);
  assert.throws(() => parseKrb5Config('[realms]\nR = {\n[b]'), /line 3: a '}' is missing/);
  assert.throws(() => parseKrb5Config('[realms]\nR = {\nkdc = a:b:c\n}'), /host or host:port is expected/);
  const dir = mkdtempSync(join(tmpdir(), 'krb5-'));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, 'more.conf'), '[libdefaults]\ndefault_realm = INCLUDED\n');
  writeFileSync(join(dir, 'main.conf'), `include ${join(dir, 'main.conf')}\n`);
  assert.throws(() => new Initiator({ config: join(dir, 'main.conf') }), /too many included files/);
});
