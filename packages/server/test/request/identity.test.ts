// Lists of permissions: who has which, of short lists and of long ones, and how much a list may take.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorCode } from '@nodekeeper/protocol';
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

/** Counts how often the ids of entries are looked at. */
function counted<T extends { readonly id: string }>(entries: readonly T[]): { entries: T[]; looks: () => number } {
  let looks = 0;
  const watched = entries.map((entry) => ({
    ...entry,
    get id() {
      looks++;
      return entry.id;
    },
  }));
  return { entries: watched, looks: () => looks };
}

test('how often something is asked for costs no more for very many identities, nor do lists with many addresses', () => {
  const many = counted(Array.from({ length: 5000 }, (_, i) => ({ scheme: 'digest', id: `user${i}:x` })));
  const short = Array.from({ length: 8 }, (_, i) => ({ perms: READ, scheme: 'digest', id: `other${i}:x` }));
  for (let i = 0; i < 100; i++) assert.equal(allows(RULES, 5, short, READ, many.entries), false);
  assert.equal(allows(RULES, 6, [{ perms: WRITE, scheme: 'digest', id: 'user4999:x' }], WRITE, many.entries), true);
  assert.ok(many.looks() <= 10_000, `${many.looks()} looks at 5,000 identities`);
  const addresses = counted(
    Array.from({ length: 1000 }, (_, i) => ({ perms: READ, scheme: 'ip', id: `10.0.0.0/${i % 9}` })),
  );
  for (let i = 0; i < 100; i++) {
    const who = [{ scheme: 'ip', id: `192.0.0.${i}` }];
    assert.equal(allows(RULES, 7, addresses.entries, WRITE, who), false);
    assert.equal(allows(RULES, 7, addresses.entries, READ, who), true);
  }
  assert.equal(addresses.looks(), 1000, 'each entry is read once');
});

test('who proves one thing after the other is judged by what a long list has for each of them', () => {
  const rules = { ...RULES, extraSchemes: new Set(['sasl']), anySaslUser: undefined };
  for (const scheme of ['digest', 'sasl', 'x509']) {
    const list = counted(Array.from({ length: 1000 }, (_, i) => ({ perms: READ, scheme, id: `user${i}:x` })));
    let identities: readonly Identity[] = [{ scheme: 'ip', id: '127.0.0.1' }];
    for (let i = 0; i < 100; i++) {
      identities = [...identities, { scheme, id: `nobody${i}:x` }];
      assert.equal(allows(rules, 5, list.entries, READ, identities), false);
    }
    assert.equal(allows(rules, 5, list.entries, READ, [...identities, { scheme, id: 'user7:x' }]), true);
    assert.equal(list.looks(), 1000, 'each entry is read once');
  }
});

test('what every identity is there for is found among few and among many', () => {
  const rules = { ...RULES, extraSchemes: new Set(['sasl']), anySaslUser: 'anyone' };
  const others = Array.from({ length: 20 }, (_, i) => ({ scheme: 'digest', id: `user${i}:x` }));
  const cases: readonly (readonly [Identity, string, string])[] = [
    [{ scheme: 'super', id: '' }, 'digest', 'nobody:x'],
    [{ scheme: 'digest', id: 'a:b' }, 'digest', 'a:b'],
    [{ scheme: 'ip', id: '10.1.2.3' }, 'ip', '10.1.0.0/16'],
    [{ scheme: 'ip', id: '::1' }, 'ip', '0:0:0:0:0:0:0:1'],
    [{ scheme: 'sasl', id: 'me' }, 'sasl', 'me'],
    [{ scheme: 'sasl', id: 'me' }, 'sasl', 'anyone'],
    [{ scheme: 'sasl', id: 'super' }, 'sasl', 'you'],
    [{ scheme: 'digest', id: 'a:b' }, 'world', 'anyone'],
  ];
  for (const [identity, scheme, id] of cases) {
    const list = [{ perms: READ, scheme, id }];
    for (const identities of [[identity], [...others, identity]]) {
      assert.equal(allows(rules, 8, list, READ, identities), true, `${identity.scheme} for ${scheme}:${id}`);
      if (identity.scheme !== 'super') assert.equal(allows(rules, 8, list, WRITE, identities), false);
    }
  }
  const wrong = [{ perms: READ, scheme: 'ip', id: '10.2.0.0/16' }];
  assert.equal(allows(rules, 9, wrong, READ, [...others, { scheme: 'ip', id: '10.1.2.3' }]), false);
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

test('the numbers of an address are what Java takes for numbers', () => {
  const here: readonly Identity[] = [{ scheme: 'ip', id: '10.1.2.3' }];
  const stored = (id: string): unknown => fixupAcl(RULES, [{ perms: READ, scheme: 'ip', id }], here, 1000);
  const read = (id: string): boolean => allows(RULES, 5, [{ perms: READ, scheme: 'ip', id }], READ, here);
  for (const id of [
    '0010.1.2.3',
    '+10.1.2.3',
    '10.1.2.٣',
    '10.1.-0.0/0016',
    '10.1.2.0/٢٤',
    '10.0.0.0/+8',
    '0.0.0.0/-0',
  ]) {
    assert.deepEqual(stored(id), [{ perms: READ, scheme: 'ip', id }]);
    assert.equal(read(id), true, id);
  }
  for (const id of [
    '10.1.2.+',
    '10.1.2.-3',
    '10.1.2.259',
    '10.1.2.4294967299',
    '10.1.2.0/33',
    '10.1.2.0/4294967320',
    '10.1.2.0/x',
  ]) {
    assert.equal(stored(id), ErrorCode.InvalidAcl, id);
    assert.equal(read(id), false, id);
  }
});
