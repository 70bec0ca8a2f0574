// Runs a purge in a thread of its own: checking the snapshots that are kept takes long, and clients must not wait for it.

import { parentPort, workerData } from 'node:worker_threads';
import type { DataDir } from './data-dir.js';
import { nodeDisk } from './node-disk.js';
import { purge } from './purge.js';

const { dirs, retain } = workerData as { dirs: DataDir; retain: number };
parentPort?.postMessage(await purge(nodeDisk, dirs, retain));
