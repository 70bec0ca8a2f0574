// One run: machines, network, clients and faults as the plan says, on virtual time; then everything is made well, what was asked for
// has to come to an end, the power fails everywhere, and what was shown must still be there.

import { createHash, type Hash } from 'node:crypto';
import type { Actor } from './actor.js';
import { checkHistory } from './checks.js';
import { SimClient } from './client.js';
import type { Fault, Victim } from './fault-plan.js';
import { History } from './history.js';
import { CLIENT_PORT, clientHost } from './hosts.js';
import { Life, ProcessEnded } from './life.js';
import { Machine, type Process } from './machine.js';
import { SimNetwork } from './network.js';
import { machinesOf, type Plan } from './plan.js';
import { firstFiles, ORACLE, programOf } from './program.js';
import { Random } from './random.js';
import { scenariosOf } from './recipes/index.js';
import type { Scenario } from './recipes/scenario.js';
import { Troupe } from './recipes/troupe.js';
import { virtualize } from './recipes/virtual-process.js';
import { Scheduler, world } from './scheduler.js';
import { hex, Truth } from './truth.js';
import { records } from './txn.js';

export interface Violation {
  /** Which guarantee was broken. */
  readonly kind: string;
  readonly message: string;
  /** Milliseconds. */
  readonly at: number;
}

export interface Result {
  readonly plan: Plan;
  readonly violations: readonly Violation[];
  /** What happened, line by line. */
  readonly lines: readonly string[];
  /** Of everything that happened, to the last byte on the network. */
  readonly hash: string;
  readonly counts: {
    readonly events: number;
    readonly calls: number;
    readonly answered: number;
    readonly txns: number;
  };
}

/** Milliseconds within which everything has to come to an end once nothing is wrong any more. */
const PATIENCE = 60_000;

/** Milliseconds between looks whether it has. */
const LOOK_EVERY = 20;

/** A run may not go on for ever. */
const MOST_EVENTS = 3_000_000;

/** @param own what clients do instead of what the plan says, if that was made for it */
export async function simulate(plan: Plan, own?: Scenario): Promise<Result> {
  return new Simulation(plan, own).run();
}

class Simulation {
  private readonly plan: Plan;
  private readonly scheduler = new Scheduler();
  private readonly random: Random;
  /** Who is gone for good. */
  private readonly fate: Random;
  private readonly network: SimNetwork;
  private readonly machines: Machine[];
  private readonly clients: readonly Actor[];
  private readonly callers: readonly SimClient[];
  /** The programs with recipes, if clients are such. */
  private readonly troupe: Troupe | undefined;
  /** How many times the oracle was asked to turn. */
  private turns = 0;
  private readonly history = new History();
  private readonly truth: Truth;
  private readonly violations: Violation[] = [];
  private readonly lines: string[] = [];
  private readonly hash: Hash = createHash('sha256');

  constructor(plan: Plan, own: Scenario | undefined) {
    this.plan = plan;
    this.random = new Random(`${plan.seed}/run`);
    this.fate = this.random.fork('fate');
    this.network = new SimNetwork(this.scheduler, this.random.fork('network'));
    this.network.onArrival = (from, to, bytes) => {
      this.hash.update(`${this.scheduler.now} ${from} ${to} `).update(bytes);
    };
    const { scheduler, alone } = this;
    this.truth = new Truth({
      alone,
      get now() {
        return scheduler.now;
      },
      violated: (kind, message) => this.violated(kind, message),
      trace: (text) => this.trace(text),
    });
    const program = programOf(plan);
    this.machines = plan.settings.clockRates.map((rate, i) => {
      const machine = new Machine(i, this.machineHost(), this.random.fork(`s${i}`), rate, program);
      machine.disk.usualSlowness = plan.settings.diskSlowness[i] ?? 1;
      this.network.place(machine.hostName, plan.settings.farness[i] ?? 0);
      for (const [path, text] of firstFiles(plan, i)) machine.disk.preset(path, text);
      machine.disk.onLogWrite = (_path, bytes, position) => {
        for (const entry of records(bytes, position)) this.truth.logged(machine.name, entry);
      };
      return machine;
    });
    const scenarios = own === undefined ? scenariosOf(plan.recipes) : new Map([['program', own]]);
    this.troupe = scenarios.size > 0 ? new Troupe(plan, scenarios, this.troupeHost()) : undefined;
    this.callers = this.troupe === undefined ? plan.clients.map((setting, i) => this.makeClient(setting, i)) : [];
    this.clients = this.troupe?.players ?? this.callers;
  }

  private machineHost(): ConstructorParameters<typeof Machine>[1] {
    return {
      scheduler: this.scheduler,
      network: this.network,
      trace: (text) => this.trace(text),
      violated: (kind, message) => this.violated(kind, message),
      started: (machine, process) => this.started(machine, process),
      leads: (machine, epoch, base) => this.leads(machine, epoch, base),
    };
  }

  private troupeHost(): ConstructorParameters<typeof Troupe>[2] {
    return {
      scheduler: this.scheduler,
      network: this.network,
      random: this.random.fork('programs'),
      truth: this.truth,
      trace: (text) => this.trace(text),
      violated: (kind, message) => this.violated(kind, message),
    };
  }

  private makeClient(setting: Plan['clients'][number], index: number): SimClient {
    const name = `c${index + 1}`;
    const life = new Life(name, { pausedUntil: 0 }, (error) => {
      throw error;
    });
    const servers = this.machines.map((machine) => ({ name: machine.name, host: machine.hostName, port: CLIENT_PORT }));
    return new SimClient(
      { name, ...setting, servers },
      {
        scheduler: this.scheduler,
        network: this.network.attach(clientHost(index), life),
        life,
        random: this.random.fork(name),
        history: this.history,
        moveUntil: this.plan.healAt,
        trace: (text) => this.trace(text),
        violated: (kind, message) => this.violated(kind, message),
        shown: (zxid, what) => this.truth.shown(zxid, what),
      },
    );
  }

  private trace(text: string): void {
    const line = `${this.scheduler.now.toFixed(3).padStart(10)} ${text}`;
    this.lines.push(line);
    this.hash.update(line);
  }

  private violated(kind: string, message: string): void {
    this.violations.push({ kind, message, at: this.scheduler.now });
    this.trace(`VIOLATION of ${kind}: ${message}`);
  }

  private started(machine: Machine, process: Process): void {
    this.trace(`${machine.name} is up at 0x${process.lastZxid.toString(16)}`);
    if (this.alone) this.truth.recovered(machine.name, process.lastZxid);
  }

  /** A server was established as the leader of an epoch. */
  private leads({ name }: Machine, epoch: number, base: number): void {
    this.trace(`${name} leads epoch ${epoch} from 0x${base.toString(16)} on`);
    this.truth.established(name, epoch, base);
  }

  private get alone(): boolean {
    return machinesOf(this.plan) === 1;
  }

  async run(): Promise<Result> {
    const onRejection = (reason: unknown): void => {
      if (reason instanceof ProcessEnded) return;
      this.violated('exception', `nobody waited for: ${reason instanceof Error ? reason.stack : reason}`);
    };
    process.on('unhandledRejection', onRejection);
    const giveBack = this.troupe === undefined ? () => {} : virtualize();
    try {
      await this.play();
    } finally {
      giveBack();
      process.off('unhandledRejection', onRejection);
    }
    for (const { kind, message } of checkHistory(this.history, this.truth, this.plan.settings.localSessions))
      this.violated(kind, message);
    for (const { kind, message } of this.troupe?.check() ?? []) this.violated(kind, message);
    return {
      plan: this.plan,
      violations: this.violations,
      lines: this.lines,
      hash: this.hash.digest('hex'),
      counts: {
        events: this.scheduler.handled,
        calls: this.history.calls.length,
        answered: this.history.calls.filter(({ reply }) => reply !== undefined).length,
        txns: this.truth.history().length,
      },
    };
  }

  private async play(): Promise<void> {
    const { plan, scheduler } = this;
    for (const machine of this.machines) machine.start();
    for (const client of this.clients) client.start();
    for (const { at, client, op } of plan.operations) scheduler.at(at, world, () => this.callers[client]?.submit(op));
    for (const fault of plan.faults) scheduler.at(fault.at, world, () => this.strike(fault));
    await scheduler.run(plan.healAt);
    this.heal();
    if (!(await this.settled('after the faults'))) return;
    this.lookAtEverything();
    if (!(await this.settled('with reads only'))) return;
    if (plan.settings.lostDisks) {
      this.wipe();
      if (!(await this.settled('after disks were lost'))) return;
    }
    this.trace('the power fails everywhere');
    for (const machine of this.machines) machine.losePower();
    this.bury();
    for (const machine of this.machines) machine.start();
    this.lookAtEverything();
    if (!(await this.settled('after the power failed everywhere'))) return;
    if (this.living.length < this.machines.length) {
      this.raise();
      if (!(await this.settled('when the dead are back'))) return;
    }
    this.checkServers();
  }

  /** Some are gone for good, as many as a quorum can do without; those who were so before are back. */
  private bury(): void {
    const { servers, spares, faults, settings } = this.plan;
    this.raise();
    // Who votes changes with spares, groups decide otherwise; and with decayed disks more may be missing than those that are buried.
    if (
      spares > 0 ||
      settings.grouping.length > 0 ||
      servers < 3 ||
      faults.some(({ kind }) => kind === 'flip') ||
      this.fate.chance(0.5)
    )
      return;
    const voters = this.machines.slice(0, servers);
    for (let n = Math.floor((servers - 1) / 2); n > 0; n--) {
      const [machine] = voters.splice(this.fate.int(voters.length), 1);
      if (machine === undefined) continue;
      this.trace(`${machine.name} is gone for good`);
      machine.crash(true);
      machine.dead = true;
    }
  }

  /**
   * Disks are lost for good, of fewer voters than decide, while everybody has everything: servers with none of it come back, and may be
   * all that is left of others next.
   */
  private wipe(): void {
    const { servers } = this.plan;
    const fate = this.fate.fork('wipe');
    const voters = this.machines.slice(0, servers);
    for (let n = 1 + fate.int(Math.floor((servers - 1) / 2)); n > 0; n--) {
      const [machine] = voters.splice(fate.int(voters.length), 1);
      machine?.wipe();
      machine?.start();
    }
    this.lookAtEverything();
  }

  private raise(): void {
    for (const machine of this.machines) {
      if (!machine.dead) continue;
      machine.dead = false;
      machine.start();
    }
  }

  private get living(): Machine[] {
    return this.machines.filter(({ dead }) => !dead);
  }

  // ---- faults ----

  private strike(fault: Fault): void {
    const { scheduler, network } = this;
    this.trace(`fault: ${JSON.stringify(fault)}`);
    const machine = 'server' in fault ? this.victim(fault.server) : undefined;
    const client = 'client' in fault ? this.clients[fault.client] : undefined;
    switch (fault.kind) {
      case 'crash': {
        if (machine === undefined) break;
        const crash = (): void => {
          machine.crash(fault.power);
          machine.startLater(fault.back);
        };
        if (fault.operation === 0) crash();
        else {
          machine.countdown = fault.operation;
          machine.onCountdown = crash;
        }
        break;
      }
      case 'stop':
        machine?.stop(fault.back);
        break;
      case 'pause':
        machine?.pause(fault.ms);
        break;
      case 'cut':
        network.cut(fault.from, fault.to);
        if (fault.bothWays) network.cut(fault.to, fault.from);
        scheduler.after(fault.ms, world, () => {
          network.heal(fault.from, fault.to);
          if (fault.bothWays) network.heal(fault.to, fault.from);
        });
        break;
      case 'reset':
        network.reset(fault.from, fault.to);
        break;
      case 'loss':
        network.loss = fault.probability;
        scheduler.after(fault.ms, world, () => {
          network.loss = 0;
        });
        break;
      case 'delay':
        network.delay(fault.from, fault.to, fault.by);
        scheduler.after(fault.ms, world, () => network.delay(fault.from, fault.to, 0));
        break;
      case 'slowDisk':
        if (machine === undefined) break;
        machine.disk.slowness = fault.factor;
        scheduler.after(fault.ms, world, () => {
          machine.disk.slowness = 1;
        });
        break;
      case 'diskError':
        if (machine === undefined) break;
        if (fault.on === 'write') machine.disk.nextWriteError = fault.code;
        else machine.disk.nextSyncError = fault.code;
        break;
      case 'fullDisk':
        if (machine === undefined) break;
        machine.disk.full = true;
        scheduler.after(fault.ms, world, () => {
          machine.disk.full = false;
        });
        break;
      case 'flip':
        machine?.flip(fault.what, fault.where);
        break;
      case 'forget':
        network.forget(fault.from, fault.to);
        break;
      case 'clockJump':
        if (machine !== undefined) machine.clock.wallOffset += fault.by;
        break;
      case 'oracleTurns':
        this.oracleTurns(fault.to);
        break;
      case 'clientMoves':
        client?.move();
        break;
      case 'clientDies':
        client?.die();
        break;
      case 'clientPauses':
        client?.pause?.(fault.ms);
        break;
      case 'clientLoses':
        client?.lose?.(fault.step, fault.writes);
        break;
    }
  }

  /**
   * The oracle takes its word back, and gives it to a server as soon as that one has all that the other one may have decided alone: as
   * whoever runs the two has to see to.
   */
  private oracleTurns(to: number): void {
    for (const { disk } of this.machines) disk.preset(ORACLE, '0');
    const turn = ++this.turns;
    const look = (): void => {
      if (turn !== this.turns) return;
      const [one, other] = this.machines.map(({ process }) => process);
      const equal = one?.serving === true && other?.serving === true && one.lastZxid === other.lastZxid;
      if (!equal) {
        this.scheduler.after(LOOK_EVERY, world, look);
        return;
      }
      this.trace(`the oracle trusts s${to + 1}`);
      this.machines[to]?.disk.preset(ORACLE, '1');
    };
    look();
  }

  private victim(victim: Victim): Machine | undefined {
    if (typeof victim === 'number') return this.machines[victim];
    const mode = victim === 'leader' ? 'leader' : 'follower';
    return this.machines.find(({ process }) => process?.mode === mode);
  }

  private heal(): void {
    this.trace('everything is made well');
    this.bury();
    this.network.healAll();
    for (const client of this.clients) client.heal?.();
    for (const machine of this.machines) {
      machine.disk.heal();
      machine.countdown = Number.POSITIVE_INFINITY;
      machine.pausedUntil = 0;
      machine.start();
    }
  }

  // ---- the end ----

  /** Waits until every living client has its answers, all servers are the same, and the sessions of the dead are closed. */
  private async settled(when: string): Promise<boolean> {
    const { scheduler } = this;
    const deadline = scheduler.now + PATIENCE;
    let nextLook = 0;
    let missing = 'a look';
    await scheduler.run(deadline, () => {
      if (scheduler.handled > MOST_EVENTS) throw new Error('the run does not end');
      if (this.violations.length > 0) return true;
      if (scheduler.now < nextLook) return false;
      nextLook = scheduler.now + LOOK_EVERY;
      missing = this.missing() ?? '';
      return missing === '';
    });
    if (this.violations.length > 0) return false;
    for (const { name, refused } of this.machines)
      if (refused !== undefined) this.violated('start', `${name} does not start on its data: ${refused}`);
    if (this.violations.length === 0 && missing !== '') this.violated('liveness', `${when} ${missing}`);
    return this.violations.length === 0;
  }

  /** What is not as it has to be once nothing is wrong any more. */
  private missing(): string | undefined {
    const waiting = this.clients.filter((client) => !client.settled).map((client) => client.name);
    if (waiting.length > 0) {
      const unequal = this.troupe?.unequal();
      return `${waiting.join(', ')} wait for answers; ${unequal ?? this.modes()}`;
    }
    const machines = this.living.filter((machine) => !this.isLeftOutside(machine));
    const zxids = new Set(machines.map(({ process }) => process?.lastZxid));
    const digests = new Set(machines.flatMap(({ process }) => process?.digest ?? []));
    if (machines.some(({ process }) => process?.serving !== true)) return `not all servers serve: ${this.modes()}`;
    if (zxids.size > 1 || digests.size > 1) return `the servers differ: ${this.modes()}`;
    const open = this.truth.openSessions();
    for (const client of this.clients)
      if (client.alive && client.sessionId !== undefined) open.delete(client.sessionId);
    if (open.size === 0) return this.troupe?.leftBehind(this.watches());
    return `sessions live on without clients: ${[...open].map((id) => `0x${id.toString(16)}`).join(', ')}`;
  }

  /**
   * A server that was removed after it had accepted a later epoch than the one that is led: it may not follow, and no leader gives
   * way to one that is no member.
   */
  private isLeftOutside({ process }: Machine): boolean {
    const leader = this.machines.find((machine) => machine.process?.mode === 'leader')?.process;
    if (leader === undefined || process === undefined || process.serving) return false;
    return !leader.hasMember(process.id) && process.acceptedEpoch > leader.acceptedEpoch;
  }

  private watches(): number {
    return this.living.reduce((sum, { process }) => sum + (process?.watches ?? 0), 0);
  }

  private modes(): string {
    return this.machines
      .map(
        ({ name, process }) =>
          `${name} ${process?.mode ?? 'down'} at ${hex(process?.lastZxid ?? 0)} ${process?.digest ?? ''}`,
      )
      .join(', ');
  }

  private lookAtEverything(): void {
    for (const client of this.clients) client.lookAtEverything();
  }

  private checkServers(): void {
    for (const { name, process } of this.machines) {
      if (process !== undefined && process.digestMismatches > 0)
        this.violated('digest', `${name}'s tree does not have the digests of its log`);
    }
  }
}
