// What servers that nobody closed leave: nothing once their process has ended, or the next one has begun.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

const MODULE = new URL('../../dist/index.js', import.meta.url).href;

function temporaryDirectory(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-testing-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A process that has started a server and does not close it. */
async function start(dir: string, then = ''): Promise<ChildProcess> {
  const code = `import { startServer } from '${MODULE}'; await startServer(); process.send('ready'); ${then}`;
  const env = { ...process.env, TMPDIR: dir, TMP: dir, TEMP: dir };
  const stdio = ['ignore', 'ignore', 'ignore', 'ipc'] as const;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { env, stdio: [...stdio] });
  await once(child, 'message');
  return child;
}

async function killed(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

test('a process that exits, or ends of an error, leaves nothing', async (t) => {
  const dir = temporaryDirectory(t);
  for (const then of [
    "process.on('message', () => process.exit(0));",
    "process.on('message', () => { throw new Error('a test has failed'); });",
  ]) {
    const child = await start(dir, then);
    assert.equal(readdirSync(dir).length, 1);
    child.send('end');
    await once(child, 'exit');
    assert.deepEqual(readdirSync(dir), []);
  }
});

test('what a killed process has left goes with the next start, and nothing else does', async (t) => {
  const dir = temporaryDirectory(t);
  const first = await start(dir);
  const [left = ''] = readdirSync(dir);
  await killed(first);
  assert.deepEqual(readdirSync(dir), [left]);

  const running = await start(dir);
  const [ofRunning = ''] = readdirSync(dir);
  assert.notEqual(ofRunning, left);
  assert.equal(readdirSync(dir).length, 1);

  // One that looks like a killed process's, but for one thing each.
  const owner = join(dir, ofRunning, 'owner.json');
  const dead = { ...(JSON.parse(readFileSync(owner, 'utf8')) as object), pid: first.pid };
  const make = (name: string, told: unknown): void => {
    mkdirSync(join(dir, name));
    if (told !== undefined) writeFileSync(join(dir, name, 'owner.json'), JSON.stringify(told));
  };
  make('nodekeeper-test-dead00', dead);
  make('nodekeeper-test-nobody', undefined);
  make('nodekeeper-test-where0', { ...dead, place: 'elsewhere' });
  make('nodekeeper-test-number', { ...dead, pid: -1 });
  make('nodekeeper-test-another-name', dead);
  make('nodekeeper-mine-dead00', dead);
  cpSync(owner, join(dir, 'nodekeeper-test-nodirs'));
  const before = readdirSync(dir);

  const last = await start(dir);
  const gone = before.filter((name) => !readdirSync(dir).includes(name));
  assert.deepEqual(gone, ['nodekeeper-test-dead00']);
  await killed(running);
  await killed(last);
});
