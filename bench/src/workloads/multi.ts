// Transactions of four operations: a node is created, set, checked and deleted again, so that the tree does not grow.

import { check, create, multi as multiFrame, remove, setData } from '../driver/frames.js';
import { RequestRing } from '../driver/request-source.js';
import { DATA } from '../fill.js';
import { nodesOf, type SourceFactory, steadyWorkload } from './steady.js';

const multiSource: SourceFactory = (root) => {
  const paths = nodesOf(root).map((path) => `${path}/child`);
  return new RequestRing(
    paths.map((path) => multiFrame([create(path, DATA), setData(path, DATA), check(path), remove(path)])),
  );
};

export const multi = steadyWorkload('multi', 'multi of create, setData, check and delete', multiSource);
