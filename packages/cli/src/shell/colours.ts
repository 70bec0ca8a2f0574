// Colours for terminals. Source of the codes: ECMA-48.

export interface Colours {
  readonly error: (text: string) => string;
  readonly event: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
}

const paint =
  (code: number) =>
  (text: string): string =>
    text === '' ? text : `\u001b[${code}m${text}\u001b[0m`;
const plain = (text: string): string => text;

export const COLOURED: Colours = { error: paint(31), event: paint(33), dim: paint(2), good: paint(32) };
export const PLAIN: Colours = { error: plain, event: plain, dim: plain, good: plain };

/** Colours if the stream is a terminal that wants them (NO_COLOR, TERM=dumb). */
export function coloursFor(
  stream: { readonly isTTY?: boolean },
  environment: NodeJS.ProcessEnv = process.env,
): Colours {
  const isWanted = stream.isTTY === true && (environment.NO_COLOR ?? '') === '' && environment.TERM !== 'dumb';
  return isWanted ? COLOURED : PLAIN;
}
