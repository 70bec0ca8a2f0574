// Two servers that have had the same requests all their life, and what a sequence brings from the one and not from the other.

import { existsSync } from 'node:fs';
import { OpCode } from '@nodekeeper/protocol';
import { type ServerLike, startMember } from '../ensemble/as-server.js';
import { harmsEnsembles } from '../servers/harmful.js';
import { type Kind, startServer } from '../servers/index.js';
import { isFrom39 } from '../servers/version.js';
import { generate } from './generate.js';
import { isKnown } from './known-differences.js';
import { type Item, type RunOptions, runSequence, type Target } from './run.js';
import type { Step } from './step.js';
import { PROPS, type Variant } from './variants.js';

export interface Difference {
  /** Index of the step. */
  readonly at: number;
  readonly reference: readonly Item[];
  readonly tested: readonly Item[];
}

/** A standalone server; or a member of an ensemble, which is compared with one of an ensemble of Apache's servers. */
export type Tested = Kind | { readonly cast: string; readonly through: 'leader' | 'follower' };

export class Pair {
  private readonly variant: Variant;
  private readonly pipeline: number;
  private readonly servers: readonly [ServerLike, ServerLike];
  private readonly ofEnsembles: boolean;
  /** Whether Apache's server is one of 3.9 or later. */
  private readonly reference39: boolean;
  private runs = 0;
  /** Whether both have had the same requests: not any more after a sequence was run that they answer differently. */
  private alike = true;

  private constructor(
    variant: Variant,
    pipeline: number,
    servers: readonly [ServerLike, ServerLike],
    ofEnsembles: boolean,
    reference39: boolean,
  ) {
    this.ofEnsembles = ofEnsembles;
    this.reference39 = reference39;
    this.variant = variant;
    this.pipeline = pipeline;
    this.servers = servers;
  }

  /** Starts Apache's server and the one that is tested against it, or members of ensembles. `pipeline` is the generator's. */
  static async start(variant: Variant, tested: Tested, pipeline: number): Promise<Pair> {
    const options = { cfg: variant.cfg, props: PROPS };
    const start = (of: Tested): Promise<ServerLike> =>
      typeof of === 'string' ? startServer(of, options) : startMember(of.cast, of.through, options);
    const reference = typeof tested === 'string' ? 'apache' : { ...tested, cast: 'A/AA' };
    const servers = await Promise.allSettled([start(reference), start(tested)]);
    const failed = servers.find((result) => result.status === 'rejected');
    if (failed !== undefined) {
      for (const result of servers) if (result.status === 'fulfilled') await result.value.stop('SIGKILL');
      throw failed.reason;
    }
    const running = servers.map((s) => (s as PromiseFulfilledResult<ServerLike>).value) as [ServerLike, ServerLike];
    return new Pair(variant, pipeline, running, typeof tested !== 'string', await isFrom39(running[0].port));
  }

  get reference(): Target {
    return this.target(0);
  }

  get tested(): Target {
    return this.target(1);
  }

  /** What is left of servers that don't live any more. */
  ended(): string[] {
    return this.servers
      .filter(({ pid }) => !existsSync(`/proc/${pid}`))
      .map(({ kind, output }) => `${kind} has ended:\n${output().slice(-3000)}`);
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop('SIGKILL')));
  }

  /** The steps of a seed, below `root`. */
  generate(seed: number, count: number, root: string): Step[] {
    const steps = generate(seed, count, root, this.pipeline);
    if (this.ofEnsembles) return only(steps, suitsEnsembles);
    return this.reference39 ? only(steps, suits39) : steps;
  }

  /** A root that no sequence has had; all are of one length. */
  nextRoot(): string {
    return `/d${(this.runs++).toString(36).padStart(6, '0')}`;
  }

  /**
   * Runs the sequence of a seed on both.
   * @param keep the steps to run, all if not given
   */
  async compare(
    seed: number,
    count: number,
    keep?: readonly number[],
    tamper?: (frame: Buffer) => Buffer,
  ): Promise<Difference | undefined> {
    const all = this.generate(seed, count, this.nextRoot());
    const steps = keep === undefined ? all : keep.map((i) => all[i] as Step);
    const { reference, tested } = await this.run(steps, tamper);
    const at = steps.findIndex((_, i) => !same(reference[i] as Item[], tested[i] as Item[]));
    if (at < 0) return undefined;
    this.alike = false;
    return { at, reference: reference[at] as Item[], tested: tested[at] as Item[] };
  }

  /** Runs steps on both servers at the same time. */
  async run(
    steps: readonly Step[],
    tamper?: (frame: Buffer) => Buffer,
  ): Promise<{ reference: Item[][]; tested: Item[][] }> {
    const options: RunOptions = { comparesOld: this.alike };
    const [reference, tested] = await Promise.all([
      runSequence(this.reference, steps, options),
      runSequence(this.tested, steps, tamper === undefined ? options : { ...options, tamper }),
    ]);
    return { reference, tested };
  }

  private target(index: 0 | 1): Target {
    const { kind, port } = this.servers[index];
    return {
      kind,
      port,
      follows39: kind === 'nodekeeper' || this.reference39,
      reference39: this.reference39,
      mustAuthenticate: this.variant.mustAuthenticate === true,
    };
  }
}

/** The steps that suit. A batch whose last request goes still ends there. */
function only(steps: readonly Step[], suits: (step: Step) => boolean): Step[] {
  const kept: Step[] = [];
  for (const step of steps) {
    const last = kept.at(-1);
    if (suits(step)) kept.push(step);
    else if (step.kind === 'request' && !step.hold && last?.kind === 'request')
      kept[kept.length - 1] = { ...last, hold: false };
  }
  return kept;
}

/** Whether 3.9 and ours answer alike: 3.9 gives no zxid to a write that it can't decode, and deletes containers for clients. */
function suits39(step: Step): boolean {
  return step.kind !== 'request' || !harmsEnsembles(step.op, step.body);
}

/** Whether Apache's ensembles survive it, and two ensembles, with other addresses, answer it alike. */
export function suitsEnsembles(step: Step): boolean {
  if (step.kind !== 'request') return true;
  const aboutMembers = step.op === OpCode.reconfig || step.body.includes('/zookeeper/config');
  return !aboutMembers && !harmsEnsembles(step.op, step.body);
}

function same(reference: readonly Item[], tested: readonly Item[]): boolean {
  if (reference.length !== tested.length) return false;
  return reference.every((a, i) => {
    const b = tested[i] as Item;
    if (a.conn !== b.conn) return false;
    if (a.masked.bytes.equals(b.masked.bytes)) return true;
    return a.request !== undefined && a.request === b.request && isKnown(a.request, a.masked.text, b.masked.text);
  });
}

/** Takes away steps as long as the sequence still differs. Returns the indices that are left. */
export async function shrink(pair: Pair, seed: number, count: number, difference: Difference): Promise<number[]> {
  let best = Array.from({ length: difference.at + 1 }, (_, i) => i);
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.length; ) {
      const shorter = [...best.slice(0, at), ...best.slice(at + size)];
      const left = await pair.compare(seed, count, shorter);
      if (left === undefined) at += size;
      else best = shorter.slice(0, left.at + 1);
    }
  }
  return best;
}
