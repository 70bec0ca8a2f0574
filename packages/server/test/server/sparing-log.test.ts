// Warnings that come again and again: one line, then counts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SparingLogger } from '../../dist/sparing-log.js';

test('a warning is written once and then counted, also of very many kinds, and at once again when it had ended', () => {
  const lines: unknown[][] = [];
  const silent = (): void => {};
  const logger = new SparingLogger({ info: silent, warn: (...line) => void lines.push(line), error: silent });
  for (let i = 0; i < 1000; i++) {
    logger.warn({ client: 'a' }, 'refused');
    logger.warn({ client: `b:${i}` }, 'closed', 'b');
  }
  for (let i = 0; i < 1000; i++) logger.warn({ client: `c${i}` }, 'refused');
  assert.equal(lines.length, 100);
  assert.deepEqual(lines.slice(0, 2), [
    [{ client: 'a' }, 'refused'],
    [{ client: 'b:0' }, 'closed'],
  ]);
  lines.length = 0;
  logger.tellCounts();
  assert.deepEqual(lines, [
    [{ client: 'a', times: 999 }, 'refused (again)'],
    [{ client: 'b:0', times: 999 }, 'closed (again)'],
    [{ times: 902 }, 'further messages like those before were left out'],
  ]);
  logger.warn({ client: 'a' }, 'refused');
  logger.tellCounts();
  assert.deepEqual(lines[3], [{ client: 'a', times: 1 }, 'refused (again)']);
  logger.tellCounts();
  logger.warn({ client: 'a' }, 'refused');
  assert.deepEqual(lines.slice(4), [[{ client: 'a' }, 'refused']]);
});

test('so is what is no warning, as what it is', () => {
  const lines: unknown[][] = [];
  const keep =
    (level: string) =>
    (...line: unknown[]): void =>
      void lines.push([level, ...line]);
  const logger = new SparingLogger({ info: keep('info'), warn: keep('warn'), error: keep('error') });
  for (let i = 0; i < 1000; i++) logger.info({}, 'server 9 is gone');
  logger.tellCounts();
  assert.deepEqual(lines, [
    ['info', {}, 'server 9 is gone'],
    ['info', { times: 999 }, 'server 9 is gone (again)'],
  ]);
});
