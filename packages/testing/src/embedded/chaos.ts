// Has the faults of a plan strike an ensemble while a test uses it, and makes everything well again.

import { type ChaosFault, type ChaosOptions, planChaos } from './chaos-plan.js';
import type { TestEnsemble } from './ensemble.js';
import { clearTimeout, performance, setTimeout } from './real-time.js';

export class Chaos {
  /** Give it again for the same faults at the same times. */
  readonly seed: string | number;
  /** What is going to happen; faults of one list come one after the other. */
  readonly plan: readonly (readonly ChaosFault[])[];
  /** What has happened, line by line. */
  readonly lines: string[] = [];
  /** Resolves when all is over, every server runs, and the ensemble is ready. Rejects if it can't be made well. */
  readonly done: Promise<void>;
  private readonly ensemble: TestEnsemble;
  private readonly began = performance.now();
  private readonly stopping = new AbortController();

  constructor(ensemble: TestEnsemble, voters: number, options: ChaosOptions) {
    this.ensemble = ensemble;
    this.seed = options.seed ?? Math.floor(Math.random() * 2 ** 32);
    this.plan = planChaos(ensemble.ids, voters, { ...options, seed: this.seed });
    this.done = this.run();
    this.done.catch(() => this.stopping.abort()); // whoever waits is told
  }

  /** Ends it before its time. Resolves as {@link done} does. */
  stop(): Promise<void> {
    this.stopping.abort();
    return this.done;
  }

  private async run(): Promise<void> {
    await Promise.all(this.plan.map((lane) => this.play(lane)));
    await this.ensemble.ready();
    this.tell('everything is well');
  }

  private async play(lane: readonly ChaosFault[]): Promise<void> {
    for (const fault of lane) {
      await this.wait(fault.at - (performance.now() - this.began));
      if (this.stopping.signal.aborted) return;
      const id = fault.server === 'leader' ? this.ensemble.leader : fault.server;
      if (id === undefined) {
        this.tell(`${fault.kind}: nobody leads`);
        continue;
      }
      this.tell(`${fault.kind}: server ${id}${id === this.ensemble.leader ? ', the leader,' : ''} for ${fault.ms} ms`);
      const undo = await this.strike(id, fault);
      await this.wait(fault.ms);
      await undo();
      this.tell(`${fault.kind}: server ${id} is well`);
    }
  }

  /** Resolves, when the fault is there, with what takes it back. */
  private async strike(id: number, { kind, by }: ChaosFault): Promise<() => void | Promise<void>> {
    const { ensemble } = this;
    switch (kind) {
      case 'kill':
      case 'stop':
        await ensemble[kind](id);
        return () => ensemble.restart(id);
      case 'partition': {
        const others = ensemble.ids.filter((other) => other !== id);
        ensemble.partition([id], others);
        return () => ensemble.heal([id], others);
      }
      case 'freeze':
        ensemble.freeze(id);
        return () => ensemble.thaw(id);
      case 'slowDisk':
        ensemble.slowDisk(id, by);
        return () => ensemble.healDisk(id);
      case 'delayReplies':
        ensemble.delayReplies(id, by);
        return () => ensemble.delayReplies(id, 0);
      case 'dropNextReply': {
        const reply = ensemble.dropNextReply({ server: id });
        return () => reply.cancel();
      }
    }
  }

  /** Resolves after so many milliseconds, or at once when it is to end. */
  private async wait(ms: number): Promise<void> {
    const { signal } = this.stopping;
    if (signal.aborted || ms <= 0) return;
    await new Promise<void>((resolve) => {
      const over = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', over);
        resolve();
      };
      const timer = setTimeout(over, ms);
      signal.addEventListener('abort', over);
    });
  }

  private tell(text: string): void {
    this.lines.push(`${Math.round(performance.now() - this.began)} ms ${text}`);
  }
}
