// What tools print, for people or as JSON, and how they fail.

/** The tool could not do what it was asked for. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

export interface Output {
  /** Whether {@link value} is to be used, and {@link line} is not. */
  readonly json: boolean;
  line(text: string): void;
  /** Without a line's end: a question. */
  part(text: string): void;
  /** To stderr. */
  note(text: string): void;
  /** How far long work is; shown on a terminal only. `total` undefined while it is not known. */
  progress(done: number, total: number | undefined, what: string): void;
  /** One JSON object on a line. */
  value(value: unknown): void;
  /** Resolves when more can be printed; what prints much awaits it now and then. Rejects if nobody reads any more. */
  taken(): Promise<void>;
}

/** Text of somebody else's for people to read: what it holds must not steer a terminal, or turn the line around. */
export function printable(text: string): string {
  return text.replace(/(?![\n\t])[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (c) => {
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
