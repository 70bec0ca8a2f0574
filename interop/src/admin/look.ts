// Asks a server everything that an operator can ask.

import { ask } from '../ensemble/words.js';
import { maskCommand, maskWord } from './mask.js';
import type { Metrics } from './metrics.js';
import type { Watched } from './watched.js';

/** Those that change what others tell come last. */
export const WORDS: readonly string[] =
  'ruok isro srvr stat conf cons dump dirs envi wchs wchc wchp hash gtmk crst srst'.split(' ');

export const COMMANDS: readonly string[] = `
  configuration connections dirs dump get_trace_mask hash is_read_only leader observers ruok server_stats stats
  voting_view watch_summary watches watches_by_path zabstate set_trace_mask nosuch
  observer_connection_stat_reset connection_stat_reset stat_reset
`
  .trim()
  .split(/\s+/);

/** Answers, ready to be compared, by what was asked. */
export type Look = ReadonlyMap<string, string>;

export interface Looked {
  readonly answers: Look;
  /** Empty while there are none. */
  readonly metrics: Metrics;
}

/** Asks server `id`, words and commands and metrics. */
export async function look(watched: Watched, id: number): Promise<Looked> {
  const { client } = watched.member(id).ports;
  const said = async (word: string): Promise<string> => (await ask(client, word)) ?? '';
  const metrics = parseMetrics(await said('mntr'));
  const answers = new Map<string, string>();
  for (const word of WORDS) {
    const answer = async (): Promise<string> => maskWord(word, await said(word), watched);
    answers.set(word, word === 'dump' ? await settled(answer) : await answer());
  }
  for (const name of COMMANDS) {
    const reply = await fetch(`${watched.adminUrl(id)}/commands/${name}`);
    answers.set(`/commands/${name}`, `${reply.status} ${maskCommand(await reply.text(), watched)}`);
  }
  return { answers, metrics };
}

/**
 * What is said twice in a row: Apache's leader may leave out a session whose follower has just told that it is alive, as that moves
 * it to another set while these are listed.
 */
async function settled(answer: () => Promise<string>): Promise<string> {
  let [before, now] = [await answer(), await answer()];
  for (let tries = 0; now !== before && tries < 100; tries++) [before, now] = [now, await answer()];
  return now;
}

function parseMetrics(text: string): Metrics {
  return new Map([...text.matchAll(/^zk_(\S+)\t(.*)$/gm)].map(([, key = '', value = '']) => [key, value]));
}
