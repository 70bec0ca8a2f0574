// Measures one client at one operation, in a process of its own so that nothing of another client is in the way.
// Arguments: client, port, operation, outstanding, seconds of warm-up, seconds. Prints a Measurement as JSON.

import { type ContestantName, contestants, type Operation } from './contestants.js';

export interface Measurement {
  /** Operations per second. */
  readonly rate: number;
  /** CPU time of the client's process, microseconds an operation. */
  readonly cpu: number;
}

const DATA = Buffer.alloc(100, 1);
const [name, port, operation, outstanding, warmup, duration] = process.argv.slice(2) as [string, ...string[]];
const client = await contestants[name as ContestantName](Number(port));
const path = `/${process.pid}`;
await client.prepare(path, DATA);
const call = client.operation(operation as Operation, path, DATA);

let count = 0;
let underWay = 0;
let isOver = false;
let onEnd: () => void = () => {};
const ended = new Promise<void>((resolve) => {
  onEnd = resolve;
});
const answered = (): void => {
  count++;
  if (!isOver) call(answered);
  else if (--underWay === 0) onEnd();
};
for (; underWay < Number(outstanding); underWay++) call(answered);

const sleep = (seconds: string): Promise<void> => new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1000));
await sleep(warmup as string);
const before = { count, time: performance.now(), cpu: process.cpuUsage() };
await sleep(duration as string);
const { user, system } = process.cpuUsage(before.cpu);
const done = count - before.count;
const measurement: Measurement = {
  rate: (done / (performance.now() - before.time)) * 1000,
  cpu: (user + system) / done,
};
isOver = true;
await ended;
await client.close();
process.stdout.write(JSON.stringify(measurement), () => process.exit());
