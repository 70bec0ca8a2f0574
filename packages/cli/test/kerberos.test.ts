// The shell logs in with Kerberos: by a keytab, to servers whose principals it is told; what it lacks it says.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parsePrincipal } from '@nodekeeper/kerberos';
import { keytabOf, newEntry, TestKdc } from '@nodekeeper/kerberos/testing';
import { atEnd, MAIN, start, temporary } from './support.js';

const SERVICE = newEntry(parsePrincipal('zookeeper/host@EXAMPLE'));
const ALICE = newEntry(parsePrincipal('alice@EXAMPLE'));

/** A KDC and a server; resolves with the folder of keytab and krb5.conf, and the server's address. */
async function realm(t: TestContext): Promise<{ readonly dir: string; readonly server: string }> {
  const dir = temporary(t);
  const kdc = new TestKdc('EXAMPLE', [SERVICE, ALICE]);
  const port = await kdc.start();
  atEnd(t, () => kdc.close());
  const keytab = join(dir, 'keytab');
  writeFileSync(keytab, keytabOf([SERVICE, ALICE]));
  const realms = `[realms]\nEXAMPLE = {\nkdc = 127.0.0.1:${port}\n}\n`;
  writeFileSync(join(dir, 'krb5.conf'), `[libdefaults]\ndefault_realm = EXAMPLE\n${realms}`);
  const module = 'com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true';
  writeFileSync(join(dir, 'jaas'), `Server { ${module} keyTab="${keytab}" principal="zookeeper/host@EXAMPLE"; };`);
  const server = await start(
    join(dir, 'data'),
    `java.security.auth.login.config=${join(dir, 'jaas')}`,
    `java.security.krb5.conf=${join(dir, 'krb5.conf')}`,
  );
  atEnd(t, () => server.close());
  return { dir, server: `127.0.0.1:${server.clientPort}` };
}

function whoami(
  dir: string,
  args: readonly string[],
  config = 'krb5.conf',
): Promise<{ code: number | null; said: string }> {
  const env = { ...process.env, KRB5_CONFIG: join(dir, config), KRB5CCNAME: join(dir, 'none') };
  const child = spawn(process.execPath, [MAIN, 'shell', ...args, 'whoami'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
  }
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, said })));
}

test('the shell logs in by a keytab', async (t) => {
  const { dir, server } = await realm(t);
  const login = ['--keytab', join(dir, 'keytab'), '--principal', 'alice', '--service', 'zookeeper/host'];
  const { code, said } = await whoami(dir, ['-server', server, ...login]);
  assert.match(said, /^sasl: alice@EXAMPLE$/m);
  assert.equal(code, 0);
});

test('what a login lacks is told', async (t) => {
  const { dir, server } = await realm(t);
  const none = await whoami(dir, ['-server', server, '-timeout', '3000', '--kerberos']);
  assert.match(none.said, /credential cache .*none: ENOENT/);
  assert.equal(none.code, 1);
  const nameless = await whoami(dir, ['-server', server, '--keytab', 'x']);
  assert.match(nameless.said, /Kerberos: a keytab needs a principal/);
  assert.equal(nameless.code, 2);
  const unset = await whoami(dir, ['-server', server, '--kerberos'], 'nowhere');
  assert.match(unset.said, /Kerberos: .*nowhere: ENOENT/);
  assert.equal(unset.code, 2);
});
