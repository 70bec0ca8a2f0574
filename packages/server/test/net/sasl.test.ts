// Clients that log in with SASL DIGEST-MD5: what proves them, what they may then do, and what becomes of those who fail.
// The responses of the first two tests were made by the JDK's client.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ErrorCode, OpCode, writeAclList } from '@nodekeeper/protocol';
import { DigestMd5Server, SaslError } from '../../dist/net/sasl/digest-md5.js';
import { dataDir, RawClient, serve } from '../server/raw-client.js';

const SERVICE = { protocol: 'zookeeper', realm: 'zk-sasl-md5' };
const NONCE = 'bm9uY2U=';
const USERS = new Map([
  ['bob', 'bobsecret'],
  ['jürgen', 'pπ"s\\x'],
]);
const OF_THE_JDK =
  'charset=utf-8,username="bob",realm="zk-sasl-md5",nonce="bm9uY2U=",nc=00000001,cnonce="KjMz5IE1kHpxQJVjT2jD6Our+pCdZxXb0Pfer7ci",digest-uri="zookeeper/zk-sasl-md5",maxbuf=65536,response=6ccbed59ef91f9aecd3633fea314443e,qop=auth,authzid="bob"';

function challenged(): DigestMd5Server {
  const server = new DigestMd5Server(SERVICE, (user) => USERS.get(user), NONCE);
  assert.equal(
    server.answer(Buffer.alloc(0)).toString(),
    `realm="zk-sasl-md5",nonce="${NONCE}",charset=utf-8,algorithm=md5-sess`,
  );
  return server;
}

test('the proof of a known user is answered with one of ours', () => {
  const server = challenged();
  const answer = server.answer(Buffer.from(OF_THE_JDK));
  assert.match(answer.toString(), /^rspauth=[0-9a-f]{32}$/);
  assert.equal(server.user, 'bob');
  assert.throws(() => server.answer(Buffer.alloc(0)), SaslError);
});

test('names and passwords beyond ASCII are hashed as Latin-1 where that has them, and as UTF-8 where not', () => {
  const server = challenged();
  server.answer(
    Buffer.from(
      'charset=utf-8,username="jürgen",realm="zk-sasl-md5",nonce="bm9uY2U=",nc=00000001,cnonce="MlU96ogwqrOdLGQUzcIX4J5cMITJpWfzJ6PsHVpS",digest-uri="zookeeper/zk-sasl-md5",maxbuf=65536,response=73e894942f1460985aa7e8d38427ef33,qop=auth,authzid="jürgen"',
    ),
  );
  assert.equal(server.user, 'jürgen');
});

test('a response is read as the JDK reads it', () => {
  const accepted: readonly ((text: string) => string)[] = [
    (t) => `,${t}, ,`,
    (t) => t.replaceAll(',', ',\r\n\t'),
    (t) => t.replaceAll(',', ' '),
    (t) => t.replaceAll('=', ' = ').replace('bm9uY2U = ', 'bm9uY2U='),
    (t) => t.replace('nonce=', 'NONCE=').replace('qop', 'QoP'),
    (t) => t.replace('"bob"', 'bob').replace('qop=auth', 'qop="auth"'),
    (t) => t.replace('"bob"', '"b\\ob"'),
    (t) => t.replace(',qop=auth', ''),
    (t) => t.replace('nc=00000001,', ''),
    (t) => t.replace('charset=utf-8,', ''),
    (t) => `${t},other=a"b",other="a,b=c",other`,
  ];
  for (const change of accepted) {
    const server = challenged();
    server.answer(Buffer.from(change(OF_THE_JDK)));
    assert.equal(server.user, 'bob', change(OF_THE_JDK));
  }
  const refused: readonly ((text: string) => string)[] = [
    () => '',
    () => 'nonsense',
    (t) => t.replace('bob', 'eve'),
    (t) => t.replace('response=6', 'response=7'),
    (t) => t.replace(/response=[^,]*/, (r) => r.toUpperCase()),
    (t) => t.replace(/response=[^,]*,/, ''),
    (t) => t.replace('realm="zk-sasl-md5",', ''),
    (t) => t.replace('realm="zk', 'realm="ZK'),
    (t) => t.replace('nonce="bm9', 'nonce="Bm9'),
    (t) => t.replace(/cnonce="[^"]*",/, ''),
    (t) => t.replace('uri="zookeeper', 'uri="other'),
    (t) => t.replace('qop=auth', 'qop=auth-int'),
    (t) => t.replace('utf-8', 'UTF-8'),
    (t) => `${t},realm="zk-sasl-md5"`,
    (t) => `${t},other=`,
    (t) => `${t},other="a`,
    (t) => t.replace('"bob"', '"bob"x'),
    (t) => t.replace('maxbuf=65536', 'maxbuf=65 536'),
    (t) => `${t},other="${'x'.repeat(4096)}"`,
  ];
  for (const change of refused) {
    const server = challenged();
    assert.throws(() => server.answer(Buffer.from(change(OF_THE_JDK))), SaslError, change(OF_THE_JDK));
    assert.equal(server.user, undefined);
    assert.throws(() => server.answer(Buffer.from(OF_THE_JDK)), SaslError, 'there is no second attempt');
  }
});

const md5 = (input: string | Buffer): Buffer => createHash('md5').update(input).digest();
const PROVIDER = { 'authProvider.1': 'org.apache.zookeeper.server.auth.SASLAuthenticationProvider' };

function jaas(t: TestContext): Record<string, string> {
  const path = join(dataDir(t), 'jaas.conf');
  writeFileSync(
    path,
    'Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_bob="bobsecret" user_ann="annsecret" user_super="supersecret"; };',
  );
  return { ...PROVIDER, 'java.security.auth.login.config': path };
}

interface TokenReply {
  readonly error: number;
  readonly token: string | null;
}

async function sasl(client: RawClient, token: string): Promise<TokenReply> {
  const reply = await client.request(OpCode.sasl, (w) => w.buffer(Buffer.from(token)));
  return { error: reply.error, token: reply.body.buffer()?.toString() ?? null };
}

async function logIn(client: RawClient, user: string, password: string): Promise<TokenReply> {
  const nonce = /nonce="([^"]*)"/.exec((await sasl(client, '')).token ?? '')?.[1];
  const uri = 'zookeeper/zk-sasl-md5';
  const a1 = md5(Buffer.concat([md5(`${user}:zk-sasl-md5:${password}`), Buffer.from(`:${nonce}:cnonce`)])).toString(
    'hex',
  );
  const proof = (method: string): string =>
    md5(`${a1}:${nonce}:00000001:cnonce:auth:${md5(`${method}:${uri}`).toString('hex')}`).toString('hex');
  const reply = await sasl(
    client,
    `username="${user}",realm="zk-sasl-md5",nonce="${nonce}",nc=00000001,cnonce="cnonce",digest-uri="${uri}",qop=auth,response=${proof('AUTHENTICATE')}`,
  );
  if (reply.error === 0 && reply.token !== null) assert.equal(reply.token, `rspauth=${proof('')}`);
  return reply;
}

async function create(client: RawClient, path: string, scheme: string, id: string): Promise<number> {
  const reply = await client.request(OpCode.create, (w) => {
    w.string(path).buffer(Buffer.from('x'));
    writeAclList(w, [{ perms: 31, scheme, id }]);
    w.int(0);
  });
  return reply.error;
}

async function read(client: RawClient, path: string): Promise<number> {
  return (await client.request(OpCode.getData, (w) => w.string(path).bool(false))).error;
}

test('a user who logged in has the identity that ACLs of scheme sasl name', async (t) => {
  const { clientPort } = await serve(t, jaas(t));
  const bob = await RawClient.open(t, clientPort);
  assert.equal((await logIn(bob, 'bob', 'bobsecret')).error, 0);
  assert.equal(await create(bob, '/bob', 'sasl', 'bob'), 0);
  assert.equal(await create(bob, '/auth', 'auth', ''), 0);
  assert.equal(await create(bob, '/host', 'sasl', 'svc/host@REALM'), 0);
  assert.equal(await create(bob, '/odd', 'sasl', 'a/b/c'), 0);
  assert.equal(await create(bob, '/bad', 'sasl', 'a/b/c@REALM'), ErrorCode.InvalidAcl);
  assert.equal(await create(bob, '/bad', 'sasl', 'a@b@c'), ErrorCode.InvalidAcl);
  const ann = await RawClient.open(t, clientPort);
  assert.equal((await logIn(ann, 'ann', 'annsecret')).error, 0);
  const nobody = await RawClient.open(t, clientPort);
  const chief = await RawClient.open(t, clientPort);
  await logIn(chief, 'super', 'supersecret');
  for (const path of ['/bob', '/auth']) {
    assert.equal(await read(bob, path), 0);
    assert.equal(await read(ann, path), ErrorCode.NoAuth);
    assert.equal(await read(nobody, path), ErrorCode.NoAuth);
    assert.equal(await read(chief, path), 0, 'the SASL user super matches every SASL user');
  }
  assert.equal(await create(chief, '/digest', 'digest', 'a:b'), 0);
  assert.equal(await read(chief, '/digest'), ErrorCode.NoAuth, 'but is no superuser');
});

test('who fails is told so and sent away', async (t) => {
  const { clientPort } = await serve(t, jaas(t));
  const client = await RawClient.open(t, clientPort);
  assert.deepEqual(await logIn(client, 'bob', 'wrong'), { error: ErrorCode.AuthFailed, token: null });
  await client.closed();
  const stranger = await RawClient.open(t, clientPort);
  assert.deepEqual(await logIn(stranger, 'eve', 'bobsecret'), { error: ErrorCode.AuthFailed, token: null });
  await stranger.closed();
});

test('allowSaslFailedClients lets a client go on without an identity', async (t) => {
  const { clientPort } = await serve(t, { ...jaas(t), allowSaslFailedClients: true });
  const bob = await RawClient.open(t, clientPort);
  await logIn(bob, 'bob', 'bobsecret');
  await create(bob, '/bob', 'sasl', 'bob');
  const client = await RawClient.open(t, clientPort);
  assert.deepEqual(await logIn(client, 'bob', 'wrong'), { error: 0, token: null });
  assert.equal(await read(client, '/bob'), ErrorCode.NoAuth);
  assert.deepEqual(await logIn(client, 'bob', 'bobsecret'), { error: 0, token: null }, 'there is no second attempt');
  assert.equal(await read(client, '/bob'), ErrorCode.NoAuth);
});

test('sessionRequireClientSASLAuth turns away who does not log in, and who fails', async (t) => {
  const { clientPort } = await serve(t, {
    ...jaas(t),
    sessionRequireClientSASLAuth: true,
    allowSaslFailedClients: true,
  });
  const client = await RawClient.open(t, clientPort);
  assert.equal(await read(client, '/'), ErrorCode.SessionClosedRequireSaslAuth);
  await client.closed();
  const failed = await RawClient.open(t, clientPort);
  assert.deepEqual(await logIn(failed, 'bob', 'wrong'), {
    error: ErrorCode.SessionClosedRequireSaslAuth,
    token: null,
  });
  await failed.closed();
  const bob = await RawClient.open(t, clientPort);
  assert.equal((await logIn(bob, 'bob', 'bobsecret')).error, 0);
  assert.equal(await read(bob, '/'), 0);
});

test('enforce.auth.schemes takes any of the schemes it lists', async (t) => {
  const { clientPort } = await serve(t, {
    ...jaas(t),
    'enforce.auth.enabled': true,
    'enforce.auth.schemes': 'sasl, digest',
  });
  const bob = await RawClient.open(t, clientPort);
  await logIn(bob, 'bob', 'bobsecret');
  assert.equal(await read(bob, '/'), 0);
  const digest = await RawClient.open(t, clientPort);
  await digest.request(OpCode.auth, (w) => w.int(0).string('digest').buffer(Buffer.from('a:b')));
  assert.equal(await read(digest, '/'), 0);
  const client = await RawClient.open(t, clientPort);
  assert.equal(await read(client, '/'), ErrorCode.SessionClosedRequireSaslAuth);
});

test('superUser names who may do everything, letAnySaslUserDoX whose rights everybody has', async (t) => {
  const { clientPort } = await serve(t, {
    ...jaas(t),
    'superUser.1': 'ann',
    letAnySaslUserDoX: 'everyone',
    'SASLAuthenticationProvider.superPassword': 'another',
  });
  const ann = await RawClient.open(t, clientPort);
  await logIn(ann, 'ann', 'annsecret');
  assert.equal(await create(ann, '/digest', 'digest', 'a:b'), 0);
  assert.equal(await read(ann, '/digest'), 0);
  const bob = await RawClient.open(t, clientPort);
  await logIn(bob, 'bob', 'bobsecret');
  assert.equal(await read(bob, '/digest'), ErrorCode.NoAuth);
  assert.equal(await create(bob, '/all', 'sasl', 'everyone'), 0);
  assert.equal(await read(bob, '/all'), 0);
  const chief = await RawClient.open(t, clientPort);
  assert.equal((await logIn(chief, 'super', 'another')).error, 0);
});

test('without the provider, ACLs of scheme sasl are no use, and without users there is nothing to prove', async (t) => {
  const { 'java.security.auth.login.config': file = '' } = jaas(t);
  const { clientPort } = await serve(t, { 'java.security.auth.login.config': file });
  const bob = await RawClient.open(t, clientPort);
  assert.equal((await logIn(bob, 'bob', 'bobsecret')).error, 0);
  assert.equal(await create(bob, '/bob', 'sasl', 'bob'), ErrorCode.InvalidAcl);
  assert.equal(await create(bob, '/auth', 'auth', ''), ErrorCode.InvalidAcl);
  const plain = await serve(t, PROVIDER);
  const client = await RawClient.open(t, plain.clientPort);
  assert.deepEqual(await sasl(client, ''), { error: 0, token: null });
});
