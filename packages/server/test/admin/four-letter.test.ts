import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { allowedWords, isFourLetterWord, runFourLetterWord } from '../../dist/admin/four-letter.js';
import { type Pieces, sendPieces } from '../../dist/admin/pieces.js';
import { afterReset, connection, FakeView, recorded, sessionOfA, sessionOfB } from './fake-view.js';

const WORDS = 'conf cons crst dirs dump envi gtmk hash isro mntr ruok srst srvr stat stmk wchc wchp wchs'.split(' ');
const ALL = allowedWords(['*']);
const TELNET_CLOSE = -720899;

function code(word: string): number {
  return Buffer.from(word).readInt32BE(0);
}

function answer(word: string, view = new FakeView(), rest = Buffer.alloc(0), asking?: number): string | undefined {
  const text = runFourLetterWord({ code: code(word), rest, asking }, view, ALL);
  return text === undefined || typeof text === 'string' ? text : [...text].join('');
}

for (const word of ['srvr', 'conf', 'wchs', 'wchc', 'wchp', 'dirs', 'hash', 'gtmk', 'isro', 'ruok', 'crst', 'srst']) {
  test(`${word} answers byte for byte what Apache's server answers`, () => {
    assert.equal(answer(word), recorded.words[word]);
  });
}

test('stat shows all connections, the asking one with no interest', () => {
  const view = new FakeView();
  view.table.unshift(connection(53500, 1, 0));
  view.now.packetsReceived = 157;
  view.now.packetsSent = 156;
  assert.equal(answer('stat', view, undefined, 53500), recorded.words.stat);
});

test('cons shows sessions in full and connections without one in short', () => {
  const view = new FakeView();
  view.table = [connection(53492, 4, 4, sessionOfB), connection(53520, 1, 0), connection(53486, 151, 151, sessionOfA)];
  assert.equal(answer('cons', view, undefined, 53520), recorded.words.cons);
});

test('cons after crst leaves out the cxid and shows zxid -1 as an unsigned long', () => {
  const view = new FakeView();
  view.table = [connection(53624, 1, 0), ...view.table.map(afterReset)];
  assert.equal(answer('cons', view, undefined, 53624), recorded.words.cons2);
});

test('dump lists sessions, ephemerals and connections by when they end', () => {
  const view = new FakeView();
  view.table.push(connection(53536, 1, 0));
  assert.equal(answer('dump', view), recorded.words.dump);
});

test('envi has the names that Apache has, in its order', () => {
  const names = answer('envi')?.replace(/=.*/g, '=');
  assert.equal(names, recorded.words.envi);
});

test('crst and srst reset what they say', () => {
  const view = new FakeView();
  answer('crst', view);
  answer('srst', view);
  assert.deepEqual(view.calls, ['resetConnectionStats', 'resetStats']);
});

test('stmk sets the mask that gtmk tells; cut short it changes nothing and gets no answer', () => {
  const view = new FakeView();
  const mask = Buffer.alloc(8);
  mask.writeBigInt64BE(-310n);
  assert.equal(answer('stmk', view, mask.subarray(0, 7)), undefined);
  assert.equal(answer('gtmk', view), '306');
  assert.equal(answer('stmk', view, mask), '-310');
  assert.equal(answer('gtmk', view), '-310');
});

test('a read-only server says so', () => {
  const view = new FakeView();
  view.readOnly = true;
  view.state = 'read-only';
  assert.equal(answer('isro', view), 'ro');
  const lines = answer('srvr', view)?.split('\n') ?? [];
  assert.equal(lines[1], 'READ-ONLY mode; serving only read-only clients');
  assert.equal(lines[8], 'Mode: read-only');
});

test('a server that does not serve tells so, except to words that need no server', () => {
  const view = new FakeView();
  view.serving = false;
  const refused = 'This ZooKeeper instance is not currently serving requests';
  for (const word of WORDS) {
    if (['ruok', 'envi', 'gtmk', 'stmk', 'isro', 'hash'].includes(word)) continue;
    assert.equal(answer(word, view), `${refused}\n`, word);
  }
  assert.equal(answer('hash', view), refused);
  assert.equal(answer('isro', view), 'null');
  assert.equal(answer('ruok', view), 'imok');
  assert.equal(answer('gtmk', view), '306');
});

test('only words in the whitelist are run; srvr always is, and telnet close only under *', () => {
  const view = new FakeView();
  const run = (n: number, allowed: ReadonlySet<string>) =>
    runFourLetterWord({ code: n, rest: Buffer.alloc(0), asking: undefined }, view, allowed);
  const some = allowedWords(['ruok', 'nosuch']);
  assert.equal(run(code('ruok'), some), 'imok');
  assert.match(String(run(code('srvr'), some)), /^Zookeeper version/);
  assert.equal(run(code('crst'), some), 'crst is not executed because it is not in the whitelist.\n');
  assert.equal(run(TELNET_CLOSE, some), 'telnet close is not executed because it is not in the whitelist.\n');
  assert.equal(run(TELNET_CLOSE, ALL), undefined);
  assert.deepEqual(view.calls, []);
});

test('the version line is understood by clients that look for numbers at its start', () => {
  const view = new FakeView();
  view.version = '3.9.5-nodekeeper-0.1.0, built on 2026-11-21 00:00 UTC';
  assert.match(answer('srvr', view) ?? '', /^Zookeeper version: \d+\.\d+\.\d+-[A-Za-z0-9.-]+, built on /);
  assert.match(answer('envi', view) ?? '', /^zookeeper\.version=(\d+\.\d+\.\d+)-/m);
});

test('no number but that of a word is taken for one', () => {
  const words = new Set([...WORDS.map(code), TELNET_CLOSE]);
  for (const word of words) assert.ok(isFourLetterWord(word));
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (n) => isFourLetterWord(n) === words.has(n)),
    { numRuns: 2000 },
  );
  // Close to a word: one bit or the case of a letter differs.
  for (const word of WORDS) {
    for (let bit = 0; bit < 32; bit++) {
      const near = code(word) ^ (1 << bit);
      assert.equal(isFourLetterWord(near), words.has(near));
    }
    assert.ok(!isFourLetterWord(code(word.toUpperCase())));
  }
});

test('whatever follows a word, it is answered or closed and never throws', () => {
  fc.assert(
    fc.property(fc.constantFrom(...WORDS), fc.uint8Array({ maxLength: 40 }), (word, rest) => {
      const text = answer(word, new FakeView(), Buffer.from(rest));
      return word === 'stmk' && rest.length < 8 ? text === undefined : typeof text === 'string';
    }),
    { numRuns: 300 },
  );
});

test('a code that is no word is refused by the one who runs words', () => {
  assert.throws(() => runFourLetterWord({ code: 44, rest: Buffer.alloc(0), asking: undefined }, new FakeView(), ALL), {
    name: 'RangeError',
  });
});

// ---- long outputs ----

const MANY = 200_000;

/** A table of many watches that counts how far it was walked. */
class ManyWatches extends FakeView {
  walked = 0;
  override *watchesByPath(): Generator<readonly [string, Iterable<bigint>]> {
    for (let i = 0; i < MANY; i++) {
      this.walked++;
      yield [`/watched/path-${i}`, [sessionOfA.id]];
    }
  }
}

function long(word: string, view: FakeView): Pieces {
  const text = runFourLetterWord({ code: code(word), rest: Buffer.alloc(0), asking: undefined }, view, ALL);
  assert.ok(text !== undefined && typeof text !== 'string', `${word} is made in pieces`);
  return text;
}

test('wchp walks the table only as far as its reader takes the text', async () => {
  const view = new ManyWatches();
  const slow = new PassThrough({ highWaterMark: 1024 });
  const ended = new Promise<Error | undefined>((resolve) => sendPieces(long('wchp', view), slow, resolve));
  await once(slow, 'readable');
  for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(view.walked > 0 && view.walked < MANY / 10, `${view.walked} paths walked for a reader that took nothing`);
  let bytes = 0;
  for await (const chunk of slow) bytes += (chunk as Buffer).length;
  assert.equal(await ended, undefined);
  assert.equal(view.walked, MANY);
  let expected = 1;
  for (let i = 0; i < MANY; i++) expected += `/watched/path-${i}\n\t0x100006773ec0000\n`.length;
  assert.equal(bytes, expected);
});

test('other work gets its turn while wchc gathers a large table', async () => {
  const view = new ManyWatches();
  let turns = 0;
  let stop = false;
  const tick = (): void => {
    turns++;
    if (!stop) setImmediate(tick);
  };
  setImmediate(tick);
  let lines = 0;
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const byte of chunk) if (byte === 10) lines++;
      done();
    },
  });
  const error = await new Promise<Error | undefined>((resolve) => sendPieces(long('wchc', view), sink, resolve));
  stop = true;
  assert.equal(error, undefined);
  assert.equal(lines, MANY + 2);
  assert.ok(turns > 5, `${turns} turns`);
});

test('a reader that goes away ends the walk', async () => {
  const view = new ManyWatches();
  const out = new PassThrough({ highWaterMark: 1024 });
  const ended = new Promise<Error | undefined>((resolve) => sendPieces(long('wchp', view), out, resolve));
  await once(out, 'readable');
  out.destroy();
  assert.equal((await ended)?.name, 'Error');
  assert.ok(view.walked < MANY);
});

test('a failure while the text is made is told, not thrown', async () => {
  const view = new FakeView();
  view.watchesByPath = () => {
    throw new Error('broken table');
  };
  const error = await new Promise<Error | undefined>((resolve) =>
    sendPieces(long('wchp', view), new PassThrough(), resolve),
  );
  assert.equal(error?.message, 'broken table');
});
