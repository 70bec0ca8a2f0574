// Names of Kerberos principals in ACLs: what rules make of them, and what is kept of host and realm.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NameSettings, PrincipalNames } from '../../dist/config/principal-names.js';

const names = (rules: string, more: Partial<NameSettings> = {}): PrincipalNames =>
  new PrincipalNames({ rules, defaultRealm: 'HOME', removeHost: false, removeRealm: false, ...more });

test('host and realm are kept, unless they are to be removed', () => {
  for (const [removeHost, removeRealm, host, user] of [
    [false, false, 'zk/h.example@HOME', 'ann@HOME'],
    [true, false, 'zk@HOME', 'ann@HOME'],
    [false, true, 'zk/h.example', 'ann'],
    [true, true, 'zk', 'ann'],
  ] as const) {
    const by = names('DEFAULT', { removeHost, removeRealm });
    assert.equal(by.nameOf('zk/h.example@HOME'), host);
    assert.equal(by.nameOf('ann@HOME'), user);
    assert.equal(by.nameOf('ann@ELSEWHERE'), 'ann@ELSEWHERE', 'no rule is for it: it cannot pass for one of ours');
    assert.equal(by.nameOf('zk/h@ELSEWHERE'), 'zk/h@ELSEWHERE');
  }
  assert.throws(() => names('DEFAULT').nameOf('a/b/c@HOME'), /more than two components/);
});

test('rules are tried in turn, those for as many components as there are', () => {
  const by = (rules: string): PrincipalNames => names(rules, { removeHost: true, removeRealm: true });
  const map = (rules: string, principal: string): string => by(rules).nameOf(principal);
  assert.equal(map('RULE:[1:$1]', 'ann@ELSEWHERE'), 'ann');
  assert.equal(map('RULE:[1:$1]', 'zk/h@ELSEWHERE'), 'zk/h@ELSEWHERE');
  assert.equal(map('RULE:[2:$1.$2.$0]', 'zk/h@E'), 'zk.h.E');
  assert.equal(map('RULE:[1:$1@$0](.*@E)s/@.*//', 'ann@E'), 'ann');
  assert.equal(map('RULE:[1:$1@$0](.*@E)s/@.*//', 'ann@EE'), 'ann@EE', 'the whole has to match');
  assert.equal(map('RULE:[1:$1](a.*)s/a/b/', 'aaa@E'), 'baa');
  assert.equal(map('RULE:[1:$1](a.*)s/a/b/g', 'aaa@E'), 'bbb');
  assert.equal(map(String.raw`RULE:[1:$1]s/(a)(n)/$2\$$1/`, 'ann@E'), 'n$an');
});

test('a rule that makes no plain name is as if there was none', () => {
  assert.equal(names('RULE:[1:$1@$0] DEFAULT').nameOf('ann@HOME'), 'ann@HOME');
  assert.equal(names('RULE:[1:$1]s/.*//', { removeRealm: true }).nameOf('ann@HOME'), 'ann@HOME');
  assert.equal(names('RULE:[1:$1@$0]', { removeRealm: true }).nameOf('ann@HOME'), 'ann@HOME');
});

test('rules that are none are refused', () => {
  for (const rules of [
    'NONSENSE',
    'RULE:[1:$1',
    'RULE:[:$1]',
    'RULE:[1:$2]',
    'RULE:[1:$]',
    'RULE:[1:$1](()',
    'RULE:[1:$1]s/a/$&/',
    'DEFAULT x',
  ]) {
    assert.throws(() => names(rules), Error, rules);
  }
});
