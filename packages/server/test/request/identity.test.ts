// Lists of permissions: who has which, of short lists and of long ones, and how much a list may take.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AuthRules, allows, fixupAcl, type Identity } from '../../dist/request/identity.js';

const RULES: AuthRules = { skipAcl: false, digestEnabled: true, extraSchemes: new Set(), anySaslUser: undefined };
const READ = 1;
const WRITE = 2;

test('of a long list everybody has what an entry gives them, before and after they prove more', () => {
  const list = Array.from({ length: 1000 }, (_, i) => ({ perms: READ, scheme: 'ip', id: `10.0.${i >> 8}.${i & 255}` }));
  list.push({ perms: WRITE, scheme: 'digest', id: 'a:b' }, { perms: READ, scheme: 'ip', id: '127.0.0.1' });
  const here: readonly Identity[] = [{ scheme: 'ip', id: '127.0.0.1' }];
  const proved = [...here, { scheme: 'digest', id: 'a:b' }];
  for (let i = 0; i < 2; i++) {
    assert.equal(allows(RULES, 5, list, READ, here), true);
    assert.equal(allows(RULES, 5, list, WRITE, here), false);
    assert.equal(allows(RULES, 5, list, WRITE, proved), true);
    assert.equal(allows(RULES, 5, list, READ, [{ scheme: 'ip', id: '127.0.0.2' }]), false);
  }
});

test('identities that stand for auth are not more than there is room for', () => {
  const identities = Array.from({ length: 1000 }, (_, i) => ({ scheme: 'digest', id: `user${i}:secret` }));
  const list = Array.from({ length: 50_000 }, (_, i) => ({ perms: i, scheme: 'auth', id: '' }));
  const cut = fixupAcl(RULES, list, identities, 1_000_000);
  assert.ok(
    typeof cut !== 'number' && cut.length > 20_000 && cut.length < 60_000,
    'more than there is room for, and not all',
  );
  const one = fixupAcl(RULES, list.slice(0, 1), identities, 1_000_000);
  assert.ok(typeof one !== 'number' && one.length === 1000);
});
