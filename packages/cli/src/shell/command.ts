// What a command of the shell is: its name and options, and what it does with a client.

import type { Client } from '@nodekeeper/client';
import type { OptionSpec, Parsed } from './options.js';
import type { WatchBook } from './watch-book.js';

/** What a command has to say: lines for people, a value for programs. */
export interface Reply {
  /** To stdout. */
  readonly lines?: readonly string[];
  /** To stderr, as zkCli has it for some. */
  readonly notes?: readonly string[];
  /** What is printed instead with --json. */
  readonly value?: unknown;
  /** The command has failed in part: the exit code is 1. */
  readonly isPartial?: boolean;
}

export interface Context {
  readonly client: Client;
  readonly watches: WatchBook;
  /** Whether the reply is told as JSON. */
  readonly json: boolean;
}

export interface Command extends OptionSpec {
  readonly name: string;
  /** Behind the name, as zkCli writes it. */
  readonly usage: string;
  /** For `help`, where there is more than zkCli has. */
  readonly fullUsage?: string;
  /** For `help`: what it does. */
  readonly about: string;
  /** The least number of words that are no options. */
  readonly least?: number;
  /** Whether it needs no answer of a server. */
  readonly isLocal?: boolean;
  run(context: Context, parsed: Parsed): Promise<Reply>;
}

/** The word at `index`; the command's `least` has been checked. */
export function word(parsed: Parsed, index: number): string {
  return parsed.rest[index] ?? '';
}
