// FastLeaderElection as a state machine: notifications and timers go in, votes and the outcome come out. Rules, with their
// sources: docs/protocol.md, "Election".

import type { QuorumVerifier } from '../quorum/quorum-verifier.js';
import type { Runtime, Timer } from '../runtime.js';
import { beats, type Notification, PeerState, sameVote, type Vote } from './notification.js';

const FINALIZE_WAIT_MS = 200;

export interface ElectionHost {
  readonly id: number;
  readonly runtime: Pick<Runtime, 'after'>;
  /** Verifiers that all have to agree: the committed configuration's first and, while it is newer, the proposed one's. */
  verifiers(): readonly QuorumVerifier[];
  /** What this server votes for at first: itself with its last logged zxid and epoch; {@link NO_VOTE} where it has no vote. */
  initialVote(): Omit<Vote, 'round'>;
  /** Whether this server observes: then it ends OBSERVING, not FOLLOWING. */
  isObserver(): boolean;
  /** Whether this server has no vote for itself yet and is to get one by a reconfiguration that its history has. */
  isJoining(): boolean;
  /** Whether this server was elected of late, and too few could follow it: then it leaves leading to others who have as much. */
  isHeldBack(): boolean;
  /** Whether the own history may not be trusted to be complete: it then never helps to elect. */
  isUntrusted(): boolean;
  /** Whether one of the two voters that there are may lead without the other, who then finds it by its word alone. */
  mayLeadAlone(): boolean;
  /** Whether that is this server now. */
  oracleGrants(): boolean;
  send(to: number, state: PeerState, vote: Vote): void;
  /** Whether messages to some peer have left; otherwise all are dialled anew. */
  delivered(): boolean;
  redial(): void;
  /** False for a voter that was found to be down: nobody listens at its port. */
  mayStillVote(id: number): boolean;
  /** The outcome. The election is over until {@link FastLeaderElection.look}. */
  elected(state: PeerState, vote: Vote): void;
  /** A server that voted for this one's leader is LOOKING again. */
  sawLooking?(id: number): void;
}

export interface ElectionTimes {
  /** First wait before votes are sent again; doubled each time. Milliseconds. */
  readonly minInterval: number;
  readonly maxInterval: number;
}

interface TableEntry {
  readonly vote: Vote;
  readonly state: PeerState;
  readonly version: number;
}

export class FastLeaderElection {
  private readonly host: ElectionHost;
  private readonly times: ElectionTimes;
  private round = 0;
  /**
   * The latest round of a server that is being added: it has to agree, but has no vote to tell until it hears one. Those of earlier
   * rounds it may never hear; then the others go along to its own.
   */
  private roundOfVoteless = 0;
  /** Voters who look, and were heard to vote for nobody since. */
  private readonly voteless = new Set<number>();
  private current: PeerState = PeerState.looking;
  private proposal: Vote;
  private settled: Vote;
  private readonly inRound = new Map<number, TableEntry>();
  private readonly outOfElection = new Map<number, TableEntry>();
  /** The rounds of others that were answered since all were told: one that does not count this server answers that in turn. */
  private readonly answered = new Map<number, number>();
  /** The epoch of the history of each server that looked for a leader, as its vote for itself told. */
  private readonly histories = new Map<number, number>();
  private interval = 0;
  private resend: Timer | undefined;
  private finalizing: Timer | undefined;
  /** Whether a round is under way. */
  active = false;

  constructor(host: ElectionHost, times: ElectionTimes) {
    this.host = host;
    this.times = times;
    this.proposal = { ...host.initialVote(), round: 0 };
    this.settled = this.proposal;
  }

  get state(): PeerState {
    return this.current;
  }

  /** The settled vote, as others are told. */
  get vote(): Vote {
    return this.settled;
  }

  /** Begins a round. */
  look(): void {
    this.stop();
    this.active = true;
    this.current = PeerState.looking;
    this.beginRound(this.round + 1);
    this.outOfElection.clear();
    this.voteless.clear();
    this.broadcast();
    this.armResend();
  }

  /** Ends the round without an outcome. */
  stop(): void {
    this.active = false;
    this.resend?.cancel();
    this.finalizing?.cancel();
    this.finalizing = undefined;
  }

  /** What was settled is over, so that nobody is told of it any more; a round follows. */
  unsettle(): void {
    this.stop();
    this.current = PeerState.looking;
  }

  /** The epoch of the leader found is established: all members shall answer alike (ZOOKEEPER-1732). */
  established(epoch: number): void {
    this.settled = { ...this.settled, peerEpoch: epoch };
  }

  /** Goes straight to a leader that a reconfiguration named. */
  follow(leader: number, state: PeerState): void {
    this.stop();
    this.current = state;
    this.settled = { ...this.settled, leader };
  }

  /** Takes in a message of another server. */
  receive(n: Notification): void {
    const { host } = this;
    if (!this.isVoter(n.from)) {
      // One that looks for nobody answers in its turn: without end.
      if (n.state !== PeerState.looking) return;
      if (this.current === PeerState.looking && !this.isUnanswered(n)) return;
      host.send(n.from, this.current, { ...this.answer(), round: this.round });
      return;
    }
    if (n.state === PeerState.looking && n.leader === n.from) this.histories.set(n.from, n.peerEpoch);
    if (this.current === PeerState.looking) {
      if (!this.active) return;
      if (n.state === PeerState.looking && n.round < this.round && this.isUnanswered(n))
        host.send(n.from, PeerState.looking, this.proposal);
      this.consider(n);
    } else if (n.state === PeerState.looking) {
      host.send(n.from, this.current, this.settled);
      if (this.agreesHere(n.from)) host.sawLooking?.(n.from);
    }
  }

  /** The epoch of another server's history, as far as it is known. */
  historyEpochOf(id: number): number | undefined {
    return this.histories.get(id);
  }

  /** Whether the sender's round has no answer yet; it is to get one then. */
  private isUnanswered({ from, round }: Notification): boolean {
    if (this.answered.get(from) === round) return false;
    this.answered.set(from, round);
    return true;
  }

  private answer(): Vote {
    return this.current === PeerState.looking ? this.proposal : this.settled;
  }

  private consider(n: Notification): void {
    if (!this.isVoter(n.leader)) {
      if (n.state === PeerState.looking && this.hasVote(n)) {
        this.roundOfVoteless = Math.max(this.roundOfVoteless, n.round);
        this.voteless.add(n.from);
      }
      return;
    }
    this.voteless.delete(n.from);
    const silent = this.finalizing !== undefined && !this.endsSilence(n);
    if (!silent) {
      this.finalizing?.cancel();
      this.finalizing = undefined;
      this.armResend();
    }
    if (n.state === PeerState.following || n.state === PeerState.leading) this.considerSettled(n);
    else if (n.state === PeerState.looking && !silent) this.considerLooking(n);
    else if (n.state === PeerState.looking && n.round === this.round) this.record(n);
    if (silent && this.finalizing !== undefined) this.finishOrWait();
  }

  /**
   * Silence is being waited for, of those who look: only a better vote ends it, or a later round, whose sender would otherwise be
   * left behind and look again.
   */
  private endsSilence(n: Notification): boolean {
    if (n.state !== PeerState.looking || !this.hasVote(n)) return false;
    return n.round > this.round || (n.round === this.round && this.beatsProposal(n));
  }

  private hasVote(n: Notification): boolean {
    return !this.host.isUntrusted() && n.zxid !== -1;
  }

  private considerLooking(n: Notification): void {
    if (!this.hasVote(n)) return;
    if (n.round > this.round || this.goesBackTo(n)) {
      this.beginRound(n.round);
      this.armResend();
      if (this.beatsProposal(n)) this.proposal = voteOf(n);
      this.broadcast();
    } else if (n.round < this.round) {
      return;
    } else if (this.beatsProposal(n)) {
      this.proposal = voteOf(n);
      this.broadcast();
    } else if (this.counts(this.proposal.leader, this.host.id) && this.wins(this.proposal, n) && !this.hasVoted(n)) {
      // It was not looking yet when the better vote was told, and would wait until that is told again.
      this.host.send(n.from, PeerState.looking, this.proposal);
    }
    this.record(n);
    this.checkRound();
  }

  /** One that cannot be voted for yet takes nobody along: with no vote so far it goes back to the round of a vote to take over. */
  private goesBackTo(n: Notification): boolean {
    return n.round < this.round && !this.isVoter(this.proposal.leader) && this.beatsProposal(n);
  }

  private beginRound(round: number): void {
    this.round = round;
    this.interval = this.times.minInterval; // those of a new round have not heard the vote
    this.roundOfVoteless = 0;
    this.inRound.clear();
    this.proposal = { ...this.host.initialVote(), round };
  }

  private record(n: Notification): void {
    this.inRound.set(n.from, { vote: voteOf(n), state: n.state, version: n.version });
  }

  /** Whether the sender's vote is one that it has told before. */
  private hasVoted(n: Notification): boolean {
    const entry = this.inRound.get(n.from);
    return entry !== undefined && sameVote(entry.vote, n);
  }

  /** Whether those who vote as this server does are enough. */
  private checkRound(): void {
    if (this.finalizing !== undefined || !this.active) return;
    if (this.enough((id) => this.agreesHere(id))) this.finishOrWait();
  }

  private finishOrWait(): void {
    if (this.mayChange()) this.armFinalize();
    else this.finish(this.proposal);
  }

  private agreesHere(id: number): boolean {
    const entry = this.inRound.get(id);
    return entry !== undefined && sameVote(entry.vote, this.proposal);
  }

  /** Whether somebody is left who could have a better vote. */
  private mayChange(): boolean {
    const { host } = this;
    return host
      .verifiers()
      .some(({ voters }) => voters.some((id) => id !== host.id && !this.agreesHere(id) && host.mayStillVote(id)));
  }

  /** The oracle may say something else than before. */
  reconsider(): void {
    this.checkRound();
  }

  /** A server was found to be down: there may be nobody left to wait for. */
  foundDown(): void {
    if (this.finalizing !== undefined && !this.mayChange()) this.finish(this.proposal);
  }

  private considerSettled(n: Notification): void {
    const entry: TableEntry = { vote: voteOf(n), state: n.state, version: n.version };
    if (n.round === this.round) {
      this.inRound.set(n.from, entry);
      if (this.agreement(this.inRound, entry) && this.leaderIsThere(this.inRound, n)) {
        this.finish(entry.vote);
        return;
      }
    }
    this.outOfElection.set(n.from, entry);
    if (this.agreement(this.outOfElection, entry) && this.leaderIsThere(this.outOfElection, n)) {
      this.round = n.round;
      this.finish(entry.vote);
      return;
    }
    if (n.state === PeerState.leading && n.leader === n.from && this.host.mayLeadAlone()) {
      this.round = n.round;
      this.finish(entry.vote);
    }
  }

  /**
   * Whether those who have settled as `entry` says are enough. To follow, by the committed configuration: a proposed one has no say,
   * as what was proposed and cut would keep this server from the leader who tells it so, and to follow a leader is always safe, as
   * that counts its quorums itself. To lead, by both: who does not know of the proposed one would have this server wait for a
   * quorum, deaf to those who have one.
   */
  private agreement(table: ReadonlyMap<number, TableEntry>, entry: TableEntry): boolean {
    const verifiers = this.host.verifiers();
    const asked = entry.vote.leader === this.host.id ? verifiers : verifiers.slice(0, 1);
    return asked.every((verifier) =>
      verifier.enough((id) => {
        const other = table.get(id);
        return other !== undefined && agrees(other, entry);
      }),
    );
  }

  /**
   * A leader other than oneself must itself say that it leads. Oneself only in the own round, and only with the history that was
   * voted for: this server may have lost some since, and who follows has not looked again.
   */
  private leaderIsThere(table: ReadonlyMap<number, TableEntry>, n: Notification): boolean {
    const { host } = this;
    if (n.leader === host.id)
      return n.round === this.round && !host.isUntrusted() && !beats(n, { ...host.initialVote(), round: n.round });
    return table.get(n.leader)?.state === PeerState.leading;
  }

  private finish(vote: Vote): void {
    this.stop();
    this.settled = vote;
    if (vote.leader === this.host.id) this.current = PeerState.leading;
    else this.current = this.host.isObserver() ? PeerState.observing : PeerState.following;
    this.host.elected(this.current, vote);
  }

  private broadcast(): void {
    const voters = new Set(this.host.verifiers().flatMap((verifier) => verifier.voters));
    const { proposal } = this;
    this.answered.clear();
    for (const id of voters) if (id !== this.host.id) this.host.send(id, PeerState.looking, proposal);
    if (!voters.has(this.host.id) || this.host.isUntrusted() || proposal.zxid === -1) return;
    this.inRound.set(this.host.id, { vote: proposal, state: PeerState.looking, version: 2 });
    this.checkRound();
  }

  private armResend(): void {
    this.resend?.cancel();
    if (!this.active) return;
    this.resend = this.host.runtime.after(this.interval, () => {
      if (this.finalizing === undefined) {
        if (this.roundOfVoteless > this.round) this.beginRound(this.roundOfVoteless);
        else if (this.mustStand()) this.proposal = { ...this.proposal, leader: this.host.id };
        if (this.host.delivered()) this.broadcast();
        else this.host.redial();
        this.interval = Math.min(this.interval * 2, this.times.maxInterval);
      }
      this.armResend();
    });
  }

  /**
   * Whether a server without a vote so far votes for itself. One that is being added does if all who vote already and are heard have
   * shorter histories, having lost the end of what they proposed; else it leaves that to them, as not everybody need know yet that it
   * may be voted for. Apache's servers do so in any case, and wait for ever then.
   */
  private mustStand(): boolean {
    const { host, inRound } = this;
    const [committed] = host.verifiers();
    if (committed === undefined || this.isVoter(this.proposal.leader)) return false;
    if (host.initialVote().leader === host.id) return true; // it has held itself back for long enough
    if (host.isHeldBack() && this.isMissed(committed)) return true;
    return host.isJoining() && committed.enough((id) => inRound.has(id));
  }

  /** Whether the others cannot do without this server, which holds itself back: as they do so, too, or are too few and have less. */
  private isMissed(committed: QuorumVerifier): boolean {
    const { host, inRound, voteless } = this;
    if (committed.enough((id) => id === host.id || voteless.has(id))) return true;
    return committed.enough((id) => inRound.has(id)) && !committed.enough((id) => id !== host.id && inRound.has(id));
  }

  private armFinalize(): void {
    this.finalizing?.cancel();
    this.finalizing = this.host.runtime.after(FINALIZE_WAIT_MS, () => {
      this.finalizing = undefined;
      this.finish(this.proposal);
    });
  }

  private beatsProposal(n: Notification): boolean {
    return this.counts(n.leader, n.from) && this.wins(n, this.proposal);
  }

  /**
   * Whether a candidate may be voted for. One without weight may not; but while members change it need have some in one of the two
   * configurations only, as there may be none that has in both, and who does not know of the proposed one takes the word of those
   * that have weight: they would not vote for it otherwise.
   */
  private counts(candidate: number, voter: number): boolean {
    const verifiers = this.host.verifiers();
    const weighs = (id: number): boolean => verifiers.some((v) => v.weight(id) > 0);
    return weighs(candidate) || weighs(voter) || !this.isVoter(candidate);
  }

  /**
   * Whether the first of two votes is the better one. Of those for one history that is the one for who has weight in the committed
   * members: Apache's servers vote for nobody else.
   */
  private wins(a: Vote, b: Vote): boolean {
    const [committed] = this.host.verifiers();
    if (a.peerEpoch === b.peerEpoch && a.zxid === b.zxid) {
      const weighs = (id: number): boolean => committed?.isVoter(id) !== true || committed.weight(id) > 0;
      if (weighs(a.leader) !== weighs(b.leader)) return weighs(a.leader);
    }
    return beats(a, b);
  }

  private isVoter(id: number): boolean {
    return this.host.verifiers().some((verifier) => verifier.isVoter(id));
  }

  private enough(has: (id: number) => boolean): boolean {
    const { host } = this;
    return host.verifiers().every((verifier) => verifier.enough(has)) || (has(host.id) && host.oracleGrants());
  }
}

function voteOf(n: Notification): Vote {
  return { leader: n.leader, zxid: n.zxid, round: n.round, peerEpoch: n.peerEpoch };
}

/** Settled votes name the same leader in the same epoch; zxid and round may differ (ZOOKEEPER-1805). */
function agrees(a: TableEntry, b: TableEntry): boolean {
  if (a.state === PeerState.looking || b.state === PeerState.looking) return sameVote(a.vote, b.vote);
  if ((a.version === 0) !== (b.version === 0)) return a.vote.leader === b.vote.leader;
  return a.vote.leader === b.vote.leader && a.vote.peerEpoch === b.vote.peerEpoch;
}
