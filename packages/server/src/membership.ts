// Who the members are: the committed configuration, the one that is proposed, and the files that keep them.

import type { DynamicFile } from './config/dynamic-file.js';
import {
  formatConfig,
  type Member,
  type QuorumAddress,
  type QuorumConfig,
  sameConfig,
} from './quorum/quorum-config.js';
import type { QuorumVerifier } from './quorum/quorum-verifier.js';

export class Membership {
  private readonly id: number;
  private readonly files: DynamicFile | undefined;
  private readonly warn: (message: string) => void;
  /** Whether members may change at run time; otherwise the own file always wins (ZOOKEEPER-3829). */
  readonly changeable: boolean;
  committed: QuorumConfig;
  /** The newest that was seen: what is proposed, or the committed one. */
  proposed: QuorumConfig;
  /** This server as it was listed last: it may be removed. */
  own: Member;
  private both: readonly QuorumVerifier[] = [];

  /** @param interrupted the members that were proposed before this server was stopped */
  constructor(
    id: number,
    own: Member,
    members: QuorumConfig,
    changeable: boolean,
    files: DynamicFile | undefined,
    interrupted: QuorumConfig | undefined,
    warn: (message: string) => void,
  ) {
    this.id = id;
    this.warn = warn;
    this.own = own;
    this.changeable = changeable;
    this.files = files;
    this.committed = members;
    const counts = changeable && interrupted !== undefined && interrupted.version > members.version;
    this.proposed = counts ? interrupted : members;
    this.update();
  }

  /** All of these have to agree. */
  get verifiers(): readonly QuorumVerifier[] {
    return this.both;
  }

  /** Whether a reconfiguration is under way. */
  get inProgress(): boolean {
    return this.proposed.version > this.committed.version;
  }

  /** Whether two servers vote, now and in what is proposed: neither of them is a majority. */
  get ofTwo(): boolean {
    return [this.committed, this.proposed].every(
      ({ groups, verifier }) => groups.size === 0 && verifier.voters.length === 2,
    );
  }

  get observer(): boolean {
    return this.own.role === 'observer';
  }

  get isVoter(): boolean {
    return this.committed.verifier.isVoter(this.id);
  }

  addressesOf(id: number): readonly QuorumAddress[] {
    const known = this.committed.members.get(id)?.quorumAddresses ?? [];
    const next = this.inProgress ? (this.proposed.members.get(id)?.quorumAddresses ?? []) : [];
    return [...known, ...next.filter((a) => !known.some((b) => JSON.stringify(a) === JSON.stringify(b)))];
  }

  /** Of all members, and of those that a reconfiguration under way adds. */
  get hosts(): ReadonlySet<string> {
    const members = [...this.committed.members.values(), ...this.proposed.members.values(), this.own];
    return new Set(members.flatMap(({ quorumAddresses }) => quorumAddresses.map(({ host }) => host)));
  }

  get text(): string {
    return formatConfig(this.committed);
  }

  get proposedText(): string {
    return formatConfig(this.proposed);
  }

  /** Durable when it returns. */
  propose(config: QuorumConfig): void {
    if (!this.changeable || config.version <= this.proposed.version) return;
    this.write(config, (files) => files.propose(config));
    this.proposed = config;
    this.update();
  }

  /**
   * Writes members down, and throws where that cannot be done: who forgets new ones could decide without them. The first election
   * only gives those that the files name a version, which the next one would give again: as Apache's servers this one goes on then,
   * on a file system that is read-only, for example.
   */
  private write(config: QuorumConfig, action: (files: DynamicFile) => void): void {
    if (this.files === undefined) return;
    try {
      action(this.files);
    } catch (error) {
      if (!sameConfig(this.committed, config)) throw error;
      this.warn(`the version of the members cannot be written down: ${(error as Error).message}`);
    }
  }

  /** Forgets what is proposed: it was cut. */
  withdraw(): void {
    if (!this.inProgress) return;
    this.files?.withdraw();
    this.proposed = this.committed;
    this.update();
  }

  /**
   * Makes a configuration the committed one, durably. Returns the own line as it was before, undefined if the configuration is
   * not newer.
   */
  activate(config: QuorumConfig): Member | undefined {
    if (!this.changeable || config.version <= this.committed.version) return undefined;
    this.write(config, (files) => files.activate(config, this.own));
    this.committed = config;
    // What is proposed beyond it still has to agree, after a restart, too.
    if (this.proposed.version <= config.version) {
      this.files?.withdraw();
      this.proposed = config;
    }
    const before = this.own;
    // Removed, it stays as a server that follows without a vote.
    this.own = config.members.get(this.id) ?? { ...this.own, role: 'participant' };
    this.update();
    return before;
  }

  /** Whether this server, leading, may go on to lead the members of a configuration. */
  mayLead(config: QuorumConfig): boolean {
    const member = config.members.get(this.id);
    if (member === undefined || !config.verifier.isVoter(this.id)) return false;
    const places = (m: Member): string => m.quorumAddresses.map((a) => `${a.host}:${a.quorumPort}`).join();
    return places(member) === places(this.own);
  }

  private update(): void {
    this.both = this.inProgress ? [this.committed.verifier, this.proposed.verifier] : [this.committed.verifier];
  }
}

/** Whether two lines differ in where clients are taken. */
export function movesClients(a: Member, b: Member): boolean {
  return JSON.stringify(a.clientAddress) !== JSON.stringify(b.clientAddress);
}

/** Whether two lines differ in where votes are taken. */
export function movesElection(a: Member, b: Member): boolean {
  const place = (m: Member): string => m.quorumAddresses.map((x) => `${x.host}:${x.electionPort}`).join();
  return place(a) !== place(b);
}
