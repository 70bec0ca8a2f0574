// Checks of paths with zkCli's words. The rules are the protocol's; only the messages are made here.

import { pathProblem } from '@nodekeeper/protocol';
import { CommandError } from './failure.js';

/**
 * @param isSequential whether a number will be put behind the path
 * @throws CommandError
 */
export function checkPath(path: string, isSequential = false): string {
  const whole = isSequential ? `${path}1` : path;
  const problem = pathProblem(whole);
  if (problem !== null) throw new CommandError(pathMessage(whole, problem));
  return path;
}

function pathMessage(path: string, problem: string): string {
  if (path.length === 0) return 'Path length must be > 0';
  if (!path.startsWith('/')) return 'Path must start with / character';
  if (path.length > 1 && path.endsWith('/')) return 'Path must not end with / character';
  const at = Number(/\d+$/.exec(problem)?.[0] ?? 0);
  return `Invalid path string "${path}" caused by ${reason(path, problem, at)}`;
}

function reason(path: string, problem: string, at: number): string {
  if (problem.startsWith('empty')) return `empty node name specified @${at}`;
  // Java points at the last dot.
  if (problem.startsWith('relative')) return `relative paths not allowed @${path[at + 1] === '.' ? at + 1 : at}`;
  return path.charCodeAt(at) === 0 ? `null character not allowed @${at}` : `invalid character @${at}`;
}
