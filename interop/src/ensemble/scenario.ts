// What a scenario is: a test of an ensemble that is cast with servers of one or of both implementations.

import type { Kind } from '../servers/index.js';
import { Ensemble, type EnsembleSettings } from './ensemble.js';

/** Who leads at first, and who follows. */
export interface Cast {
  readonly leader: Kind;
  readonly followers: readonly [Kind, Kind];
}

const LETTERS: Readonly<Record<string, Kind>> = { A: 'apache', N: 'nodekeeper' };

/** All there are. Two servers of a kind need not be told apart. */
export const CASTS: readonly string[] = ['N/NN', 'N/AN', 'N/AA', 'A/AN', 'A/NN', 'A/AA'];

/** Reads such as `N/AA`: Nodekeeper leads two of Apache's. */
export function castOf(text: string): Cast {
  const kinds = [...text.replace('/', '')].map((letter) => LETTERS[letter]);
  if (!/^[AN]\/[AN]{2}$/.test(text)) throw new Error(`${text}: a cast is one of ${CASTS.join(', ')}`);
  return { leader: kinds[0], followers: [kinds[1], kinds[2]] };
}

export interface Scenario {
  readonly id: string;
  readonly title: string;
  /** The casts it makes sense with; all if not given. */
  readonly casts?: readonly string[];
  /** Whether it says something else with each of the implementations leading. */
  readonly bothWays?: boolean;
  readonly run: (stage: Stage) => Promise<void>;
}

/** What a scenario works with. */
export class Stage {
  readonly cast: Cast;
  readonly #ensembles: Ensemble[] = [];
  readonly #note: (text: string) => void;

  constructor(cast: Cast, note: (text: string) => void) {
    this.cast = cast;
    this.#note = note;
  }

  /** Starts an ensemble of three: 1 and 2 follow, 3 leads. */
  async three(settings: Omit<EnsembleSettings, 'kinds'> = {}): Promise<Ensemble> {
    return this.start({ ...settings, kinds: [...this.cast.followers, this.cast.leader] });
  }

  async start(settings: EnsembleSettings): Promise<Ensemble> {
    const ensemble = await this.prepare(settings);
    await ensemble.startAll();
    return ensemble;
  }

  /** An ensemble of which nothing runs yet. */
  async prepare(settings: EnsembleSettings): Promise<Ensemble> {
    const ensemble = await Ensemble.create(settings);
    this.#ensembles.push(ensemble);
    return ensemble;
  }

  /** Tells the reader something about the run, such as how long it took. */
  note(text: string): void {
    this.#note(text);
  }

  /** What all the servers said last. */
  lastWords(): string {
    return this.#ensembles.map((e) => e.lastWords()).join('\n');
  }

  get directories(): string[] {
    return this.#ensembles.map((e) => e.dir);
  }

  async close(keep: boolean): Promise<void> {
    for (const ensemble of this.#ensembles) await ensemble.close(keep);
  }
}
