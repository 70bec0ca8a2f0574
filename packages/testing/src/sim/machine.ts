// A simulated machine: a disk, a clock and a place in the network that stay, and the server process on it that comes and goes.

import type { Network, Runtime, ServerOptions } from '@nodekeeper/server';
import { SimDisk } from './disk.js';
import { Life, ProcessEnded } from './life.js';
import type { SimNetwork } from './network.js';
import type { Random } from './random.js';
import { Clock, simRuntime } from './runtime.js';
import { type Scheduler, world } from './scheduler.js';

/** What runs on a machine. */
export interface Process {
  /** What the server says it is: leader, follower … */
  readonly mode: string;
  /** Whether it takes clients. */
  readonly serving: boolean;
  readonly lastZxid: number;
  readonly digestMismatches: number;
  /** Of the whole tree. */
  readonly digest: string;
}

export interface ProgramHost {
  readonly options: ServerOptions & { readonly network: Network; readonly runtime: Runtime };
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

/** Milliseconds after which a supervisor starts a process again that ended by itself. */
const SUPERVISOR = 300;

export class Machine {
  readonly name: string;
  readonly hostName: string;
  readonly disk: SimDisk;
  readonly clock: Clock;
  pausedUntil = 0;
  process: Process | undefined;
  /** Why the server does not start on its data; nobody tries again. */
  refused: string | undefined;
  private life: Life | undefined;
  private readonly host: MachineHost;
  private readonly random: Random;
  private readonly program: Program;
  private starts = 0;

  constructor(name: string, hostName: string, host: MachineHost, random: Random, rate: number, program: Program) {
    this.name = name;
    this.hostName = hostName;
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

  start(): void {
    if (this.life !== undefined || this.refused !== undefined) return;
    const { scheduler, network } = this.host;
    const life = new Life(`${this.name}.${++this.starts}`, this, (error) => this.failed(error));
    this.life = life;
    network.powerReturns(this.hostName);
    this.trace('starts');
    const random = this.random.fork(this.starts);
    const options = {
      disk: this.disk.attach(life),
      network: network.attach(this.hostName, life),
      runtime: simRuntime(scheduler, life, this.clock, random),
      logger: {
        info: (_fields: object, message: string) => this.trace(`says: ${message}`),
        warn: (_fields: object, message: string) => this.trace(`warns: ${message}`),
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
      this.program({ options, leads: (epoch, base) => this.host.leads(this, epoch, base) }).then(
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
    if (error instanceof Error && 'code' in error) this.startLater(SUPERVISOR);
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

  /** Suspends the process, and its clients' view of it, for a while. */
  pause(ms: number): void {
    this.pausedUntil = this.host.scheduler.now + ms;
  }
}
