// The server's log: readable lines on a terminal, JSON otherwise.

export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** For embedding: says nothing. */
export const silentLogger: Logger = { info: () => {}, warn: () => {}, error: () => {} };

/** A pino logger on standard error. NODEKEEPER_LOG_LEVEL sets the level. */
export async function createLogger(): Promise<Logger> {
  const { default: pino } = await import('pino');
  const level = process.env.NODEKEEPER_LOG_LEVEL ?? 'info';
  if (!process.stderr.isTTY) return wrap(pino({ level }, pino.destination({ fd: 2, sync: true })));
  const { default: pretty } = await import('pino-pretty');
  return wrap(
    pino({ level }, pretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss.l' })),
  );
}

function wrap(log: Logger): Logger {
  return {
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
  };
}
