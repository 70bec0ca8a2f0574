// Key stores, trust stores and the names in certificates. Fixtures are made by test/fixtures/tls/make.sh.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cipherSuite } from '../../dist/net/tls/cipher-suites.js';
import { readKeyStore, readTrustStore, TlsError } from '../../dist/net/tls/key-store.js';
import { subjectName } from '../../dist/net/tls/subject-name.js';

const FIXTURES = fileURLToPath(new URL('../../test/fixtures/tls/', import.meta.url));
const store = (file: string, password = 'secret', passwordPath?: string) => ({
  option: 'ssl.keyStore.location',
  path: file.startsWith('/') ? file : join(FIXTURES, file),
  password,
  passwordPath,
});
const server = new X509Certificate(readFileSync(join(FIXTURES, 'server.pem')));

for (const file of ['server.p12', 'server-3des.p12', 'server-rc2.p12', 'server.jks', 'server-encrypted.pem']) {
  test(`the key, its certificate and the authority's are found in ${file}`, () => {
    const { key, chain } = readKeyStore(store(file));
    assert.ok(server.checkPrivateKey(key));
    assert.deepEqual(
      chain.map((certificate) => subjectName(certificate)),
      ['CN=localhost,O=Test', 'CN=Authority,O=Test'],
    );
  });

  test(`a wrong password for ${file} is told`, () => {
    assert.throws(
      () => readKeyStore(store(file, 'wrong')),
      (e) => e instanceof TlsError && /password/.test(e.message) && e.message.includes(file) && e.exitCode === 2,
    );
  });
}

test('a key that is not encrypted needs no password', () => {
  assert.ok(server.checkPrivateKey(readKeyStore(store('server.pem', '')).key));
});

test('a trust store of certificates alone is read, as keytool writes it and as PEM', () => {
  for (const file of ['trust.p12', 'trust.jks', 'ca.pem']) {
    assert.deepEqual(readTrustStore(store(file)).map(subjectName), ['CN=Authority,O=Test']);
  }
});

test('the password may stand in a file, which wins', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-tls-'));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, 'password'), 'secret\n');
  assert.ok(readKeyStore(store('server.p12', 'wrong', join(dir, 'password'))).key);
  assert.throws(() => readKeyStore(store('server.p12', 'secret', join(dir, 'none'))), /none: cannot be read/);
});

for (const [file, said] of [
  ['trust.jks', /no private key/],
  ['key-password.jks', /another password than the store.*keytool -keypasswd/],
  ['server.jceks', /a JCEKS file.*keytool -importkeystore -srckeystore .*server\.jceks .*-deststoretype PKCS12/],
  ['make.sh', /neither a PEM nor a PKCS12 nor a JKS file/],
  ['ca.pem', /no private key/],
  ['missing.pem', /cannot be read/],
] as const) {
  test(`${file} is refused as a key store, with what to do`, () => {
    assert.throws(
      () => readKeyStore(store(file)),
      (e) => e instanceof TlsError && said.test(e.message),
    );
  });
}

for (const file of ['server.p12', 'server-rc2.p12', 'server.jks'])
  test(`a damaged ${file} is told, wherever the damage is`, (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-tls-'));
    t.after(() => rmSync(dir, { recursive: true }));
    const path = join(dir, 'damaged');
    const good = readFileSync(join(FIXTURES, file));
    for (let cut = 1; cut < good.length; cut += 97) {
      writeFileSync(path, good.subarray(0, cut));
      assert.throws(() => readKeyStore(store(path)), TlsError);
    }
    for (let at = 0; at < 300; at += 7) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] as number) ^ 0x55;
      writeFileSync(path, bad);
      assert.throws(() => readKeyStore(store(path)), TlsError);
    }
  });

test("subjects are written as Java's X500Principal writes them", () => {
  const lines = readFileSync(join(FIXTURES, 'subjects.txt'), 'utf8').trimEnd().split('\n');
  assert.equal(lines.length, 5);
  for (const line of lines) {
    const [name, subject] = line.split('\t');
    assert.equal(subjectName(new X509Certificate(readFileSync(join(FIXTURES, `${name}.pem`)))), subject);
  }
});

test("cipher suites are known by Java's names", () => {
  assert.equal(cipherSuite('TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'), 'ECDHE-RSA-AES128-GCM-SHA256');
  assert.equal(cipherSuite('TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384'), 'ECDHE-ECDSA-AES256-SHA384');
  assert.equal(cipherSuite('TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256'), 'ECDHE-RSA-CHACHA20-POLY1305');
  assert.equal(cipherSuite('TLS_RSA_WITH_AES_256_GCM_SHA384'), 'AES256-GCM-SHA384');
  assert.equal(cipherSuite('TLS_RSA_WITH_AES_128_CBC_SHA'), 'AES128-SHA');
  assert.equal(cipherSuite('TLS_AES_128_GCM_SHA256'), 'TLS_AES_128_GCM_SHA256');
  assert.equal(cipherSuite('ECDHE-RSA-AES128-GCM-SHA256'), 'ECDHE-RSA-AES128-GCM-SHA256');
  assert.equal(cipherSuite('TLS_RSA_WITH_RC4_128_MD5'), undefined);
});
