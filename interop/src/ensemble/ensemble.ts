// A whole ensemble of processes on this machine, any mix of both implementations, with its zoo.cfg and myid files written as one
// would by hand.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kind } from '../servers/index.js';
import { Member, type MemberPorts } from './member.js';
import { HOST, nextPort } from './ports.js';
import { QuorumTap } from './quorum-tap.js';
import { until } from './until.js';

/** Who may do anything, in all test ensembles: `super:test`. */
const SUPER = 'super:D/InIHSb7yEEbrWz8b9l71RjZJU=';
const ELECTED_MS = 60_000;

/** Small and quick to start; benchmarks take others. */
export const TEST_JVM: readonly string[] = [
  '-Xmx512m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Xshare:auto',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=info',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
];

export interface EnsembleSettings {
  /** One voter each, with ids 1, 2, …. */
  readonly kinds: readonly Kind[];
  /** Further members that don't vote, with the ids after those. */
  readonly observers?: readonly Kind[];
  /** Lines of zoo.cfg beyond the usual ones. */
  readonly cfg?: Readonly<Record<string, string>>;
  readonly props?: Readonly<Record<string, string>>;
  /** Learners reach leaders through a relay of their own that reads along and can hold back or cut. */
  readonly tapped?: boolean;
  readonly jvm?: readonly string[];
  /** Whether each data directory has the file `initialize`, which says that it may be empty. */
  readonly initialize?: boolean;
  /** Where the directories are made. */
  readonly parent?: string;
}

export class Ensemble {
  readonly dir: string;
  readonly members: Member[] = [];
  /** The relays, by learner and leader; empty unless `tapped`. */
  readonly taps = new Map<string, QuorumTap>();
  readonly #settings: EnsembleSettings;

  private constructor(settings: EnsembleSettings) {
    this.#settings = settings;
    this.dir = mkdtempSync(join(settings.parent ?? tmpdir(), 'ensemble-'));
  }

  /** Writes down all members; none runs yet. */
  static async create(settings: EnsembleSettings): Promise<Ensemble> {
    const ensemble = new Ensemble(settings);
    const kinds = [...settings.kinds, ...(settings.observers ?? [])];
    const ports: MemberPorts[] = [];
    for (const _ of kinds)
      ports.push({ client: await nextPort(), quorum: await nextPort(), election: await nextPort() });
    for (const [index, kind] of kinds.entries()) {
      const id = index + 1;
      const lines: Record<string, string> = {};
      for (const [other, { quorum, election }] of ports.entries()) {
        const port = settings.tapped && other !== index ? await ensemble.#tap(id, other + 1, quorum) : quorum;
        const role = other < settings.kinds.length ? '' : ':observer';
        lines[`server.${other + 1}`] = `${HOST}:${port}:${election}${role}`;
      }
      if (index >= settings.kinds.length) lines.peerType = 'observer';
      const member = ensemble.addMember(id, kind, ports[index], lines);
      if (settings.initialize) writeFileSync(join(member.dataDir, 'initialize'), '');
    }
    return ensemble;
  }

  /**
   * Starts all voters, so that the one with the highest id leads, then the observers.
   * Resolves when all of them serve.
   */
  static async start(settings: EnsembleSettings): Promise<Ensemble> {
    const ensemble = await Ensemble.create(settings);
    try {
      await ensemble.startAll();
    } catch (error) {
      await ensemble.close();
      throw error;
    }
    return ensemble;
  }

  /** One more member, with these lines about the servers; it doesn't run yet. */
  addMember(
    id: number,
    kind: Kind,
    ports: MemberPorts,
    servers: Readonly<Record<string, string>>,
    name = `server-${id}`,
  ): Member {
    const dir = join(this.dir, name);
    const member = new Member({
      id,
      kind,
      dir,
      ports,
      jvm: this.#settings.jvm ?? TEST_JVM,
      cfg: {
        tickTime: '500',
        initLimit: '40',
        syncLimit: '10',
        dataDir: join(dir, 'data'),
        clientPort: String(ports.client),
        clientPortAddress: HOST,
        'admin.enableServer': 'false',
        maxClientCnxns: '0',
        '4lw.commands.whitelist': '*',
        extendedTypesEnabled: 'true',
        ...this.#settings.cfg,
        ...servers,
      },
      props: {
        'zookeeper.DigestAuthenticationProvider.superDigest': SUPER,
        ...this.#settings.props,
      },
    });
    this.members.push(member);
    return member;
  }

  async #tap(learner: number, leader: number, quorumPort: number): Promise<number> {
    const tap = await QuorumTap.start(quorumPort);
    this.taps.set(`${learner}>${leader}`, tap);
    return tap.port;
  }

  /** The relay through which `learner` reaches `leader`. */
  tap(learner: Member, leader: Member): QuorumTap {
    const tap = this.taps.get(`${learner.id}>${leader.id}`);
    if (tap === undefined) throw new Error('the ensemble is not tapped');
    return tap;
  }

  member(id: number): Member {
    const member = this.members.find((m) => m.id === id);
    if (member === undefined) throw new Error(`there is no server ${id}`);
    return member;
  }

  get voters(): Member[] {
    return this.members.slice(0, this.#settings.kinds.length);
  }

  get running(): Member[] {
    return this.members.filter((m) => m.running);
  }

  /** A connection string with all members. */
  get hosts(): string {
    return this.members.map((m) => `${HOST}:${m.ports.client}`).join(',');
  }

  /** Starts the voters with the highest ids first, as many as decide, so that the highest of all leads; then the others. */
  async startAll(): Promise<void> {
    const voters = this.voters;
    const first = voters.slice(voters.length - Math.floor(voters.length / 2) - 1);
    for (const member of first) member.start();
    for (const member of first) await member.inRole();
    const rest = this.members.filter((m) => !m.running);
    for (const member of rest) member.start();
    for (const member of rest) await member.inRole();
  }

  /** Waits until one of the running voters leads and says so. */
  async leader(limitMs = ELECTED_MS): Promise<Member> {
    return until('a server leads', limitMs, async () => {
      for (const member of this.running) if ((await member.mode()) === 'leader') return member;
      return undefined;
    }).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.lastWords()}`);
    });
  }

  /** The running members but the leader, once each of them follows. */
  async followers(): Promise<Member[]> {
    const leader = await this.leader();
    const others = this.running.filter((member) => member !== leader);
    for (const member of others) await member.inRole('follower');
    return others;
  }

  /** Waits until all running members serve. */
  async ready(): Promise<void> {
    for (const member of this.running) await member.inRole();
  }

  lastWords(): string {
    return this.members.map((m) => m.lastWords()).join('\n');
  }

  /** Ends all processes; the directories are removed unless they shall be kept. */
  async close(keep = false): Promise<void> {
    for (const member of this.members) member.signal('SIGCONT');
    await Promise.all(this.members.map((member) => member.kill()));
    for (const tap of this.taps.values()) await tap.stop();
    if (!keep) rmSync(this.dir, { recursive: true, force: true });
  }
}
