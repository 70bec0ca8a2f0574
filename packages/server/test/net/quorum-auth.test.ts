// Servers that log in with each other: the bytes of the exchange, who is let in, and options that cannot work.
// The exchange of the first test was recorded from the JDK's client and server.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { GssapiClient, Keytab, type Principal, parsePrincipal } from '@nodekeeper/kerberos';
import { issueTicket, keytabOf, newEntry, TestKdc } from '@nodekeeper/kerberos/testing';
import { ConfigError, loadConfig, type ServerConfig } from '../../dist/config/index.js';
import { DigestMd5Client, SaslError } from '../../dist/net/sasl/digest-md5.js';
import { QuorumAuth } from '../../dist/net/sasl/quorum-auth.js';
import { memberLogins, type QuorumAuthSettings, type TicketLogin } from '../../dist/net/sasl/quorum-login.js';
import { dataDir } from '../server/raw-client.js';

const QUORUM = { protocol: 'zookeeper-quorum', realm: 'zk-quorum-sasl-md5' };
const MAGIC = '5f2435013501edcc';
const USERS = new Map([['one', 'secret']]);
const STRICT = { users: USERS, service: undefined, serverRequires: true, login: { user: 'one', password: 'secret' } };

test('the client answers as the JDK does, and believes a server only that knows the password', () => {
  const challenge =
    'realm="zk-quorum-sasl-md5",nonce="0Pl+PA/8GfUvGfkulZv/pW0q/G9/DbB2bYbqYXis",charset=utf-8,algorithm=md5-sess';
  const client = (): DigestMd5Client =>
    new DigestMd5Client(QUORUM, 'te"st', 'pä"ss\\', 'kl/lIbGdVq/n/HlK7qKWhMpYGZQiEKsIa83LG/ox');
  const right = client();
  assert.equal(
    right.answer(Buffer.from(challenge)).toString(),
    'charset=utf-8,username="te\\"st",realm="zk-quorum-sasl-md5",nonce="0Pl+PA/8GfUvGfkulZv/pW0q/G9/DbB2bYbqYXis",nc=00000001,cnonce="kl/lIbGdVq/n/HlK7qKWhMpYGZQiEKsIa83LG/ox",digest-uri="zookeeper-quorum/zk-quorum-sasl-md5",maxbuf=65536,response=f516cf452b6a2d59b98386eada5e85cf,qop=auth,authzid="te\\"st"',
  );
  assert.equal(right.complete, false);
  right.answer(Buffer.from('rspauth=7df79457ae2fde6a3f585dcb838a9a2f'));
  assert.equal(right.complete, true);
  const wrong = client();
  wrong.answer(Buffer.from(challenge));
  assert.throws(() => wrong.answer(Buffer.from('rspauth=7df79457ae2fde6a3f585dcb838a9a20')), SaslError);
  assert.equal(wrong.complete, false);
  for (const odd of ['', 'nonsense', challenge.replace('md5-sess', 'md5'), `${challenge},qop="auth-int,auth-conf"`]) {
    assert.throws(() => client().answer(Buffer.from(odd)), SaslError, odd);
  }
});

const quorumAuth = (settings: QuorumAuthSettings): QuorumAuth =>
  new QuorumAuth(
    settings,
    () => Date.now(),
    () => new Set(['localhost']),
  );

/** Both ends of a connection. */
async function pair(t: TestContext): Promise<{ readonly dialler: Socket; readonly acceptor: Socket }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const dialler = connect((server.address() as { port: number }).port, '127.0.0.1');
  const acceptor = await accepted;
  t.after(() => {
    dialler.destroy();
    acceptor.destroy();
    server.close();
  });
  return { dialler, acceptor };
}

interface Outcome {
  readonly problem: string | undefined;
  readonly rest: Buffer;
}

const outcome = (act: (done: (problem: string | undefined, rest: Buffer) => void) => void): Promise<Outcome> =>
  new Promise((resolve) => act((problem, rest) => resolve({ problem, rest })));

const NOTHING = Buffer.alloc(0);

test('two servers with the same secret let each other through; what comes behind is handed on', async (t) => {
  const { dialler, acceptor } = await pair(t);
  const auth = quorumAuth(STRICT);
  const demanded = outcome((done) => auth.demand(acceptor, NOTHING, done));
  const proved = outcome((done) => auth.prove(dialler, 'localhost', done));
  assert.deepEqual(await demanded, { problem: undefined, rest: NOTHING });
  assert.deepEqual(await proved, { problem: undefined, rest: NOTHING });

  const other = await pair(t);
  let written = Buffer.alloc(0);
  other.dialler.on('data', (chunk) => {
    written = Buffer.concat([written, chunk]);
  });
  const second = outcome((done) => auth.demand(other.acceptor, NOTHING, done));
  const again = outcome((done) => auth.prove(other.dialler, 'localhost', done));
  await Promise.all([second, again]);
  assert.equal(written.subarray(0, 12).toString('hex'), `${MAGIC}00000000`, 'magic, in progress');
});

test('a wrong password ends the login on both sides, with an error packet', async (t) => {
  const { dialler, acceptor } = await pair(t);
  const wrong = quorumAuth({ ...STRICT, login: { user: 'one', password: 'guess' } });
  const demanded = outcome((done) => quorumAuth(STRICT).demand(acceptor, NOTHING, done));
  const proved = outcome((done) => wrong.prove(dialler, 'localhost', done));
  assert.match((await demanded).problem ?? '', /wrong password for user one/);
  assert.match((await proved).problem ?? '', /refuses the login/);
});

test('an acceptor that does not know the password is not believed', async (t) => {
  const { dialler, acceptor } = await pair(t);
  const proved = outcome((done) => quorumAuth(STRICT).prove(dialler, 'localhost', done));
  const packet = (status: number, token: string): Buffer => {
    const head = Buffer.alloc(16);
    head.write(MAGIC, 'hex');
    head.writeInt32BE(status, 8);
    head.writeInt32BE(token.length, 12);
    return Buffer.concat([head, Buffer.from(token)]);
  };
  acceptor.write(packet(1, 'realm="zk-quorum-sasl-md5",nonce="x",charset=utf-8,algorithm=md5-sess'));
  assert.match((await proved).problem ?? '', /does not prove/);
});

test('who does not log in is let through only where that is not required', async (t) => {
  for (const serverRequires of [true, false]) {
    const { dialler, acceptor } = await pair(t);
    const auth = quorumAuth({ ...STRICT, serverRequires });
    const demanded = outcome((done) => auth.demand(acceptor, Buffer.from('1'), done));
    dialler.write('2345678 and more');
    const { problem, rest } = await demanded;
    if (serverRequires) assert.match(problem ?? '', /does not log in/);
    else assert.deepEqual([problem, rest.toString()], [undefined, '12345678 and more']);
  }
  const { dialler } = await pair(t);
  const silent = outcome((done) => quorumAuth({ ...STRICT, login: undefined }).prove(dialler, 'localhost', done));
  assert.equal((await silent).problem, undefined);
  assert.equal(dialler.bytesWritten, 0);
});

test('what is too long, or ends early, is no login', async (t) => {
  const { dialler, acceptor } = await pair(t);
  const demanded = outcome((done) => quorumAuth(STRICT).demand(acceptor, NOTHING, done));
  dialler.write(Buffer.from(`${MAGIC}000000007fffffff`, 'hex'));
  assert.match((await demanded).problem ?? '', /a token of 2147483647 bytes/);
  const other = await pair(t);
  const cut = outcome((done) => quorumAuth(STRICT).demand(other.acceptor, NOTHING, done));
  other.dialler.write(Buffer.from(MAGIC, 'hex'));
  other.dialler.end();
  assert.match((await cut).problem ?? '', /ended within the login/);
});

const MEMBER = newEntry(parsePrincipal('zkquorum/localhost@EXAMPLE'));
const STRANGER = newEntry(parsePrincipal('zkquorum/elsewhere@EXAMPLE'));
const PERSON = newEntry(parsePrincipal('localhost@EXAMPLE'));
const FOREIGNER = newEntry(parsePrincipal('zkquorum/localhost@OTHER'));

/** A realm with a member; the settings of one who is of it, or is somebody else. */
async function kerberos(
  t: TestContext,
  who = MEMBER,
  kdc = new TestKdc(who.principal.realm, [MEMBER, STRANGER, PERSON, FOREIGNER]),
): Promise<QuorumAuthSettings> {
  const dir = dataDir(t);
  const { realm } = who.principal;
  const port = await kdc.start();
  t.after(() => kdc.close());
  const keytab = join(dir, 'keytab');
  writeFileSync(keytab, keytabOf([MEMBER, STRANGER, PERSON, FOREIGNER]));
  writeFileSync(join(dir, 'krb5.conf'), `[realms]\n${realm} = {\nkdc = 127.0.0.1:${port}\n}\n`);
  const principal = `${who.principal.components.join('/')}@${realm}`;
  const login: TicketLogin = { principal, keytab, config: join(dir, 'krb5.conf'), servicePrincipal: 'zkquorum/_HOST' };
  return {
    users: new Map(),
    service: { principal: MEMBER.principal, keytab: new Keytab(keytab) },
    serverRequires: true,
    login,
  };
}

test('two servers with tickets let each other through, whatever comes behind', async (t) => {
  const { dialler, acceptor } = await pair(t);
  const auth = quorumAuth(await kerberos(t));
  const demanded = outcome((done) => auth.demand(acceptor, NOTHING, done));
  const proved = outcome((done) => auth.prove(dialler, 'LOCALHOST', done));
  assert.deepEqual(await demanded, { problem: undefined, rest: NOTHING });
  assert.deepEqual(await proved, { problem: undefined, rest: NOTHING });
});

test('a server that has got another key refuses the ticket for the former one once', async (t) => {
  const kdc = new TestKdc('EXAMPLE', [MEMBER]);
  const settings = await kerberos(t, MEMBER, kdc);
  const auth = quorumAuth(settings);
  const login = async (acceptingAs: QuorumAuthSettings): Promise<string | undefined> => {
    const { dialler, acceptor } = await pair(t);
    quorumAuth(acceptingAs).demand(acceptor, NOTHING, () => {});
    return (await outcome((done) => auth.prove(dialler, 'localhost', done))).problem;
  };
  assert.equal(await login(settings), undefined);
  assert.equal(await login(settings), undefined);
  assert.deepEqual(kdc.asked, ['AS zkquorum/localhost', 'TGS zkquorum/localhost'], 'the ticket is used again');
  const [renewed] = kdc.entries.splice(0, 1, newEntry(MEMBER.principal));
  assert.equal(renewed, MEMBER);
  const keytab = join(dataDir(t), 'renewed');
  writeFileSync(keytab, keytabOf(kdc.entries));
  const after = { ...settings, service: { principal: MEMBER.principal, keytab: new Keytab(keytab) } };
  assert.match((await login(after)) ?? '', /refuses the login/);
  assert.equal(await login(after), undefined);
});

test('only principals with the host of a member are let in', async (t) => {
  const member = quorumAuth(await kerberos(t));
  for (const who of [STRANGER, PERSON]) {
    const { dialler, acceptor } = await pair(t);
    const other = quorumAuth(await kerberos(t, who));
    const demanded = outcome((done) => member.demand(acceptor, NOTHING, done));
    const proved = outcome((done) => other.prove(dialler, 'localhost', done));
    assert.match((await demanded).problem ?? '', /is no member's principal/);
    assert.match((await proved).problem ?? '', /refuses the login/);
  }
  const { dialler, acceptor } = await pair(t);
  const foreigner = quorumAuth(await kerberos(t, FOREIGNER));
  const demanded = outcome((done) => member.demand(acceptor, NOTHING, done));
  const proved = outcome((done) => foreigner.prove(dialler, 'localhost', done));
  assert.match((await demanded).problem ?? '', /a ticket for zkquorum\/localhost@OTHER/);
  assert.match((await proved).problem ?? '', /refuses the login/);
});

test('a principal of another realm is no member, whatever its name', async (t) => {
  const newLogin = memberLogins(
    await kerberos(t),
    () => Date.now(),
    () => new Set(['localhost']),
  );
  const lets = (client: Principal): string | undefined => {
    const login = newLogin();
    // The flag: the KDC has checked the realms between.
    const proof = new GssapiClient(issueTicket(MEMBER, client, { flags: 0x00080000 }));
    proof.answer(login.answer(proof.first()) ?? NOTHING);
    login.answer(proof.answer(login.answer(NOTHING) ?? NOTHING));
    return login.user;
  };
  assert.equal(lets(MEMBER.principal), 'zkquorum/localhost@EXAMPLE');
  assert.throws(() => lets(FOREIGNER.principal), /zkquorum\/localhost@OTHER is no member's principal/);
});

test('a server without a ticket says why, and dials nobody', async (t) => {
  const { dialler } = await pair(t);
  const auth = quorumAuth(await kerberos(t));
  const { problem } = await outcome((done) => auth.prove(dialler, 'nowhere', done));
  assert.match(problem ?? '', /zkquorum\/nowhere@EXAMPLE: the service is not known/);
  assert.equal(dialler.bytesWritten, 0);
});

test('options that cannot work stop the start and say why', (t) => {
  const file = join(dataDir(t), 'jaas.conf');
  const module = 'org.apache.zookeeper.server.auth.DigestLoginModule required';
  writeFileSync(
    file,
    `QuorumServer { ${module} user_one="secret"; }; QuorumLearner { ${module} username="one" password="secret"; }; Nobody { ${module}; };`,
  );
  const load = (...options: string[]): ServerConfig =>
    loadConfig({
      flags: [
        'server.1=127.0.0.1:1:2',
        'server.2=127.0.0.1:3:4',
        'initLimit=10',
        'syncLimit=5',
        ...options.map((option) => `quorum.auth.${option}`),
        `-Djava.security.auth.login.config=${file}`,
      ],
    });
  assert.equal(load().quorumAuth, undefined);
  const all = ['enableSasl=true', 'serverRequireSasl=true', 'learnerRequireSasl=true'];
  assert.deepEqual(load(...all).quorumAuth, STRICT);
  assert.deepEqual(load('enableSasl=true').quorumAuth, { ...STRICT, serverRequires: false, login: undefined });
  const fails = (message: RegExp, ...options: string[]): void => {
    assert.throws(
      () => load(...options),
      (error: Error) => error instanceof ConfigError && message.test(error.message),
    );
  };
  fails(/learnerRequireSasl=true needs quorum\.auth\.enableSasl=true/, 'learnerRequireSasl=true');
  fails(
    /serverRequireSasl=true needs quorum\.auth\.learnerRequireSasl=true/,
    'enableSasl=true',
    'serverRequireSasl=true',
  );
  fails(/needs a section Other in the JAAS file/, ...all, 'server.saslLoginContext=Other');
  fails(/needs username/, ...all, 'learner.saslLoginContext=Nobody');
});

test('Kerberos between servers needs a keytab on both sides, and krb5.conf where this server dials', (t) => {
  const dir = dataDir(t);
  const jaas = join(dir, 'jaas.conf');
  const krb5 = join(dir, 'krb5.conf');
  const keytab = join(dir, 'keytab');
  writeFileSync(keytab, keytabOf([MEMBER]));
  writeFileSync(krb5, '[libdefaults]\ndefault_realm = EXAMPLE\n');
  const own = `com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true keyTab="${keytab}" principal="zkquorum/localhost"`;
  const load = (text: string, ...options: string[]): ServerConfig => {
    writeFileSync(jaas, text);
    const flags = [
      'server.1=127.0.0.1:1:2',
      'server.2=127.0.0.1:3:4',
      'initLimit=10',
      'syncLimit=5',
      'quorum.auth.enableSasl=true',
    ];
    return loadConfig({ flags: [...flags, `java.security.auth.login.config=${jaas}`, ...options] });
  };
  const dials = 'quorum.auth.learnerRequireSasl=true';
  const both = `QuorumServer { ${own}; }; QuorumLearner { ${own}; };`;
  const host = 'quorum.auth.kerberos.servicePrincipal=zkquorum/_HOST';
  const { quorumAuth } = load(both, dials, host, `java.security.krb5.conf=${krb5}`);
  assert.deepEqual(quorumAuth?.service?.principal, MEMBER.principal);
  assert.deepEqual(quorumAuth?.login, {
    principal: 'zkquorum/localhost@EXAMPLE',
    keytab,
    config: krb5,
    servicePrincipal: 'zkquorum/_HOST',
  });
  assert.equal(load(both, `java.security.krb5.conf=${krb5}`).quorumAuth?.login, undefined);
  const fails = (message: RegExp, text: string, ...options: string[]): void => {
    assert.throws(
      () => load(text, ...options),
      (error: Error) => error instanceof ConfigError && message.test(error.message),
    );
  };
  const digest = 'org.apache.zookeeper.server.auth.DigestLoginModule required username="a" password="b"';
  fails(
    /QuorumServer and QuorumLearner .* have to be of one kind/,
    `QuorumServer { ${own}; }; QuorumLearner { ${digest}; };`,
    dials,
  );
  fails(/krb5\.conf|nowhere/, both, dials, 'java.security.krb5.realm=EXAMPLE', 'java.security.krb5.conf=/nowhere');
  fails(
    /section QuorumLearner .*has no key of other@EXAMPLE/,
    both.replace(/"zkquorum\/localhost"(?=; };$)/, '"other"'),
    dials,
    `java.security.krb5.conf=${krb5}`,
  );
});
