// A simulated machine with a program on it that uses the real client and recipes; it plays its part in the scenarios of a run.

import type { Socket } from 'node:net';
import { Client, isKeeperError } from '@nodekeeper/client';
import type { Network } from '@nodekeeper/server';
import type { Actor } from '../actor.js';
import type { Step } from '../fault-plan.js';
import { CLIENT_PORT } from '../hosts.js';
import { Life } from '../life.js';
import type { ClientPlan } from '../plan.js';
import type { Random } from '../random.js';
import { Clock, simRuntime } from '../runtime.js';
import type { Scheduler } from '../scheduler.js';
import type { Part, Scenario } from './scenario.js';
import { VirtualProcess } from './virtual-process.js';
import { type Loss, Wire } from './wire.js';

/** Programs have more to do than what is looked at: now and then an immediate waits for so many milliseconds. */
const BUSY = { chance: 0.2, ms: 5 };

export interface PlayerHost {
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** Addresses of the servers. */
  readonly servers: readonly string[];
  /** From then on no new turns are begun. */
  readonly healAt: number;
  /** See {@link Part.isTimely}. */
  readonly isTimely: boolean;
  attach(life: Life): Network;
  nextOrder(): number;
  /** Whether all players but this one have ended their turns of a scenario. */
  othersHaveEnded(scenario: string, player: Player): boolean;
  trace(text: string): void;
  violated(kind: string, message: string): void;
}

export class Player implements Actor {
  readonly name: string;
  /** Scenarios of which it begins no more turns. */
  readonly ended = new Set<string>();
  private readonly setting: ClientPlan;
  private readonly host: PlayerHost;
  private readonly scenarios: ReadonlyMap<string, Scenario>;
  private readonly place = { pausedUntil: 0 };
  private readonly life: Life;
  private readonly process: VirtualProcess;
  private readonly losses: Loss[] = [];
  private client: Client | undefined;
  private wire: Wire | undefined;
  /** What it still has to do. */
  private busy = 0;

  constructor(name: string, setting: ClientPlan, scenarios: ReadonlyMap<string, Scenario>, host: PlayerHost) {
    this.name = name;
    this.setting = setting;
    this.scenarios = scenarios;
    this.host = host;
    this.life = new Life(name, this.place, (error) => this.failed('its program', error));
    const runtime = simRuntime(host.scheduler, this.life, new Clock(host.scheduler), host.random.fork('runtime'));
    const random = host.random.fork('busy');
    this.process = new VirtualProcess({
      ...runtime,
      soon: (action) =>
        random.chance(BUSY.chance)
          ? void host.scheduler.after(random.between(0, BUSY.ms), this.life, action)
          : runtime.soon(action),
    });
  }

  get alive(): boolean {
    return this.life.alive;
  }

  get settled(): boolean {
    return !this.alive || (this.busy === 0 && this.client?.isConnected === true);
  }

  get sessionId(): bigint | undefined {
    return this.client?.sessionId;
  }

  /** Listeners of recipes that are still there, although all have ended. */
  get listeners(): number {
    return this.alive ? (this.client?.listenerCount('state') ?? 0) : 0;
  }

  start(): void {
    const { host, life, process } = this;
    const network = host.attach(life);
    const open = (address: string, port: number): Socket => {
      this.wire = new Wire(network.connect(address, port), process, this.losses);
      return this.wire as unknown as Socket;
    };
    process.run(() => {
      const target = host.servers.map((server) => `${server}:${CLIENT_PORT}`).join(',');
      const { sessionTimeout } = this.setting;
      const client = new Client(target, { sessionTimeout, connectTimeout: 1000, open });
      this.client = client.start();
      for (const [name, scenario] of this.scenarios) this.work(name, scenario.play(this.partIn(name, client)));
    });
    this.wander();
  }

  private partIn(scenario: string, client: Client): Part {
    const { host, name } = this;
    return {
      name,
      client,
      random: host.random.fork(scenario),
      now: () => host.scheduler.now,
      nextOrder: host.nextOrder,
      isTimely: host.isTimely,
      isOver: () => host.scheduler.now >= host.healAt,
      othersHaveEnded: () => host.othersHaveEnded(scenario, this),
      ended: () => void this.ended.add(scenario),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      trace: (text) => host.trace(`${name} ${text}`),
    };
  }

  private work(what: string, work: Promise<unknown>): void {
    this.busy++;
    work
      .catch((error) => this.failed(what, error))
      .finally(() => {
        this.busy--;
      });
  }

  private failed(what: string, error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (this.alive) this.host.violated('recipes', `${this.name}, ${what}: ${text}`);
  }

  /** A read behind everything. */
  lookAtEverything(): void {
    const { client } = this;
    if (client === undefined || !this.alive) return;
    const look = async (): Promise<void> => {
      for (;;) {
        try {
          await client.sync('/');
          return;
        } catch (error) {
          if (!isKeeperError(error, 'ConnectionLoss') && !isKeeperError(error, 'SessionExpired')) throw error;
        }
      }
    };
    this.process.run(() => this.work('a last look', look()));
  }

  // ---- faults ----

  move(): void {
    const { wire } = this;
    if (this.alive && wire !== undefined) this.process.run(() => wire.destroy());
  }

  die(): void {
    this.host.trace(`${this.name} dies`);
    this.life.end();
  }

  /** Stands still: the world goes on. */
  pause(ms: number): void {
    this.place.pausedUntil = this.host.scheduler.now + ms;
  }

  lose(step: Step, writes: number): void {
    this.losses.push({ step, writes });
  }

  private wander(): void {
    const { stay } = this.setting;
    const { scheduler, random, healAt } = this.host;
    if (stay === 0) return;
    scheduler.after(random.skewed(stay), this.life, () => {
      if (scheduler.now >= healAt) return;
      this.move();
      this.wander();
    });
  }

  /** Everything is made well. */
  heal(): void {
    this.losses.length = 0;
    this.place.pausedUntil = 0;
  }
}
