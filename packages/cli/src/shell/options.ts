// The options of the shell's commands, read as zkCli reads them: anywhere in the line, several letters together, values
// apart or attached.

import { CommandError } from './failure.js';

export interface OptionSpec {
  /** Names of options of which only one can be given, with what they mean; `isRequired`: one must be. */
  readonly group?: { readonly names: Readonly<Record<string, string>>; readonly isRequired: boolean };
  /** Names of options without a value. */
  readonly flags?: readonly string[];
  /** Names of options with one. */
  readonly values?: readonly string[];
}

export interface Parsed {
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, string>;
  /** The words that are no options, without the command itself. */
  readonly rest: readonly string[];
}

/** @throws CommandError with the name of the option that is unknown or lacks its value */
export function parseOptions(words: readonly string[], spec: OptionSpec): Parsed {
  const { flags = [], values = [] } = spec;
  const found = new Set<string>();
  const given = new Map<string, string>();
  const rest: string[] = [];
  const take = (name: string, attached: string | undefined, next: () => string | undefined): void => {
    const value = attached ?? next();
    if (value === undefined) throw new CommandError(`Missing argument for option: ${name}`);
    given.set(name, value);
  };
  /** Several letters together: what is behind one that wants a value is its value. */
  const takeLetters = (word: string, next: () => string | undefined): void => {
    for (let at = 1; at < word.length; at++) {
      const letter = word.charAt(at);
      if (values.includes(letter)) {
        take(letter, word.slice(at + 1) || undefined, next);
        return;
      }
      if (!flags.includes(letter)) throw new CommandError(`Unrecognized option: ${word}`);
      found.add(letter);
    }
  };
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (word === '--') {
      rest.push(...words.slice(i + 1));
      break;
    }
    if (!isOption(word)) {
      rest.push(word);
      continue;
    }
    const [name = '', attached] = splitAtEquals(word.replace(/^--?/, ''));
    const next = (): string | undefined => words[++i];
    if (values.includes(name)) take(name, attached, next);
    else if (attached === undefined && flags.includes(name)) found.add(name);
    else takeLetters(word, next);
  }
  checkGroup(spec, [...found, ...given.keys()]);
  return { flags: found, values: given, rest };
}

function checkGroup({ group }: OptionSpec, given: readonly string[]): void {
  if (group === undefined) return;
  const [first, second] = given.filter((name) => name in group.names);
  if (second !== undefined)
    throw new CommandError(
      `The option '${second}' was specified but an option from this group has already been selected: '${first}'`,
    );
  if (first !== undefined || !group.isRequired) return;
  const all = Object.entries(group.names).map(([name, meaning]) => `-${name} ${meaning}`);
  throw new CommandError(`Missing required option: [${all.join(', ')}]`);
}

/** A dash alone and negative numbers are words. */
function isOption(word: string): boolean {
  return word.length > 1 && word.startsWith('-') && !/^-\d+$/.test(word);
}

function splitAtEquals(text: string): [string, string | undefined] {
  const at = text.indexOf('=');
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** @throws CommandError if the option is given and is no whole number */
export function numberOf(parsed: Parsed, name: string): number | undefined {
  const text = parsed.values.get(name);
  if (text === undefined) return undefined;
  if (!/^[+-]?\d+$/.test(text)) throw new CommandError(`-${name} argument must be an int value`);
  return Number(text);
}
