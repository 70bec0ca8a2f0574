// What others do at the ports. Whoever is refused, or let in and goes, comes again, several times a second, and whoever floods a port
// must not fill the disk with lines: a line is written once, and what follows of the same kind is counted.

import type { Logger } from './log.js';

/** How often {@link SparingLogger.tellCounts} is to be called, in milliseconds. */
export const COUNTS_MS = 60_000;
/** So many kinds are told apart; of further ones only the number is told. */
const MOST_KINDS = 100;

type Level = 'info' | 'warn';

interface Kind {
  readonly level: Level;
  readonly fields: object;
  readonly message: string;
  /** Since the counts were told. */
  times: number;
}

export class SparingLogger implements Logger {
  private readonly logger: Logger;
  private readonly kinds = new Map<string, Kind>();
  private others = 0;

  constructor(logger: Logger) {
    this.logger = logger;
  }

  info(fields: object, message: string): void {
    this.tell('info', fields, message, JSON.stringify(fields));
  }

  error(fields: object, message: string): void {
    this.logger.error(fields, message);
  }

  /** @param from what makes warnings of the same text different ones */
  warn(fields: object, message: string, from = JSON.stringify(fields)): void {
    this.tell('warn', fields, message, from);
  }

  private tell(level: Level, fields: object, message: string, from: string): void {
    const key = `${from} ${message}`;
    const known = this.kinds.get(key);
    if (known !== undefined) known.times++;
    else if (this.kinds.size >= MOST_KINDS) this.others++;
    else {
      this.kinds.set(key, { level, fields, message, times: 0 });
      this.logger[level](fields, message);
    }
  }

  /** Tells how often what was told came again. What has ended is forgotten: if it comes again later it is told at once. */
  tellCounts(): void {
    for (const [key, kind] of this.kinds) {
      const { level, fields, message, times } = kind;
      if (times === 0) this.kinds.delete(key);
      else this.logger[level]({ ...fields, times }, `${message} (again)`);
      kind.times = 0;
    }
    if (this.others > 0) this.logger.warn({ times: this.others }, 'further messages like those before were left out');
    this.others = 0;
  }
}
