// Where the log of a server goes may be full, or read by nobody: its clients are served all the same.

import assert from 'node:assert/strict';
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { connect } from '@nodekeeper/client';
import { atEnd, MAIN, zooCfg } from './support.js';

/** A server that audits; resolves with it when it has taken so many writes. */
async function written(t: TestContext, writes: number, stderr: 'pipe' | number): Promise<ChildProcess> {
  const { file, port } = await zooCfg(t, ['audit.enable=true']);
  const stdio: StdioOptions = ['ignore', 'ignore', stderr];
  const child = spawn(process.execPath, [MAIN, 'start-foreground', file], { stdio });
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
