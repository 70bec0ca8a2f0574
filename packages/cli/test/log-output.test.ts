// Where the log of a server goes may be full, or read by nobody: its clients are served all the same.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { connect } from '@nodekeeper/client';
import { atEnd, freePort, MAIN, temporary } from './support.js';

/** A server without zoo.cfg, which says where it listens, that audits; resolves with it when it has taken so many writes. */
async function written(t: TestContext, writes: number, output: 'pipe' | number): Promise<ChildProcess> {
  const port = await freePort();
  const flags = ['clientPortAddress=127.0.0.1', 'admin.enableServer=false', 'preAllocSize=64', 'audit.enable=true'];
  const place = ['--data-dir', temporary(t), '--client-port', String(port)];
  const args = [MAIN, 'start-foreground', ...place, ...flags.flatMap((flag) => ['--set', flag])];
  const child = spawn(process.execPath, args, { stdio: ['ignore', output, output] });
  atEnd(t, async () => {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  const client = await connect(`127.0.0.1:${port}`);
  atEnd(t, () => client.close());
  await Promise.all(Array.from({ length: writes }, () => client.create('/n', { mode: 'persistentSequential' })));
  return child;
}

test('a log on a full disk ends no server', { skip: !existsSync('/dev/full') }, async (t) => {
  const full = openSync('/dev/full', 'w');
  atEnd(t, () => closeSync(full));
  const { exitCode } = await written(t, 10, full);
  assert.equal(exitCode, null);
});

test('a log that nobody reads for a while holds no server up, and is told later', { timeout: 60_000 }, async (t) => {
  const { stderr } = await written(t, 3000, 'pipe');
  let text = '';
  for await (const chunk of stderr ?? []) {
    text += chunk;
    if (text.split('operation=create').length > 3000) break;
  }
});
