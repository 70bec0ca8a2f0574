// Nine reads to each write.

import { getData, request, setData } from '../driver/frames.js';
import { RequestRing } from '../driver/request-source.js';
import { DATA } from '../fill.js';
import { nodesOf, type SourceFactory, steadyWorkload } from './steady.js';

export const mixedSource: SourceFactory = (root) =>
  new RequestRing(nodesOf(root).map((path, i) => request(i % 10 === 0 ? setData(path, DATA) : getData(path))));

export const mixed = steadyWorkload('mixed', '90 % getData and 10 % setData of 100 B', mixedSource);
