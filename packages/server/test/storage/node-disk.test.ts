// The real file system: what is missing is told from what fails, in every context.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeDisk } from '../../dist/storage/index.js';

test('what is not there is no error, also where errors are of another context', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-'));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, 'file'), 'x');
  const look = (): void => {
    assert.equal(nodeDisk.size(join(dir, 'missing')), undefined);
    assert.equal(nodeDisk.readText(join(dir, 'missing')), undefined);
    assert.deepEqual(nodeDisk.list(join(dir, 'missing')), []);
    assert.throws(() => nodeDisk.list(join(dir, 'file')), { code: 'ENOTDIR' });
  };
  look();
  const { Error: real } = globalThis;
  globalThis.Error = class extends real {} as ErrorConstructor; // as in node:vm, the system's errors are none of these
  try {
    look();
  } finally {
    globalThis.Error = real;
  }
});

test('a file that is written once more keeps its bytes and its size', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'file');
  const bytes = Buffer.from(Array.from({ length: 2_500_000 }, (_, i) => i * 31));
  writeFileSync(path, bytes);
  nodeDisk.rewrite(path, 100, 2_400_001);
  assert.ok(readFileSync(path).equals(bytes));
  assert.throws(() => nodeDisk.rewrite(path, 0, bytes.length + 1), /ends before/);
});
