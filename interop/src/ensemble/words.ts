// Asks a server on its client port how it is: srvr and mntr.

import { connect } from 'node:net';
import { HOST } from './ports.js';

export type Mode = 'leader' | 'follower' | 'observer' | 'standalone' | 'read-only';

/** A busy machine is waited for: who does not answer is taken for one that serves nobody. */
const ANSWER_MS = 20_000;

/** The answer to a four-letter word; undefined if none comes, or none in time. */
export function ask(port: number, word: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ port, host: HOST });
    const timer = setTimeout(() => socket.destroy(), ANSWER_MS);
    socket.on('connect', () => socket.write(word));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text === '' ? undefined : text);
    });
  });
}

/** The role the server says it has; undefined while it serves nobody. */
export async function modeOf(port: number): Promise<Mode | undefined> {
  return /^Mode: (.+)$/m.exec((await ask(port, 'srvr')) ?? '')?.[1] as Mode | undefined;
}

/** What `mntr` tells, by name without the prefix `zk_`. Empty while the server serves nobody. */
export async function monitored(port: number): Promise<ReadonlyMap<string, string>> {
  const lines = ((await ask(port, 'mntr')) ?? '').split('\n');
  return new Map(lines.flatMap((line) => [...line.matchAll(/^zk_(\S+)\t(.*)$/g)].map((m) => [m[1], m[2]] as const)));
}

/** The last transaction that the server has applied. */
export async function lastZxid(port: number): Promise<bigint | undefined> {
  const hex = /^Zxid: 0x([0-9a-f]+)$/m.exec((await ask(port, 'srvr')) ?? '')?.[1];
  return hex === undefined ? undefined : BigInt(`0x${hex}`);
}
