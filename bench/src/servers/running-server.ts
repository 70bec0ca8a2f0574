// A server under test, whoever made it and whoever started it.

/** `apache` and `ours` are started here; `connected` is any server that runs already. */
export type ServerKind = 'apache' | 'ours' | 'connected';

export interface RunningServer {
  readonly kind: ServerKind;
  readonly host: string;
  readonly port: number;
  /** Undefined when the process is not known; then there are no figures for CPU and memory. */
  readonly pid: number | undefined;
  /** Where its snapshots and logs are; undefined when that is not known. */
  readonly dataDir: string | undefined;
  /** Milliseconds from the start of the process to the first answered handshake; 0 if it was not started here. */
  readonly startTime: number;
  /** Ends the process and removes its data. */
  stop(): Promise<void>;
  /** Ends the process by SIGTERM and starts another on the same data. */
  restart(): Promise<RunningServer>;
}
