// Ports of servers that start at the same time, in several threads of a process too.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { freePorts, withFreePorts } from '../../dist/embedded/ports.js';

test('threads of one process do not choose the same ports', async () => {
  const module = new URL('../../dist/embedded/ports.js', import.meta.url);
  const code = `const { parentPort } = require('node:worker_threads');
    import(${JSON.stringify(module.href)}).then(async ({ freePorts }) => parentPort.postMessage(await freePorts(9)));`;
  const threads = [1, 2, 3].map(async () => {
    const [ports] = await once(new Worker(code, { eval: true }), 'message');
    return ports as number[];
  });
  const all = (await Promise.all([freePorts(9), ...threads])).flat();
  assert.equal(new Set(all).size, 36, `${all}`);
});

test('if somebody else was quicker, other ports are taken', async () => {
  const taken = Object.assign(new Error('taken'), { code: 'EADDRINUSE' });
  const tried: number[] = [];
  const use = async ([port = 0]: readonly number[]): Promise<number> => {
    tried.push(port);
    if (tried.length < 3) throw taken;
    return port;
  };
  assert.equal(await withFreePorts(1, use), tried[2]);
  assert.equal(new Set(tried).size, 3);
  await assert.rejects(
    withFreePorts(1, () => Promise.reject(taken)),
    taken,
  );
  const other = new Error('no such thing');
  let times = 0;
  const fail = (): Promise<never> => {
    times++;
    return Promise.reject(other);
  };
  await assert.rejects(withFreePorts(1, fail), other);
  assert.equal(times, 1);
});
