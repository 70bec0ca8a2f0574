// SASL DIGEST-MD5: the client proves who it is, and has the server prove that it knows the password too.
// The responses of the first test were made by the JDK's client.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { SaslMechanism } from '@nodekeeper/client';
import { Client, connect, isKeeperError } from '../dist/index.js';
import { DigestMd5 } from '../dist/sasl-digest-md5.js';
import { Relay } from './relay.js';
import { begin, dataDir, open, serve, type TestServer } from './support.js';

const BOB = { mechanism: 'DIGEST-MD5', username: 'bob', password: 'bobsecret' } as const;

/** A server that knows bob. */
function serveSasl(t: TestContext): Promise<TestServer> {
  const jaas = join(dataDir(t), 'jaas.conf');
  const module = 'org.apache.zookeeper.server.auth.DigestLoginModule';
  writeFileSync(jaas, `Server {\n  ${module} required user_bob="bobsecret";\n};\n`);
  return serve(t, {
    'authProvider.sasl': 'org.apache.zookeeper.server.auth.SASLAuthenticationProvider',
    sessionRequireClientSASLAuth: true,
    'java.security.auth.login.config': jaas,
  });
}

test('a challenge is answered as the JDK does', () => {
  const challenge = Buffer.from('realm="zk-sasl-md5",nonce="bm9uY2U=",charset=utf-8,algorithm=md5-sess');
  const bob = new DigestMd5(BOB, 'KjMz5IE1kHpxQJVjT2jD6Our+pCdZxXb0Pfer7ci');
  assert.equal(
    bob.respond(challenge).toString(),
    'charset=utf-8,username="bob",realm="zk-sasl-md5",nonce="bm9uY2U=",nc=00000001,cnonce="KjMz5IE1kHpxQJVjT2jD6Our+pCdZxXb0Pfer7ci",digest-uri="zookeeper/zk-sasl-md5",maxbuf=65536,response=6ccbed59ef91f9aecd3633fea314443e,qop=auth,authzid="bob"',
  );
  assert.equal(bob.confirms(Buffer.from('rspauth=00000000000000000000000000000000')), false);
  const other = { ...BOB, username: 'jürgen', password: 'pπ"s\\x' };
  const response = new DigestMd5(other, 'MlU96ogwqrOdLGQUzcIX4J5cMITJpWfzJ6PsHVpS').respond(challenge).toString();
  assert.match(response, /,response=73e894942f1460985aa7e8d38427ef33,/);
});

test('what is no challenge is told', () => {
  for (const text of ['', 'realm="x"', 'nonce="x",algorithm=sha-256'])
    assert.throws(() => new DigestMd5(BOB).respond(Buffer.from(text)), /no DIGEST-MD5 challenge/);
});

test('a user logs in on every connection', async (t) => {
  const { clientPort } = await serveSasl(t);
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port, { sasl: BOB });
  await client.create('/a', { acl: [{ perms: 31, scheme: 'sasl', id: 'bob' }] });
  const reconnected = once(client, 'reconnected');
  relay.cut();
  await reconnected;
  await client.setData('/a', 'x');
  assert.ok((await client.whoAmI()).some(({ scheme, id }) => scheme === 'sasl' && id === 'bob'));
});

test('a user who is refused ends the client', async (t) => {
  const { clientPort } = await serveSasl(t);
  const client = begin(t, clientPort, { sasl: { ...BOB, password: 'guess' } });
  const refused = { codeName: 'AuthFailed', message: /the server refuses the login/ };
  const waiting = assert.rejects(client.exists('/'), refused);
  await assert.rejects(client.connected(), refused);
  assert.equal(client.state, 'authFailed');
  await assert.rejects(client.exists('/'), refused);
  await assert.rejects(client.addAuth('digest', 'a:b'), refused);
  await waiting;
  const failed = await connect(`127.0.0.1:${clientPort}`, { sasl: { ...BOB, password: 'guess' } }).catch(
    (e: unknown) => e,
  );
  assert.ok(isKeeperError(failed) && isKeeperError(failed.cause));
  assert.match(failed.cause.message, /the server refuses the login/);
});

test('a server without SASL ends the client that asks for it', async (t) => {
  const { clientPort } = await serve(t);
  const client = begin(t, clientPort, { sasl: BOB });
  await assert.rejects(client.connected(), { codeName: 'AuthFailed', message: /the server offers no SASL/ });
});

test('a mechanism that the program brings is used; where it cannot begin, the next attempt does', async (t) => {
  const { clientPort } = await serveSasl(t);
  const hosts: string[] = [];
  const mechanism = (password: string): SaslMechanism => ({
    mechanism: 'DIGEST-MD5',
    async begin(host) {
      hosts.push(host);
      if (hosts.length === 1) throw new Error('no ticket yet');
      const digest = new DigestMd5({ ...BOB, password });
      let confirmed = false;
      return {
        first: () => new Uint8Array(0),
        answer(token) {
          if (confirmed || token === null) return undefined;
          confirmed = token.toString().startsWith('rspauth=');
          return confirmed ? undefined : digest.respond(token);
        },
      };
    },
  });
  const client = await open(t, clientPort, { sasl: mechanism('bobsecret') });
  assert.ok((await client.whoAmI()).some(({ scheme, id }) => scheme === 'sasl' && id === 'bob'));
  assert.deepEqual(hosts, ['127.0.0.1', '127.0.0.1']);
  const refused = begin(t, clientPort, { sasl: mechanism('guess') });
  await assert.rejects(refused.connected(), { codeName: 'AuthFailed' });
});

test('a refused login is followed by another if the mechanism has one, and ends the client if not', {
  timeout: 20_000,
}, async (t) => {
  const { clientPort } = await serveSasl(t);
  const relay = await Relay.start(t, clientPort);
  const passwords = ['bobsecret', 'old', 'bobsecret', 'old', 'wrong'];
  const mechanism: SaslMechanism = {
    mechanism: 'DIGEST-MD5',
    async begin() {
      const password = passwords.shift() ?? '';
      const digest = new DigestMd5({ ...BOB, password });
      let isAnswered = false;
      return {
        first: () => new Uint8Array(0),
        answer(token) {
          if (isAnswered || token === null) return undefined;
          isAnswered = true;
          return digest.respond(token);
        },
        refused: () => password === 'old',
      };
    },
  };
  const client = await open(t, relay.port, { sasl: mechanism });
  const { sessionId } = client;
  const reconnected = once(client, 'reconnected');
  relay.cut();
  await reconnected;
  assert.equal(client.sessionId, sessionId);
  assert.deepEqual(passwords, ['old', 'wrong']);
  const over = once(client, 'authFailed');
  relay.cut();
  await over;
  assert.deepEqual(passwords, []);
});

test('a mechanism that never begins its login keeps nobody from giving up', async (t) => {
  const { clientPort } = await serve(t);
  const sasl: SaslMechanism = { mechanism: 'SLOW', begin: () => new Promise(() => {}) };
  await assert.rejects(connect(`127.0.0.1:${clientPort}`, { sasl, timeout: 20 }), { codeName: 'OperationTimeout' });
  // Each attempt ends by itself, too.
  const hosts: string[] = [];
  const begin = (host: string) => new Promise<never>(() => void hosts.push(host));
  const client = new Client(`127.0.0.1:${clientPort}`, { sasl: { ...sasl, begin }, connectTimeout: 20 }).start();
  while (hosts.length < 2) await new Promise((resolve) => setTimeout(resolve, 2));
  await client.close();
  assert.equal(client.state, 'closed');
});
