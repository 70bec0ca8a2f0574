// JSON as Apache's admin server prints it (Jackson's default pretty printer): ` : ` between name and value, arrays on one line,
// 64-bit numbers exact, doubles with a point. Written piece by piece.

import { JavaDouble } from './java-text.js';
import type { Pieces } from './pieces.js';

/** An object whose members are made as they are printed. */
export class LazyObject {
  readonly members: Iterable<readonly [string, Json]>;

  constructor(members: Iterable<readonly [string, Json]>) {
    this.members = members;
  }
}

/** An array whose elements are made as they are printed. */
export class LazyArray {
  readonly elements: Iterable<Json>;

  constructor(elements: Iterable<Json>) {
    this.elements = elements;
  }
}

export type Json =
  | null
  | boolean
  | number
  | bigint
  | string
  | JavaDouble
  | LazyObject
  | LazyArray
  | readonly Json[]
  | { readonly [name: string]: Json };

/** The text of a value. */
export function* prettyJson(value: Json, level = 0): Generator<string> {
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'bigint') {
    yield String(value);
  } else if (typeof value === 'string') {
    yield quoted(value);
  } else if (value instanceof JavaDouble) {
    yield value.toString();
  } else if (value instanceof LazyArray) {
    yield* array(value.elements, level);
  } else if (isArray(value)) {
    yield* array(value, level);
  } else {
    yield* object(value instanceof LazyObject ? value.members : Object.entries(value), level);
  }
}

function isArray(value: object): value is readonly Json[] {
  return Array.isArray(value);
}

function* array(elements: Iterable<Json>, level: number): Pieces {
  let separator = '[ ';
  for (const element of elements) {
    yield separator;
    yield* prettyJson(element, level);
    separator = ', ';
  }
  yield separator === ', ' ? ' ]' : '[ ]';
}

function* object(members: Iterable<readonly [string, Json]>, level: number): Pieces {
  const indent = '  '.repeat(level + 1);
  let separator = '{\n';
  for (const [name, value] of members) {
    yield `${separator}${indent}${quoted(name)} : `;
    yield* prettyJson(value, level + 1);
    separator = ',\n';
  }
  yield separator === ',\n' ? `\n${'  '.repeat(level)}}` : '{ }';
}

/** Jackson writes the digits of control characters in upper case. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(/\\(?:u00(..)|.)/g, (sequence, digits?: string) =>
    digits === undefined ? sequence : `\\u00${digits.toUpperCase()}`,
  );
}
