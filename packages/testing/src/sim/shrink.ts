// Cuts a failing plan down to what the failure needs: faults first, then operations, in ever smaller pieces (delta debugging, Zeller
// and Hildebrandt 2002). What is left still breaks the same guarantee.

import type { Plan } from './plan.js';
import { type Result, simulate } from './simulation.js';

/** Which faults and operations of the whole plan are left, by their places. */
export interface Selection {
  readonly faults: readonly number[];
  readonly operations: readonly number[];
}

export function wholeOf(plan: Plan): Selection {
  return { faults: plan.faults.map((_, i) => i), operations: plan.operations.map((_, i) => i) };
}

export function select(plan: Plan, { faults, operations }: Selection): Plan {
  const pick = <T>(list: readonly T[], places: readonly number[]): T[] => {
    const wanted = new Set(places);
    return list.filter((_, i) => wanted.has(i));
  };
  return { ...plan, faults: pick(plan.faults, faults), operations: pick(plan.operations, operations) };
}

export interface Shrunk {
  readonly selection: Selection;
  readonly result: Result;
  readonly runs: number;
}

/**
 * @param failing a run of the plan that broke a guarantee
 * @param mostRuns after so many runs it is good enough
 */
export async function shrink(
  plan: Plan,
  failing: Result,
  run: (plan: Plan) => Promise<Result> = simulate,
  mostRuns = 400,
): Promise<Shrunk> {
  const kind = failing.violations[0]?.kind;
  let selection = wholeOf(plan);
  let result = failing;
  let runs = 0;
  const stillFails = async (smaller: Selection): Promise<boolean> => {
    if (runs >= mostRuns) return false;
    runs++;
    const next = await run(select(plan, smaller));
    if (next.violations[0]?.kind !== kind) return false;
    selection = smaller;
    result = next;
    return true;
  };
  for (let before = -1; before !== sizeOf(selection) && runs < mostRuns; ) {
    before = sizeOf(selection);
    await reduce(selection.faults, (faults) => stillFails({ ...selection, faults }));
    await reduce(selection.operations, (operations) => stillFails({ ...selection, operations }));
  }
  return { selection, result, runs };
}

function sizeOf({ faults, operations }: Selection): number {
  return faults.length + operations.length;
}

/** Leaves out pieces of a list as long as it stays good, halving the pieces. */
async function reduce(list: readonly number[], good: (smaller: number[]) => Promise<boolean>): Promise<void> {
  let left = [...list];
  if (left.length > 0 && (await good([]))) return;
  for (let size = Math.ceil(left.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < left.length; ) {
      const smaller = [...left.slice(0, at), ...left.slice(at + size)];
      if (smaller.length < left.length && (await good(smaller))) left = smaller;
      else at += size;
    }
  }
}

/** Numbers as ranges, `3-5,9`; `none` for no numbers. */
export function formatPlaces(places: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < places.length; ) {
    let end = i;
    while (places[end + 1] === (places[end] as number) + 1) end++;
    parts.push(end === i ? `${places[i]}` : `${places[i]}-${places[end]}`);
    i = end + 1;
  }
  return parts.length === 0 ? 'none' : parts.join(',');
}

/** @throws Error for what {@link formatPlaces} does not write */
export function parsePlaces(text: string): number[] {
  if (text === 'none') return [];
  return text.split(',').flatMap((part) => {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (match === null) throw new Error(`'${text}': numbers and ranges are expected, as in 3-5,9`);
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}
