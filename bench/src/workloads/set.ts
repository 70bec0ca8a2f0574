// Writes of 100 bytes, each made durable by the server.

import { request, setData } from '../driver/frames.js';
import { RequestRing } from '../driver/request-source.js';
import { DATA } from '../fill.js';
import { nodesOf, type SourceFactory, steadyWorkload } from './steady.js';

export const setSource: SourceFactory = (root) =>
  new RequestRing(nodesOf(root).map((path) => request(setData(path, DATA))));

export const set = steadyWorkload('set', 'setData of 100 B', setSource);
