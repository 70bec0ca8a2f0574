// Keytab files: what MIT's kadmin wrote is read, holes and unknown types are passed over, damage is refused, changes are seen.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatPrincipal, KerberosError, Keytab, parseKeytab, parsePrincipal } from '@nodekeeper/kerberos';
import { keytabOf, newEntry } from '@nodekeeper/kerberos/testing';
import { MIT_KEYTAB } from './recorded.js';

test('a keytab of MIT is read', () => {
  const entries = parseKeytab(MIT_KEYTAB);
  assert.deepEqual(
    entries.map(({ principal, kvno, key }) => [formatPrincipal(principal), kvno, key.enctype.name]),
    [
      ['zookeeper/localhost@EXAMPLE.TEST', 2, 'aes256-cts-hmac-sha1-96'],
      ['zookeeper/localhost@EXAMPLE.TEST', 2, 'aes128-cts-hmac-sha1-96'],
    ],
  );
});

test('holes and types that are not known are passed over; damage is an error, at every length', () => {
  const whole = MIT_KEYTAB;
  const hole = Buffer.from('fffffffc00000000', 'hex');
  const service = newEntry(parsePrincipal('a/b@C'), 18, 300);
  const file = keytabOf([service]);
  const rc4 = Buffer.from(file);
  rc4.writeUInt16BE(23, rc4.indexOf(service.key.bytes) - 4);
  const all = Buffer.concat([whole.subarray(0, 2), hole, whole.subarray(2), rc4.subarray(2), file.subarray(2)]);
  assert.deepEqual(
    parseKeytab(all).map(({ kvno }) => kvno),
    [2, 2, 300],
  );
  for (let length = 0; length < whole.length; length++) {
    try {
      assert.ok(parseKeytab(whole.subarray(0, length)).length < 2);
    } catch (error) {
      assert.ok(error instanceof KerberosError, `${length}: ${error}`);
    }
    const changed = Buffer.from(whole);
    changed[length] = 0xff - (changed[length] as number);
    try {
      parseKeytab(changed);
    } catch (error) {
      assert.ok(error instanceof KerberosError, `${length}: ${error}`);
    }
  }
});

test('a keytab file that has changed is read again; its keys are found by principal, the newest first', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'keytab-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'keytab');
  const keytab = new Keytab(path);
  const principal = parsePrincipal('zookeeper/h@R');
  assert.throws(() => keytab.keysOf(principal), /keytab .*: ENOENT/);
  writeFileSync(path, keytabOf([newEntry(parsePrincipal('other/h@R'), 18, 9)]));
  assert.throws(() => keytab.keysOf(principal), /has no key of zookeeper\/h@R/);
  writeFileSync(path, keytabOf([18, 20, 17, 18].map((enctype, i) => newEntry(principal, enctype, i === 0 ? 1 : 2))));
  assert.deepEqual(
    keytab.keysOf(principal).map(({ kvno, key }) => [kvno, key.enctype.id]),
    [
      [2, 18],
      [2, 17],
      [2, 20],
      [1, 18],
    ],
  );
});
