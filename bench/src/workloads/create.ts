// Creates of nodes of 100 bytes, each under a name of its own.

import { create as createOp, request } from '../driver/frames.js';
import { RequestRing, writeDigits } from '../driver/request-source.js';
import { DATA } from '../fill.js';
import { RING_SIZE, type SourceFactory, steadyWorkload } from './steady.js';

const WIDTH = 10;

/** All frames are alike; the number at the end of the path is written just before each is sent. */
const createSource: SourceFactory = (root) => {
  const path = `${root}/m${'0'.repeat(WIDTH)}`;
  const frame = request(createOp(path, DATA));
  const number = frame.indexOf(path) + path.length - WIDTH;
  const frames = Array.from({ length: RING_SIZE }, () => frame);
  return new RequestRing(frames, (buf, at, sequence) => writeDigits(buf, at + number, WIDTH, sequence));
};

export const create = steadyWorkload('create', 'create of nodes with 100 B', createSource);
