// Commands on watches: addWatch, removewatches.

import { type Command, word } from '../command.js';
import { CommandError } from '../failure.js';
import { checkPath } from '../path-check.js';
import type { WatchKind } from '../watch-book.js';

const ADD_USAGE =
  '[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is PERSISTENT_RECURSIVE';
const KINDS: readonly (readonly [string, WatchKind])[] = [
  ['c', 'children'],
  ['d', 'data'],
  ['p', 'persistent'],
  ['r', 'persistentRecursive'],
  ['a', 'any'],
];

export const watchCommands: readonly Command[] = [
  {
    name: 'addWatch',
    usage: ADD_USAGE,
    about: 'watch a node until the watch is removed, or everything from it on',
    values: ['m'],
    least: 1,
    async run({ watches }, parsed) {
      const mode = (parsed.values.get('m') ?? 'PERSISTENT_RECURSIVE').toUpperCase();
      const isMode = mode === 'PERSISTENT' || mode === 'PERSISTENT_RECURSIVE';
      if (parsed.rest.length !== 1 || !isMode) throw new CommandError(`addWatch ${ADD_USAGE}`);
      const path = checkPath(word(parsed, 0));
      await watches.add(path, mode === 'PERSISTENT_RECURSIVE');
      return { value: { path, mode } };
    },
  },
  {
    name: 'removewatches',
    usage: 'path [-c|-d|-a] [-l]',
    fullUsage: 'path [-c|-d|-p|-r|-a] [-l]',
    about:
      'remove the watches that this shell has on a node: -c of its children, -d of its data, -p persistent, -r persistent recursive, -a all of these; -l also without a connection',
    flags: ['c', 'd', 'p', 'r', 'a', 'l'],
    least: 1,
    isLocal: true,
    async run({ watches }, parsed) {
      const path = checkPath(word(parsed, 0));
      const kind = KINDS.find(([flag]) => parsed.flags.has(flag))?.[1] ?? 'any';
      await watches.remove(path, kind, parsed.flags.has('l'));
      return { value: { path, removed: kind } };
    },
  },
];
