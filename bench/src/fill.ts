// Fills a tree with numbered nodes of 100 bytes.

import { runToEnd } from './driver/closed-loop.js';
import { create, multi, request, sync } from './driver/frames.js';
import { RequestStream } from './driver/request-source.js';
import type { RunningServer } from './servers/running-server.js';

export const DATA: Buffer = Buffer.alloc(100, 'x');

const CONNECTIONS = 16;
const WINDOW = 16;
const CHILDREN = 1000;
const BATCH = 100;

/** Creates these nodes, in order, over one connection. Rejects if one exists. */
export async function createAll(server: RunningServer, paths: readonly string[]): Promise<void> {
  const frames = paths.map((path) => request(create(path, DATA)));
  await runToEnd(server, [new RequestStream(frames)], WINDOW, `creating ${paths[0]} and others`);
}

/** Waits until a server of an ensemble knows what was written before. */
export async function syncWith(server: RunningServer): Promise<void> {
  await runToEnd(server, [new RequestStream([request(sync('/'))])], 1, 'sync');
}

/** The path of node number `i` of a spread tree: a thousand children to each parent. */
export function spreadPath(root: string, i: number): string {
  return `${parentOf(root, Math.floor(i / CHILDREN))}/n${digits(i)}`;
}

/** The path of child number `i` of one parent that has them all. */
export function flatPath(root: string, i: number): string {
  return `${root}/n${digits(i)}`;
}

/** Creates `count` nodes below `root`, a thousand to a parent, by one create each or by multis of a hundred. */
export async function fillSpread(server: RunningServer, root: string, count: number, batched: boolean): Promise<void> {
  const parents = Array.from({ length: Math.ceil(count / CHILDREN) }, (_, i) => parentOf(root, i));
  await createAll(server, [root, ...parents]);
  await fill(server, (i) => spreadPath(root, i), count, batched);
}

/** Creates `count` children of one node, by multis of a hundred. */
export async function fillFlat(server: RunningServer, root: string, count: number): Promise<void> {
  await createAll(server, [root]);
  await fill(server, (i) => flatPath(root, i), count, true);
}

async function fill(server: RunningServer, path: (i: number) => string, count: number, batched: boolean) {
  const batch = batched ? BATCH : 1;
  let next = 0;
  function* frames(): Generator<Buffer> {
    while (next < count) {
      const ops = [];
      for (const end = Math.min(count, next + batch); next < end; next++) ops.push(create(path(next), DATA));
      yield batched ? multi(ops) : request(ops[0]);
    }
  }
  const sources = Array.from({ length: CONNECTIONS }, () => new RequestStream(frames()));
  await runToEnd(server, sources, WINDOW, `filling with ${count} nodes`);
}

const parentOf = (root: string, i: number): string => `${root}/p${digits(i)}`;
const digits = (i: number): string => String(i).padStart(8, '0');
