// The server's log: readable lines on a terminal, JSON otherwise.

export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** For embedding: says nothing. */
export const silentLogger: Logger = { info: () => {}, warn: () => {}, error: () => {} };

/** Bytes of lines that wait where standard error takes none. */
const MOST_WAITING = 1024 * 1024;
const RETRY_MS = 100;

/** A pino logger on standard error. NODEKEEPER_LOG_LEVEL sets the level. */
export async function createLogger(): Promise<Logger> {
  const { default: pino } = await import('pino');
  const level = process.env.NODEKEEPER_LOG_LEVEL ?? 'info';
  // On a full disk, and where whoever reads the log stands still, the server goes on: lines wait, and too many are lost.
  const destination = pino.destination({ fd: 2, sync: true, maxLength: MOST_WAITING, retryEAGAIN: () => false });
  let waiting = false;
  destination.on('error', () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      destination.write('');
    }, RETRY_MS).unref();
  });
  if (!process.stderr.isTTY) return wrap(pino({ level }, destination));
  const { default: pretty } = await import('pino-pretty');
  return wrap(pino({ level }, pretty({ destination, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' })));
}

function wrap(log: Logger): Logger {
  return {
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
  };
}
