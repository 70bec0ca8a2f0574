// Java's login configuration, read as the JDK reads it, and what is told about one that cannot be used.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ConfigError, loadConfig } from '../../dist/config/index.js';
import { parseJaas } from '../../dist/config/jaas.js';

const options = (text: string): Record<string, string> =>
  Object.fromEntries(parseJaas(`Server { a.B required ${text}; };`).get('Server')?.[0]?.options ?? []);

test('sections hold login modules with their options', () => {
  const sections = parseJaas(`
    // a comment
    Server { /* another
      one */ a.B REQUIRED user_x="y" /* none */ user_z = w;
      "c.D" optional; };
    "odd name" { };
  `);
  assert.deepEqual([...sections.keys()], ['Server', 'odd name']);
  const [first, second] = sections.get('Server') ?? [];
  assert.equal(first?.className, 'a.B');
  assert.deepEqual(
    [...(first?.options ?? [])],
    [
      ['user_x', 'y'],
      ['user_z', 'w'],
    ],
  );
  assert.deepEqual([second?.className, second?.options.size], ['c.D', 0]);
  assert.equal(parseJaas('').size, 0);
});

test('values may hold everything, with escapes', () => {
  assert.deepEqual(options(String.raw`user_a="\n\t\"b\\c\101\z\x41"`), { user_a: '\n\t"b\\cAzx41' });
  assert.deepEqual(options(String.raw`user_a="\0012\401\18"`), { user_a: '\x012 1\x018' });
  assert.deepEqual(options('user_a="" user_b="a//b/*c*/" user_é="ü"'), {
    user_a: '',
    user_b: 'a//b/*c*/',
    user_é: 'ü',
  });
  assert.deepEqual(options('"user_q z"="y" user_x=y.z-1$_ user_x="last"'), { 'user_q z': 'y', user_x: 'last' });
});

test('what the JDK does not take is refused, with its line', () => {
  for (const [text, message] of [
    ['Server {\n a.B required user_x="y" };', /line 2: an option or ';'/],
    ['Server { a.B required user_x="y"; }', /line 1: ';' is expected/],
    ['Server { a.B sometimes user_x="y"; };', /'required' is expected/],
    ['Server { a.B required user_x=12; };', /'1' is not understood; values stand in quotes/],
    ['Server { a.B required user_x="un\nfinished"; };', /not understood/],
    ['Server { a.B required user_a@b="y"; };', /'@' is not understood/],
    ['# no comment\nServer { };', /'#' is not understood/],
    ['Server { };\nServer { };', /section Server is there twice/],
    [`Server { a.B required user_x="$\{user.home}"; };`, /Java's properties are not known here/],
    ['Server { };\nfoo', /'{' is expected/],
    ['Server { a.B required; /*', /not understood/],
  ] as const) {
    assert.throws(() => parseJaas(text), message, text);
  }
});

function load(t: TestContext, text: string | undefined, ...flags: string[]): ReturnType<typeof loadConfig> {
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-'));
  t.after(() => rmSync(dir, { recursive: true }));
  if (text !== undefined) {
    writeFileSync(join(dir, 'jaas.conf'), text);
    flags.push(`-Djava.security.auth.login.config=${join(dir, 'jaas.conf')}`);
  }
  return loadConfig({ flags });
}

const DIGEST = 'org.apache.zookeeper.server.auth.DigestLoginModule required';
const PROVIDER = '-Dzookeeper.authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider';

test('users come from the section that sasl.serverconfig names', (t) => {
  const text = `Server { ${DIGEST} user_a="1"; }; Other { ${DIGEST} user_b="2" user_super="3"; };`;
  assert.deepEqual(load(t, text).sasl?.users, new Map([['a', '1']]));
  const other = load(
    t,
    text,
    '-Dzookeeper.sasl.serverconfig=Other',
    '-Dzookeeper.SASLAuthenticationProvider.superPassword=4',
  );
  assert.deepEqual(
    other.sasl?.users,
    new Map([
      ['b', '2'],
      ['super', '4'],
    ]),
  );
  assert.equal(load(t, `Client { ${DIGEST} username="a"; };`).sasl, undefined);
  assert.equal(load(t, undefined).sasl, undefined);
});

test('a login that cannot work stops the start and says why', (t) => {
  const fails = (message: RegExp, text: string | undefined, ...flags: string[]): void => {
    assert.throws(
      () => load(t, text, ...flags),
      (error: Error) => error instanceof ConfigError && message.test(error.message),
    );
  };
  fails(/login\.config=.*: cannot be read: .*no such file/i, undefined, '-Djava.security.auth.login.config=/nowhere');
  fails(/cannot be read: line 1/, 'Server');
  fails(/needs useKeyTab/, 'Server { com.sun.security.auth.module.Krb5LoginModule required; };');
  fails(/login module a.B is not known/, 'Server { a.B required; };');
  fails(/sasl, which is not there; add authProvider/, undefined, 'sessionRequireClientSASLAuth=true');
  fails(/needs enforce.auth.schemes/, undefined, 'enforce.auth.enabled=true');
  fails(/scheme x, which is not there/, undefined, 'enforce.auth.enabled=true', 'enforce.auth.schemes=ip,x');
  assert.deepEqual(load(t, undefined, 'sessionRequireClientSASLAuth=true', PROVIDER).requiredSchemes, ['sasl']);
});
