// The jute codec: what is written is read back, and what is damaged is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DecodeError, decodeUtf8, JuteReader, JuteWriter, pathProblem } from '@nodekeeper/protocol';

test('every primitive survives a round trip', () => {
  const w = new JuteWriter(1);
  w.int(-7)
    .long(-(2n ** 63n))
    .long53(-1)
    .long53(2 ** 52 + 5)
    .bool(true)
    .string('/a/é')
    .string(null)
    .buffer(null)
    .buffer(Buffer.alloc(0));
  w.vector([1, 2, 3], (x, v) => x.int(v)).vector(null, () => {});
  const r = new JuteReader(w.bytes());
  assert.equal(r.int(), -7);
  assert.equal(r.long(), -(2n ** 63n));
  assert.equal(r.long53(), -1);
  assert.equal(r.long53(), 2 ** 52 + 5);
  assert.equal(r.bool(), true);
  assert.equal(r.string(), '/a/é');
  assert.equal(r.string(), null);
  assert.equal(r.buffer(), null);
  assert.equal(r.buffer()?.length, 0);
  assert.deepEqual(
    r.vector((x) => x.int()),
    [1, 2, 3],
  );
  assert.equal(
    r.vector((x) => x.int()),
    null,
  );
  assert.equal(r.remaining, 0);
});

test('lengths beyond the bytes at hand, beyond the limit or below -1 are refused', () => {
  for (const n of [5, -2, 0x7fffffff]) {
    const w = new JuteWriter().int(n).int(0);
    assert.throws(() => new JuteReader(w.bytes()).buffer(), DecodeError);
    assert.throws(() => new JuteReader(w.bytes()).string(), DecodeError);
  }
  assert.throws(() => new JuteReader(Buffer.alloc(7)).long(), DecodeError);
});

test('characters beyond U+FFFF are written as two surrogates, as Java does', () => {
  const w = new JuteWriter().string('\u{1F600}');
  assert.equal(w.bytes().toString('hex'), '00000006eda0bdedb880');
});

test('invalid UTF-8 decodes to the replacement character', () => {
  assert.equal(decodeUtf8(Buffer.from([0x2f, 0xff]), 0, 2), '/\ufffd');
});

test('a surrogate in three bytes, as Java writes it, is one replacement character, as Java reads it', () => {
  const decode = (hex: string): string => {
    const bytes = Buffer.from(hex, 'hex');
    return decodeUtf8(bytes, 0, bytes.length);
  };
  assert.equal(decode('2feda0bdedb8802f'), '/\ufffd\ufffd/', 'the pair of U+1F600');
  assert.equal(decode('c3a9eda0bdc3a9'), '\u00e9\ufffd\u00e9', 'one alone between others');
  assert.equal(decode('edbfbf'), '\ufffd', 'the last one');
  assert.equal(decode('ed9fbf'), '\ud7ff', 'no surrogate yet');
  assert.equal(decode('2feda0'), '/\ufffd', 'cut short');
  assert.equal(decode('eda02f'), '\ufffd/', 'cut short by another character');
  assert.equal(decode('2fed2f'), '/\ufffd/');
  const r = new JuteReader(new JuteWriter().string('/\u{1F600}').bytes());
  assert.equal(r.string(), '/\ufffd\ufffd', 'what is written is not what is read, there as here');
});

test('path rules follow PathUtils.validatePath', () => {
  for (const good of ['/', '/a', '/a b', '/...', '/a.b', '/..a', '/zookeeper/x', '/é'])
    assert.equal(pathProblem(good), null, good);
  for (const bad of [
    '',
    'a',
    '/a/',
    '//',
    '/a//b',
    '/.',
    '/..',
    '/a/./b',
    '/a/../b',
    '/a/..',
    '/\u0000',
    '/\u0001',
    '/\u007f',
    '/\ue000',
    '/\ufff0',
    '/\ud83d\ude00',
  ]) {
    assert.notEqual(pathProblem(bad), null, JSON.stringify(bad));
  }
});
