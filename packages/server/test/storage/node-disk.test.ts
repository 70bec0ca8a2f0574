// The real file system: what is missing is told from what fails, in every context.
import assert from 'node:assert/strict';
import fs, { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Disk, nodeDisk } from '../../dist/storage/index.js';
import { until } from '../server/until.js';

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

test('a large file loses its name at once, and its space a little at a time', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'file');
  const MB = 1024 * 1024;
  writeFileSync(path, 'x');
  fs.truncateSync(path, 40 * MB);
  const fd = fs.openSync(path, 'r');
  t.after(() => fs.closeSync(fd));
  const { ftruncate } = fs;
  const sizes: (number | null | undefined)[] = [];
  const counting = (of: number, size: number, done: fs.NoParamCallback): void => {
    sizes.push(size);
    ftruncate(of, size, done);
  };
  t.mock.method(fs, 'ftruncate', counting as typeof ftruncate);
  syncBuiltinESMExports();
  t.after(() => {
    fs.ftruncate = ftruncate;
    syncBuiltinESMExports();
  });
  const shrink = nodeDisk.removeLarge(path);
  assert.deepEqual(fs.readdirSync(dir), []);
  assert.equal(fs.fstatSync(fd).size, 40 * MB);
  await shrink();
  assert.deepEqual(sizes, [24 * MB, 8 * MB]);
  await nodeDisk.removeLarge(path)();
});

test('a large file of which a backup has another name stays whole there', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const [path, backup] = [join(dir, 'file'), join(dir, 'backup')];
  writeFileSync(path, 'x');
  fs.truncateSync(path, 40 * 1024 * 1024);
  fs.linkSync(path, backup);
  await nodeDisk.removeLarge(path)();
  assert.deepEqual(fs.readdirSync(dir), ['backup']);
  assert.equal(fs.statSync(backup).size, 40 * 1024 * 1024);
});

test('a directory that is made is durable with all that were made for it', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const synced: string[] = [];
  const disk: Disk = { ...nodeDisk, syncDir: (path) => synced.push(path) };
  disk.makeDir(join(dir, 'a', 'b', 'version-2'));
  assert.deepEqual(synced, [dir, join(dir, 'a'), join(dir, 'a', 'b')]);
  disk.makeDir(join(dir, 'a', 'b', 'version-2'));
  assert.equal(synced.length, 3, 'what is there is left alone');
  const before = process.cwd();
  process.chdir(dir);
  t.after(() => process.chdir(before));
  disk.makeDir('c/version-2/');
  assert.deepEqual(synced.slice(3), [process.cwd(), join(process.cwd(), 'c')]);
});

test('a log that cannot be opened again leaves no descriptor open', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const { open } = fs;
  const opened: number[] = [];
  type Done = (error: Error | null, fd: number) => void;
  const failing = (path: string, flags: number, ...rest: (number | Done)[]): void => {
    const done = rest.pop() as Done;
    if (opened.length === 2) {
      done(new Error('EMFILE'), -1);
      return;
    }
    open(path, flags, 0o644, (error, fd) => {
      opened.push(fd);
      done(error, fd);
    });
  };
  t.mock.method(fs, 'open', failing as unknown as typeof open);
  syncBuiltinESMExports();
  const error = await new Promise((resolve) => nodeDisk.createLog(join(dir, 'log.1'), true, resolve));
  fs.open = open;
  syncBuiltinESMExports();
  assert.match(String(error), /EMFILE/);
  assert.equal(opened.length, 2);
  const isOpen = (fd: number): boolean => {
    try {
      fs.fstatSync(fd);
      return true;
    } catch {
      return false;
    }
  };
  await until(() => !opened.some(isOpen));
});
