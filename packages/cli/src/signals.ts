// What tells a command to end: Ctrl-C, a supervisor, and a terminal that is closed.

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Calls back at the first of each signal; the next one ends the process. Returns what takes that back. */
export function onToldToEnd(action: () => void): () => void {
  for (const signal of SIGNALS) process.once(signal, action);
  return () => {
    for (const signal of SIGNALS) process.off(signal, action);
  };
}
