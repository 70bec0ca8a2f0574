// How contenders are called, by convention of the client library, and their order.

import { randomUUID } from 'node:crypto';
import { protectedName } from '../base/create.js';
import { compareSequences, sequenceAfter } from '../base/sequence.js';

/**
 * Whose names the own nodes bear. Nodes of both are respected whatever is chosen; Curator and kazoo, as they are by
 * default, respect their own only.
 */
export type LockLayout = 'curator' | 'kazoo';

/** Curator's readers and writers must have marks of the same length; kazoo's writers are called as its locks are. */
const MARKS = {
  curator: { lock: 'lock-', read: '__READ__', write: '__WRIT__' },
  kazoo: { lock: '__lock__', read: '__rlock__', write: '__lock__' },
} as const;

export type LockKind = keyof (typeof MARKS)['curator'];

export function newLockName(layout: LockLayout, kind: LockKind): string {
  const mark = MARKS[layout][kind];
  return layout === 'curator' ? protectedName(mark) : `${randomUUID().replaceAll('-', '')}${mark}`;
}

/** A child that stands in line. */
export interface Contender {
  readonly name: string;
  readonly sequence: number;
  readonly isReader: boolean;
}

const READERS = [MARKS.curator.read, MARKS.kazoo.read];
const OTHERS = [MARKS.curator.lock, MARKS.curator.write, MARKS.kazoo.lock];

/** Those of the children that stand in line, first to last. Other nodes are nobody's business. */
export function contendersAmong(children: readonly string[]): Contender[] {
  const found: Contender[] = [];
  for (const name of children) {
    const asReader = firstSequence(name, READERS);
    const sequence = asReader ?? firstSequence(name, OTHERS);
    if (sequence !== undefined) found.push({ name, sequence, isReader: asReader !== undefined });
  }
  return found.sort((a, b) => compareSequences(a.sequence, b.sequence));
}

function firstSequence(name: string, marks: readonly string[]): number | undefined {
  for (const mark of marks) {
    const sequence = sequenceAfter(name, mark);
    if (sequence !== undefined) return sequence;
  }
  return undefined;
}

/** Whether it may be a writer, which becomes a reader by leaving one in its place. kazoo's are called as its locks are. */
export function canLeaveReader(name: string): boolean {
  return firstSequence(name, [MARKS.curator.write, MARKS.kazoo.write]) !== undefined;
}

/** The number of a contender as its name has it. */
export function sequenceDigits(name: string): string | undefined {
  const mark = [...READERS, ...OTHERS].find((one) => sequenceAfter(name, one) !== undefined);
  return mark === undefined ? undefined : name.slice(name.lastIndexOf(mark) + mark.length);
}

/** Those who are before `own`, first to last. */
export function contendersBefore(children: readonly string[], own: string): Contender[] {
  const line = contendersAmong(children);
  const index = line.findIndex(({ name }) => name === own);
  if (index < 0) throw new Error(`${own} does not stand in line`); // else it would be taken for the first
  return line.slice(0, index);
}

/** Names of those who are before `own`. */
export function namesBefore(children: readonly string[], own: string): string[] {
  return contendersBefore(children, own).map(({ name }) => name);
}
