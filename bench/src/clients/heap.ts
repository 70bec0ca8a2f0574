// npm run bench:heap: ten million operations of this client; its heap must not grow. Argument: `host:port` of a server.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { connect } from '@nodekeeper/client';

const OPERATIONS = 10_000_000;
const STEP = 1_000_000;
const OUTSTANDING = 1000;
/** Growth from the first step to the last that is no leak, in bytes: less than a tenth of a byte for each operation. */
const ALLOWED = 800_000;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const client = await connect(process.argv[2] ?? '127.0.0.1:2181');
const path = `/heap-${process.pid}`;
await client.create(path, { data: Buffer.alloc(100) });
const { signal } = new AbortController();
const stream = client.watch(path);
void (async () => {
  for await (const event of stream) if (event.type === 'resync') throw new Error('events were missed');
})();

/** All that leaves something behind if it is not taken away: watches, signals, time limits, errors, creations. */
const calls: ((i: number) => Promise<unknown>)[] = [
  () => client.getData(path),
  () => client.getData(path, { signal }),
  () => client.exists(path, { timeout: 60_000 }),
  () => client.getChildren(path),
  () => client.getData(`${path}/missing`).catch(() => {}),
  (i) => (i % 1000 === 5 ? client.getData(path, { watcher: () => {} }) : client.exists(path)),
  (i) => (i % 100 === 6 ? client.setData(path, Buffer.alloc(100)) : client.getACL(path)),
  (i) => client.transaction().create(`${path}/${i}`).delete(`${path}/${i}`).commit(),
];

const sizes: number[] = [];
let begun = 0;
async function worker(until: number): Promise<void> {
  while (begun < until) {
    const i = begun++;
    await calls[i % calls.length]?.(i);
  }
}
for (let until = STEP; until <= OPERATIONS; until += STEP) {
  await Promise.all(Array.from({ length: OUTSTANDING }, () => worker(until)));
  collect();
  sizes.push(process.memoryUsage().heapUsed);
  console.log(`${until} operations: ${(sizes.at(-1) as number).toLocaleString('en')} bytes of heap`);
}
stream.close();
await client.deleteRecursive(path);
await client.close();
const growth = (sizes.at(-1) as number) - (sizes[0] as number);
console.log(`grown by ${growth.toLocaleString('en')} bytes from the first million to the last`);
process.exit(growth < ALLOWED ? 0 : 1);
