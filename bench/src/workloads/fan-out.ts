// Watch fan-out: a thousand clients watch one node; timed is from sending the write to the last client's notification.

import { performance } from 'node:perf_hooks';
import { within } from '../driver/deadline.js';
import { getData, request, setData } from '../driver/frames.js';
import { Histogram } from '../driver/histogram.js';
import { startMeter } from '../driver/meter.js';
import { openMany, type RawConnection } from '../driver/raw-connection.js';
import { createAll, DATA } from '../fill.js';
import type { Workload } from '../workload.js';
import { percentiles } from './steady.js';

const CLIENTS = 1000;
const WARMUP = 20;
const ANSWER_LIMIT = 30_000;

export const fanOut: Workload = {
  name: 'fan-out',
  summary: `a write to a node that ${CLIENTS} clients watch, until the last is notified; CPU includes setting the watches`,
  ownServer: false,
  async run(bench) {
    bench.progress(`fan-out to ${CLIENTS} clients`);
    const server = await bench.server();
    const path = `/fan-out-${performance.now()}`;
    await createAll(server, [path]);
    const [writer, ...watchers] = await openMany(server, CLIENTS + 1);
    const round = fanOutRound(writer, watchers, path);
    for (let i = 0; i < WARMUP; i++) await round();
    const latencies = new Histogram();
    const end = startMeter(server);
    for (let i = 0; i < bench.scale.fanOuts; i++) latencies.record(await round());
    const { cpu, rss, driver } = end(bench.scale.fanOuts);
    for (const connection of watchers) connection.checkErrors('fan-out');
    await Promise.all([writer, ...watchers].map((connection) => connection.closeSession()));
    const figures = { ...percentiles(latencies), driver, ...(cpu === undefined ? {} : { cpu }) };
    return [{ name: `fan-out to ${CLIENTS}`, figures: rss === undefined ? figures : { ...figures, rss } }];
  },
};

/** Makes a function that sets the watches, writes, and resolves to the milliseconds until all were told. */
function fanOutRound(writer: RawConnection, watchers: readonly RawConnection[], path: string): () => Promise<number> {
  const watch = request(getData(path, true));
  const write = request(setData(path, DATA));
  let armed = 0;
  let told = 0;
  let whenArmed = () => {};
  let whenTold = () => {};
  for (const watcher of watchers) {
    watcher.onReplies = (replies, notifications) => {
      armed += replies;
      told += notifications;
      if (replies > 0 && armed === watchers.length) whenArmed();
      if (notifications > 0 && told === watchers.length) whenTold();
    };
  }
  return async () => {
    armed = 0;
    told = 0;
    const allArmed = new Promise<void>((resolve, reject) => {
      whenArmed = resolve;
      for (const watcher of watchers) {
        watcher.onBroken = reject;
        watcher.write(watch);
      }
    });
    await within(ANSWER_LIMIT, 'setting watches', allArmed);
    const start = performance.now();
    const allTold = new Promise<void>((resolve, reject) => {
      whenTold = resolve;
      writer.onBroken = reject;
      writer.write(write);
    });
    await within(ANSWER_LIMIT, 'notifying', allTold);
    return performance.now() - start;
  };
}
