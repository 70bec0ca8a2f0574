// What the servers have decided of the nodes of recipes: which there are, and when and why the others have gone.

import { Model, parentOf } from '../model.js';
import type { Truth } from '../truth.js';

export interface Removal {
  readonly zxid: number;
  /** Milliseconds: when a server wrote it to its log for the first time. Nobody can have been told before. */
  readonly at: number;
  /** Whether the node went with its session. */
  readonly withSession: boolean;
}

export class Decided {
  /** The tree as it is in the end. */
  readonly model = new Model();
  private readonly removals = new Map<string, Removal>();
  private readonly last = new Map<string, Removal>();

  constructor(truth: Truth) {
    const created = new Map<string, number>();
    for (const txn of truth.history()) {
      const { at, change } = txn;
      this.model.onEvent = (event, path, zxid) => {
        if (event === 'created') created.set(path, zxid);
        if (event !== 'deleted') return;
        const withSession = change.kind === 'closeSession';
        const removal = { zxid, at, withSession };
        this.last.set(path, removal);
        for (const place of [path, `${parentOf(path)}/`]) this.removals.set(`${place}@${created.get(path)}`, removal);
      };
      this.model.apply(txn);
    }
  }

  /** How the node that was made at a path by this zxid has gone; undefined if it has not. */
  removal(path: string, czxid: number): Removal | undefined {
    return this.removals.get(`${path}@${czxid}`);
  }

  /** How a node has gone whose path is given once. */
  removalOfOne(path: string): Removal | undefined {
    return this.last.get(path);
  }

  /** The same for a child that this zxid made, whatever its name. */
  removalBelow(parent: string, czxid: number): Removal | undefined {
    return this.removal(`${parent}/`, czxid);
  }
}
