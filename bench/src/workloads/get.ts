// Reads of 100 bytes.

import { getData, request } from '../driver/frames.js';
import { RequestRing } from '../driver/request-source.js';
import { nodesOf, type SourceFactory, steadyWorkload } from './steady.js';

export const getSource: SourceFactory = (root) => new RequestRing(nodesOf(root).map((path) => request(getData(path))));

export const get = steadyWorkload('get', 'getData of 100 B', getSource);
