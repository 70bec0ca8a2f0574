// A simulated machine: a disk, a clock and a place in the network that stay, and the server process on it that comes and goes.

import type { Disk, Network, Runtime, ServerOptions } from '@nodekeeper/server';
import { SimDisk } from './disk.js';
import { serverHost } from './hosts.js';
import { Life, ProcessEnded } from './life.js';
import type { SimNetwork } from './network.js';
import type { Random } from './random.js';
import { Clock, simRuntime } from './runtime.js';
import { type Scheduler, world } from './scheduler.js';

/** What runs on a machine. */
export interface Process {
  /** Of the server, as in its myid. */
  readonly id: number;
  /** What the server says it is: leader, follower … */
  readonly mode: string;
  /** Whether it takes clients. */
  readonly serving: boolean;
  readonly lastZxid: number;
  readonly digestMismatches: number;
  /** Of the whole tree; undefined where none are kept. */
  readonly digest: string | undefined;
  /** How many watches clients have set. */
  readonly watches: number;
  /** 0 if it is no server of an ensemble. */
  readonly acceptedEpoch: number;
  /** Whether the members that it knows include that server. */
  hasMember(id: number): boolean;
  /** Ends it as a signal does: resolves when it would exit. */
  stop(): Promise<void>;
}

export interface ProgramHost {
  /** Which machine it is, from 0, and how many times it was started before. */
  readonly machine: number;
  readonly start: number;
  readonly options: ServerOptions & { readonly disk: Disk; readonly network: Network; readonly runtime: Runtime };
  /** The server has an epoch's quorum and leads it; its history up to then ends at `base`. */
  leads(epoch: number, base: number): void;
}

/** Starts a server; resolves when it is up. */
export type Program = (host: ProgramHost) => Promise<Process>;

export interface MachineHost {
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  trace(text: string): void;
  violated(kind: string, message: string): void;
  /** A server is up. */
  started(machine: Machine, process: Process): void;
  leads(machine: Machine, epoch: number, base: number): void;
}

/** Of logs and snapshots alike. */
const HEADER = 16;

/** Milliseconds after which a supervisor starts a process again that ended by itself. */
const SUPERVISOR = 300;
/** How a server closes a connection whose bytes make no sense. */
const MISREAD = /^connection closed: (frame|undecodable) /;

export class Machine {
  /** From 0. */
  readonly number: number;
  readonly name: string;
  readonly hostName: string;
  readonly disk: SimDisk;
  readonly clock: Clock;
  pausedUntil = 0;
  /** Counted down by everything that the process does to disk and network; at 0 `onCountdown` is called in its midst. */
  countdown = Number.POSITIVE_INFINITY;
  onCountdown: () => void = () => {};
  /** A bit of its files was flipped: it may not be able to go on. */
  damaged = false;
  process: Process | undefined;
  /** Why the server does not start on its data; nobody tries again. */
  refused: string | undefined;
  private life: Life | undefined;
  private readonly host: MachineHost;
  private readonly random: Random;
  private readonly program: Program;
  private starts = 0;

  constructor(number: number, host: MachineHost, random: Random, rate: number, program: Program) {
    this.number = number;
    this.name = `s${number + 1}`;
    this.hostName = serverHost(number);
    this.host = host;
    this.random = random;
    this.program = program;
    this.disk = new SimDisk(host.scheduler, random.fork('disk'));
    this.clock = new Clock(host.scheduler, rate);
  }

  get running(): boolean {
    return this.life !== undefined;
  }

  private trace(text: string): void {
    this.host.trace(`${this.name} ${text}`);
  }

  onEffect(): void {
    if (--this.countdown > 0) return;
    this.countdown = Number.POSITIVE_INFINITY;
    this.onCountdown();
  }

  /** While it is set nothing starts the machine. */
  dead = false;

  private warned(message: string): void {
    this.trace(`warns: ${message}`);
    // Clients here send nothing but whole requests.
    if (MISREAD.test(message)) this.host.violated('protocol', `${this.name} misreads a client: ${message}`);
  }

  start(): void {
    if (this.dead || this.life !== undefined || this.refused !== undefined) return;
    const { scheduler, network } = this.host;
    const start = this.starts++;
    const life = new Life(`${this.name}.${this.starts}`, this, (error) => this.failed(error));
    this.life = life;
    network.powerReturns(this.hostName);
    this.trace('starts');
    const random = this.random.fork(this.starts);
    const options = {
      disk: this.disk.attach(life),
      network: network.attach(this.hostName, life),
      runtime: simRuntime(scheduler, life, this.clock, random),
      writtenTogether: 0,
      logger: {
        info: (_fields: object, message: string) => this.trace(`says: ${message}`),
        warn: (_fields: object, message: string) => this.warned(message),
        error: (fields: object, message: string) => this.trace(`fails: ${message} ${JSON.stringify(fields)}`),
      },
      onFatal: (error: Error): never => {
        this.trace(`ends: ${error.message}`);
        this.kill();
        this.startLater(SUPERVISOR);
        throw new ProcessEnded();
      },
    };
    scheduler.after(random.between(1, 20), life, () => {
      const leads = (epoch: number, base: number): void => this.host.leads(this, epoch, base);
      this.program({ machine: this.number, start, options, leads }).then(
        (process) => {
          if (!life.alive) return;
          this.process = process;
          this.host.started(this, process);
        },
        (error: unknown) => {
          if (life.alive) this.notStarted(error);
        },
      );
    });
  }

  /** Nobody may catch an exception of the server's and go on. */
  private failed(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.host.violated('exception', `${this.name}: ${text}`);
    this.kill();
    this.startLater(SUPERVISOR);
  }

  private notStarted(error: unknown): void {
    if (error instanceof ProcessEnded) return;
    const message = error instanceof Error ? error.message : String(error);
    this.trace(`does not start: ${message}`);
    this.kill();
    // What the system refuses may be granted later; what is wrong with the data stays wrong.
    const system = error instanceof Error && 'code' in error && /^E[A-Z]+$/.test(String(error.code));
    if (system) this.startLater(SUPERVISOR);
    else this.refused = error instanceof Error ? (error.stack ?? message) : message;
  }

  startLater(ms: number): void {
    this.host.scheduler.after(ms, world, () => this.start());
  }

  /** The process ends; what it wrote without syncing stays in the page cache. */
  kill(): void {
    const { life } = this;
    this.life = undefined;
    this.process = undefined;
    life?.end();
  }

  /** Everything that is not on the medium is gone, and nobody is told. */
  losePower(): void {
    this.host.network.powerFails(this.hostName);
    this.kill();
    this.disk.losePower();
  }

  crash(power: boolean): void {
    this.trace(power ? 'loses power' : 'is killed');
    if (power) this.losePower();
    else this.kill();
  }

  /** Is asked to end, as by SIGTERM, and starts again so many milliseconds after it has. */
  stop(back: number): void {
    const { life, process } = this;
    if (life === undefined || process === undefined) return;
    this.trace('is to stop');
    process.stop().then(
      () => {
        if (!life.alive) return;
        this.trace('has stopped');
        this.kill();
        this.startLater(back);
      },
      (error: unknown) => life.onError(error),
    );
  }

  /** Its data are gone, as with a new disk; what its operator wrote there is there again. */
  wipe(): void {
    this.crash(true);
    this.trace('has lost its data');
    this.disk.forget('/data', 'myid');
  }

  /** Flips a bit in the midst of one of its logs or snapshots, where what is whole stands behind it. */
  flip(what: 'log' | 'snapshot', where: number): void {
    const files = [...this.disk.files()].filter(([path]) => path.includes(`/${what}.`));
    const file = files[Math.floor(where * files.length)]?.[1];
    if (file === undefined) return;
    const end = what === 'log' ? lastRecord(file.bytes()) : file.size;
    const at = Math.floor(HEADER + ((where * 7919) % 1) * (end - HEADER));
    if (at >= end || at < HEADER) return;
    file.flip(at, at % 8);
    this.damaged = true;
    this.trace(`has a bit flipped in a ${what}, at ${at} of ${file.size}`);
  }

  /** Suspends the process, and its clients' view of it, for a while. */
  pause(ms: number): void {
    this.pausedUntil = this.host.scheduler.now + ms;
  }
}

/** Where the last whole record of a log begins: damage of that one would pass for a torn tail, as it does on any disk. */
function lastRecord(log: Buffer): number {
  let last = HEADER;
  for (let at = HEADER; at + 12 < log.length; ) {
    const length = log.readInt32BE(at + 8);
    if (length <= 0 || at + 12 + length >= log.length) break;
    last = at;
    at += 12 + length + 1;
  }
  return last;
}
