// Sends much to one learner at its pace, a slice a turn, so that nobody else waits.

import { JuteWriter } from '@nodekeeper/protocol';
import type { Runtime } from '../runtime.js';
import { type BodySource, bodyPieces } from './snapshot-stream.js';

const PIECE = 64 * 1024;
/** Steps in one turn. */
const SLICE = 64;
/** Unsent bytes above which it waits for the learner. */
const HIGH = 1024 * 1024;

interface Link {
  readonly unsent: number;
  readonly isClosed: boolean;
  sendRaw(bytes: Buffer): void;
  flush(): void;
}

export class Flow {
  private readonly runtime: Pick<Runtime, 'soon'>;
  private readonly guard: (action: () => void) => void;
  private readonly link: Link;
  private readonly step: () => boolean;
  private readonly stepsPerTurn: number;
  private scheduled = false;
  private ended = false;
  /** Called once when everything is sent or the flow was stopped. */
  onEnd: () => void = () => {};

  /** @param step sends a little; false when nothing is left */
  constructor(
    runtime: Pick<Runtime, 'soon'>,
    guard: (action: () => void) => void,
    link: Link,
    step: () => boolean,
    stepsPerTurn = SLICE,
  ) {
    this.runtime = runtime;
    this.guard = guard;
    this.link = link;
    this.step = step;
    this.stepsPerTurn = stepsPerTurn;
  }

  /** A snapshot's body. */
  static ofBody(
    runtime: Pick<Runtime, 'soon'>,
    guard: (action: () => void) => void,
    link: Link,
    body: BodySource,
  ): Flow {
    const pieces = bodyPieces(body, new JuteWriter(PIECE * 2), PIECE);
    const step = (): boolean => {
      const piece = pieces.next();
      if (piece.done === true) return false;
      link.sendRaw(piece.value);
      return true;
    };
    return new Flow(runtime, guard, link, step, 1);
  }

  /** Goes on; to be called when the learner has taken what was sent. */
  pump(): void {
    if (this.ended || this.scheduled) return;
    for (let i = 0; i < this.stepsPerTurn; i++) {
      if (this.link.isClosed || !this.step()) {
        this.stop();
        return;
      }
    }
    this.link.flush();
    if (this.link.unsent > HIGH) return; // the drain event goes on
    this.scheduled = true;
    this.runtime.soon(() => {
      this.scheduled = false;
      this.guard(() => this.pump());
    });
  }

  stop(): void {
    if (this.ended) return;
    this.ended = true;
    this.onEnd();
  }
}
