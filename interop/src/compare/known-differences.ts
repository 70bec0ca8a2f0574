// Where this server follows 3.9 or refuses what harms Apache's servers, and the 3.8.0 that it is compared with does otherwise.
// Each is either left out of the sequences or accepted here, exactly.

import { ErrorCode, OpCode } from '@nodekeeper/protocol';
import type { Step } from './generate.js';

/** Left out by the generator, with the reason. */
export const LEFT_OUT: readonly string[] = [
  'check outside multi: 3.8.0 sends no reply and logs what it cannot read; ours answers as 3.9 does (-6, closed)',
  'createTTL with other flags and a negative ttl: kills 3.8.0 and 3.9.5; ours answers -8',
  'createSession and deleteContainer sent by a client: ours refuses both',
  'create2 and createContainer with other flags within a multi: 3.8.0 forgets which it was; ours answers as 3.9 does',
  'create with flags outside 0 to 4 within a multi: -8 for the part in 3.8.0, -5 for the whole in 3.9 and ours',
  'a null path within a multi: 3.8.0 skips a zxid',
  'watcher types 4 and 5: not known to 3.8.0',
  'several modes of watch on one path of one connection: the last one wins in 3.8.0, all count in 3.9 and ours',
  'exists on nodes that may not be read: 3.8.0 allows it, 3.8.4, 3.9 and ours do not',
  "the zxid of notifications: -1 in 3.8.0, the transaction's in 3.9 and ours",
];

/** Whether a difference at a step is one of those that are known. */
export function isKnown(step: Step, apache: string, ours: string): boolean {
  if (step.kind !== 'request') return false;
  // 3.8.0 answers checkWatches for watches of other connections.
  if (step.op === OpCode.checkWatches) {
    return apache.includes(' err=0') && ours.includes(` err=${ErrorCode.NoWatcher}`);
  }
  return false;
}
