// Clients that log in with Kerberos: which identity a ticket gives, what becomes of those without a good one, and settings that
// cannot work.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { GssapiClient, parsePrincipal } from '@nodekeeper/kerberos';
import { issueTicket, keytabOf, newEntry } from '@nodekeeper/kerberos/testing';
import { ErrorCode, OpCode } from '@nodekeeper/protocol';
import { ConfigError, loadConfig } from '../../dist/config/index.js';
import { dataDir, RawClient, serve } from '../server/raw-client.js';

const MODULE = 'com.sun.security.auth.module.Krb5LoginModule';
const ENTRY = newEntry(parsePrincipal('zookeeper/localhost@EXAMPLE'));
const NOTHING = Buffer.alloc(0);

function settings(
  t: TestContext,
  module = 'useKeyTab=true storeKey=true principal="zookeeper/localhost"',
): Record<string, string> {
  const dir = dataDir(t);
  writeFileSync(join(dir, 'keytab'), keytabOf([ENTRY, newEntry(parsePrincipal('zookeeper@EXAMPLE'))]));
  writeFileSync(join(dir, 'krb5.conf'), '[libdefaults]\n default_realm = EXAMPLE\n');
  writeFileSync(join(dir, 'jaas.conf'), `Server { ${MODULE} required ${module} keyTab="${join(dir, 'keytab')}"; };`);
  return {
    'java.security.auth.login.config': join(dir, 'jaas.conf'),
    'java.security.krb5.conf': join(dir, 'krb5.conf'),
    'authProvider.1': 'org.apache.zookeeper.server.auth.SASLAuthenticationProvider',
  };
}

async function send(
  client: RawClient,
  token: Buffer,
): Promise<{ readonly error: number; readonly token: Buffer | null }> {
  const { error, body } = await client.request(OpCode.sasl, (w) => w.buffer(token));
  return { error, token: body.buffer() };
}

async function logIn(client: RawClient, name: string): Promise<void> {
  const login = new GssapiClient(issueTicket(ENTRY, parsePrincipal(name)));
  for (let token = login.first(); ; ) {
    const reply = await send(client, token);
    assert.equal(reply.error, ErrorCode.Ok);
    if (login.complete) {
      assert.equal(reply.token, null, 'the last answer is none: for this the Java client waits');
      return;
    }
    token = login.answer(reply.token ?? NOTHING);
  }
}

async function identities(client: RawClient): Promise<string[]> {
  const { body } = await client.request(OpCode.whoAmI, () => {});
  return Array.from({ length: body.int() }, () => `${body.string()}:${body.string()}`);
}

test('the identity is the principal', async (t) => {
  const { clientPort } = await serve(t, { ...settings(t), superUser: 'admin/h@EXAMPLE' });
  const alice = await RawClient.open(t, clientPort);
  await logIn(alice, 'alice@EXAMPLE');
  assert.deepEqual(await identities(alice), ['ip:127.0.0.1', 'sasl:alice@EXAMPLE']);
  const admin = await RawClient.open(t, clientPort);
  await logIn(admin, 'admin/h@EXAMPLE');
  assert.deepEqual(await identities(admin), ['ip:127.0.0.1', 'sasl:admin/h@EXAMPLE', 'super:']);
});

test('host and realm are removed where they are to be, and rules make names', async (t) => {
  const { clientPort } = await serve(t, {
    ...settings(t),
    'kerberos.removeHostFromPrincipal': 'true',
    'kerberos.removeRealmFromPrincipal': 'true',
    'security.auth_to_local': 'RULE:[2:$1-$2](.*-h)s/-/_/ DEFAULT',
  });
  const client = await RawClient.open(t, clientPort);
  await logIn(client, 'bob/h@EXAMPLE');
  assert.deepEqual(await identities(client), ['ip:127.0.0.1', 'sasl:bob_h']);
});

test('who has no good ticket is told so, and goes', async (t) => {
  const { clientPort } = await serve(t, settings(t));
  const other = await RawClient.open(t, clientPort);
  const forged = issueTicket(newEntry(ENTRY.principal), parsePrincipal('alice@EXAMPLE'));
  assert.deepEqual(await send(other, new GssapiClient(forged).first()), { error: ErrorCode.AuthFailed, token: null });
  await other.closed();
  const odd = await RawClient.open(t, clientPort);
  const three = new GssapiClient(issueTicket(ENTRY, parsePrincipal('a/b/c@EXAMPLE')));
  const proof = await send(odd, three.first());
  const offer = await send(odd, three.answer(proof.token ?? NOTHING));
  assert.equal((await send(odd, three.answer(offer.token ?? NOTHING))).error, ErrorCode.AuthFailed);
});

test('settings that cannot work stop the start and say why', (t) => {
  const fails = (message: RegExp, module: string, more: Record<string, string> = {}): void => {
    const flags = Object.entries({ ...settings(t, module), ...more }).map(([name, value]) => `${name}=${value}`);
    assert.throws(
      () => loadConfig({ flags }),
      (error: Error) => error instanceof ConfigError && message.test(error.message),
    );
  };
  const good = 'useKeyTab=true principal="zookeeper/localhost"';
  fails(/needs useKeyTab=true/, 'principal="zookeeper/localhost"');
  fails(/needs principal=/, 'useKeyTab=true');
  fails(/has to be service\/host/, 'useKeyTab=true principal="zookeeper"');
  fails(/has no key of zookeeper\/elsewhere@EXAMPLE/, 'useKeyTab=true principal="zookeeper/elsewhere"');
  fails(/has no key of zookeeper\/localhost@OTHER/, good, { 'java.security.krb5.realm': 'OTHER' });
  fails(/krb5.conf.*ENOENT/, good, { 'java.security.krb5.conf': '/nowhere/krb5.conf' });
  fails(/auth_to_local=NONE: NONE is no rule/, good, { 'security.auth_to_local': 'NONE' });
});
