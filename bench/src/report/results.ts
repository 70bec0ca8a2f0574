// The samples of all rounds, and their medians.

import type { ServerKind } from '../servers/running-server.js';
import type { Figure, Sample } from '../workload.js';

export class Results {
  /** Sample name, then server; names in the order of their first appearance. */
  readonly samples = new Map<string, Map<ServerKind, Sample[]>>();
  readonly failures: string[] = [];

  add(kind: ServerKind, sample: Sample): void {
    const bySample = this.samples.get(sample.name) ?? new Map<ServerKind, Sample[]>();
    this.samples.set(sample.name, bySample);
    const list = bySample.get(kind) ?? [];
    bySample.set(kind, list);
    list.push(sample);
  }

  /** All values of a figure, one for each round that has it. */
  values(name: string, kind: ServerKind, figure: Figure): number[] {
    const samples = this.samples.get(name)?.get(kind) ?? [];
    return samples.map((sample) => sample.figures[figure]).filter((value) => value !== undefined);
  }

  /** The median over the rounds; for a worst stall the worst. */
  figure(name: string, kind: ServerKind, figure: Figure): number | undefined {
    const values = this.values(name, kind, figure).sort((a, b) => a - b);
    if (values.length === 0) return undefined;
    if (figure === 'worstStall') return values[values.length - 1];
    return (values[(values.length - 1) >> 1] + values[values.length >> 1]) / 2;
  }

  /** All that was recorded, as plain data. */
  toJSON(): object {
    const rounds = [...this.samples].flatMap(([, kinds]) =>
      [...kinds].flatMap(([server, samples]) => samples.map((sample, round) => ({ server, round, ...sample }))),
    );
    return { rounds, failures: this.failures };
  }
}
