// Long texts made piece by piece: gathered into chunks, sent as fast as they are taken, with other work let in between.

import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers';

/** A text in pieces. An empty piece is a place to pause in work that yields nothing for a while. */
export type Pieces = Iterable<string>;

const CHUNK = 16 * 1024;
/** How long pieces are made without a pause, in milliseconds. */
const SLICE_MS = 5;
const CLOCK_EVERY = 64;

const waiting: (() => void)[] = [];

/** Resolves once other work had its turn. One that waits goes on at a time: many long texts stop the server no longer than one. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) setImmediate(next);
  });
}

function next(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(next);
}

/** The text in chunks of some 16 KB; other work gets its turn between them. */
export async function* chunks(pieces: Pieces): AsyncGenerator<string> {
  await turn();
  let text = '';
  let began = performance.now();
  let made = 0;
  for (const piece of pieces) {
    text += piece;
    if (text.length >= CHUNK) {
      yield text;
      text = '';
      await turn();
      began = performance.now();
    }
    const look = piece === '' || ++made % CLOCK_EVERY === 0;
    if (look && performance.now() - began > SLICE_MS) {
      await turn();
      began = performance.now();
    }
  }
  if (text !== '') yield text;
}

/** A stream of the text. */
export function streamOf(pieces: Pieces): Readable {
  return Readable.from(chunks(pieces), { objectMode: false, highWaterMark: CHUNK });
}

/** The text itself if it is short, a stream of it otherwise. */
export function textOrStream(pieces: Pieces): string | Readable {
  const left = pieces[Symbol.iterator]();
  let text = '';
  while (text.length < CHUNK) {
    const piece = left.next();
    if (piece.done === true) return text;
    text += piece.value;
  }
  return streamOf(rest(text, left));
}

function* rest(first: string, left: Iterator<string>): Pieces {
  yield first;
  for (let piece = left.next(); piece.done !== true; piece = left.next()) yield piece.value;
}

/** Runs work that offers pauses, with other work let in between; resolves with its result. */
export async function withPauses<T>(work: Generator<'', T>): Promise<T> {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    await turn();
  }
}

/** What a text is written to. */
interface Taker {
  readonly destroyed: boolean;
  write(bytes: Buffer): boolean;
  on(event: 'drain' | 'close', listener: () => void): unknown;
  end(done: () => void): unknown;
}

/** Writes the text as fast as it is taken and ends `out`; `onEnd` is told of the error if that fails. */
export function sendPieces(pieces: Pieces, out: Taker, onEnd: (error: Error | undefined) => void): void {
  let go = (): void => {};
  out.on('drain', () => go());
  out.on('close', () => go());
  const send = async (): Promise<void> => {
    for await (const chunk of chunks(pieces)) {
      const taken = new Promise<void>((resolve) => {
        go = resolve;
      });
      if (out.destroyed) throw new Error('the connection was closed');
      if (!out.write(Buffer.from(chunk))) await taken;
    }
    if (out.destroyed) throw new Error('the connection was closed');
    await new Promise<void>((resolve) => out.end(resolve));
  };
  send().then(
    () => onEnd(undefined),
    (error: Error) => onEnd(error),
  );
}
