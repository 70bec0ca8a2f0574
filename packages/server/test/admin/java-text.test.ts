import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Json, LazyArray, LazyObject, prettyJson } from '../../dist/admin/jackson.js';
import { bareHex, hex, JavaDouble, javaDate } from '../../dist/admin/java-text.js';
import { textOrStream } from '../../dist/admin/pieces.js';
import './fake-view.js';

function json(value: Json): string {
  return [...prettyJson(value)].join('');
}

test('doubles are printed as Java prints them', () => {
  for (const [value, text] of [
    [0, '0.0'],
    [1, '1.0'],
    [0.8065, '0.8065'],
    [0.001, '0.001'],
    [0.0005, '5.0E-4'],
    [0.00012, '1.2E-4'],
    [9999999, '9999999.0'],
    [10000000, '1.0E7'],
    [12345678.5, '1.23456785E7'],
    [-0.5, '-0.5'],
  ] as const) {
    assert.equal(String(new JavaDouble(value)), text);
  }
  assert.equal(String(JavaDouble.average(2 / 3)), '0.6667');
});

test('longs are printed in hexadecimal without a sign', () => {
  assert.equal(hex(0x16d), '0x16d');
  assert.equal(hex(-1), '0xffffffffffffffff');
  assert.equal(hex(-1n), '0xffffffffffffffff');
  assert.equal(hex(0x100006773ec0001n), '0x100006773ec0001');
  assert.equal(hex(2 ** 52), '0x10000000000000');
  assert.equal(bareHex(-1), 'ffffffffffffffff');
});

test("dates are printed as Java's Date is", () => {
  assert.equal(javaDate(Date.parse('2026-11-01T03:04:09.999Z')), 'Sun Nov 01 03:04:09 UTC 2026');
});

test('time zones have the names that Java has for them, in winter and in summer', (t) => {
  const { TZ = 'UTC' } = process.env;
  t.after(() => {
    process.env.TZ = TZ;
  });
  const dates = {
    UTC: ['Thu Jan 15 00:00:00 UTC 2026', 'Wed Jul 15 00:00:00 UTC 2026'],
    'Europe/Berlin': ['Thu Jan 15 01:00:00 CET 2026', 'Wed Jul 15 02:00:00 CEST 2026'],
    'Europe/London': ['Thu Jan 15 00:00:00 GMT 2026', 'Wed Jul 15 01:00:00 BST 2026'],
    'America/New_York': ['Wed Jan 14 19:00:00 EST 2026', 'Tue Jul 14 20:00:00 EDT 2026'],
    'Australia/Sydney': ['Thu Jan 15 11:00:00 AEDT 2026', 'Wed Jul 15 10:00:00 AEST 2026'],
    'Africa/Johannesburg': ['Thu Jan 15 02:00:00 SAST 2026', 'Wed Jul 15 02:00:00 SAST 2026'],
    'Asia/Kolkata': ['Thu Jan 15 05:30:00 IST 2026', 'Wed Jul 15 05:30:00 IST 2026'],
    'Asia/Shanghai': ['Thu Jan 15 08:00:00 CST 2026', 'Wed Jul 15 08:00:00 CST 2026'],
    'Asia/Tokyo': ['Thu Jan 15 09:00:00 JST 2026', 'Wed Jul 15 09:00:00 JST 2026'],
  };
  for (const [zone, told] of Object.entries(dates)) {
    process.env.TZ = zone;
    assert.deepEqual([Date.UTC(2026, 0, 15), Date.UTC(2026, 6, 15)].map(javaDate), told);
  }
});

test('JSON has the form that Jackson gives it', () => {
  assert.equal(json({}), '{ }');
  assert.equal(json([]), '[ ]');
  assert.equal(json({ a: [1, 2], b: [] }), '{\n  "a" : [ 1, 2 ],\n  "b" : [ ]\n}');
  assert.equal(json({ a: [{ b: 1 }, { c: {} }] }), '{\n  "a" : [ {\n    "b" : 1\n  }, {\n    "c" : { }\n  } ]\n}');
  assert.equal(
    json({ id: 72058038364405761n, d: new JavaDouble(2) }),
    '{\n  "id" : 72058038364405761,\n  "d" : 2.0\n}',
  );
  assert.equal(json('a"b\\u001f\n\u001f\u00e9'), '"a\\"b\\\\u001f\\n\\u001F\u00e9"');
});

test('lazy objects and arrays print as the plain ones do', () => {
  const lazy = new LazyObject([['a', new LazyArray([1, 'x'])] as const, ['b', new LazyArray([])] as const]);
  assert.equal(json(lazy), json({ a: [1, 'x'], b: [] }));
  assert.equal(json(new LazyObject([])), '{ }');
});

test('whatever is printed is JSON of the same value', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.deepEqual(JSON.parse(json(value as Json)), JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: 500 },
  );
});

test('a short text is given as it is, a long one as a stream of the same', async () => {
  assert.equal(textOrStream(['a', 'b']), 'ab');
  const pieces = Array.from({ length: 20_000 }, (_, i) => `${i};`);
  const stream = textOrStream(pieces);
  assert.ok(typeof stream !== 'string');
  assert.equal(Buffer.concat(await stream.toArray()).toString(), pieces.join(''));
});
