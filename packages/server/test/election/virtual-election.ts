// Elections among machines in one process, with a clock of the test's own: messages take no time, timers wait for `advance`.
import { FastLeaderElection } from '../../dist/election/fast-leader-election.js';
import { NO_VOTE, type Notification, PeerState, type Vote } from '../../dist/election/notification.js';
import { majorityQuorum, type QuorumVerifier } from '../../dist/quorum/quorum-verifier.js';

export interface History {
  readonly epoch: number;
  readonly zxid: number;
}

export class VirtualElection {
  private now = 0;
  private timers: { at: number; run: () => void }[] = [];
  private messages: (() => void)[] = [];
  private readonly running = new Map<number, FastLeaderElection>();
  private readonly verifier: QuorumVerifier;
  private readonly observers: ReadonlySet<number>;
  /** Servers that are being added: their agreement is needed, and they cannot be voted for yet. */
  readonly joining = new Set<number>();
  /** Servers that were elected and could not be followed. */
  readonly heldBack = new Set<number>();
  /** Who has to agree besides the others, for servers that know of a proposed configuration. */
  readonly proposed = new Map<number, QuorumVerifier>();
  /** Pairs that cannot talk: `from>to`. */
  readonly cut = new Set<string>();
  /** What was sent last, to whomever. */
  lastTold: Notification | undefined;
  /** The server that the oracle lets lead alone, 0 for none; undefined without an oracle. */
  granted: number | undefined;

  constructor(verifier: QuorumVerifier | readonly number[], observers: readonly number[] = []) {
    this.verifier = 'voters' in verifier ? verifier : majorityQuorum(verifier);
    this.observers = new Set(observers);
  }

  start(id: number, history: History, untrusted = false): void {
    const observer = this.observers.has(id);
    const none = { leader: NO_VOTE, zxid: NO_VOTE, peerEpoch: NO_VOTE };
    const election = new FastLeaderElection(
      {
        id,
        runtime: {
          after: (ms, run) => {
            const timer = { at: this.now + ms, run };
            this.timers.push(timer);
            return {
              cancel: () => {
                this.timers = this.timers.filter((other) => other !== timer);
              },
            };
          },
        },
        isObserver: () => observer,
        isJoining: () => this.joining.has(id) && this.proposed.has(id),
        isHeldBack: () => this.heldBack.has(id),
        isUntrusted: () => untrusted,
        mayLeadAlone: () => this.granted !== undefined,
        oracleGrants: () => this.granted === id,
        verifiers: () => [this.verifier, ...(this.proposed.has(id) ? [this.proposed.get(id) as QuorumVerifier] : [])],
        initialVote: () =>
          observer
            ? none
            : {
                leader: this.joining.has(id) || this.heldBack.has(id) ? NO_VOTE : id,
                zxid: untrusted ? -1 : history.zxid,
                peerEpoch: history.epoch,
              },
        send: (to, state, vote) => this.send(id, to, state, vote),
        delivered: () => true,
        redial: () => {},
        mayStillVote: () => true,
        elected: () => {},
      },
      { minInterval: 200, maxInterval: 60_000 },
    );
    this.running.set(id, election);
    election.look();
    this.deliver();
  }

  stop(id: number): void {
    this.running.get(id)?.stop();
    this.running.delete(id);
  }

  look(id: number): void {
    this.of(id).look();
    this.deliver();
  }

  of(id: number): FastLeaderElection {
    const election = this.running.get(id);
    if (election === undefined) throw new Error(`server ${id} does not run`);
    return election;
  }

  /** `state>leader` of each running server. */
  outcome(): Record<number, string> {
    const names = ['looking', 'following', 'leading', 'observing'];
    return Object.fromEntries(
      [...this.running].map(([id, e]) => [
        id,
        e.state === PeerState.looking ? 'looking' : `${names[e.state]} ${e.vote.leader}`,
      ]),
    );
  }

  private send(from: number, to: number, state: PeerState, vote: Vote): void {
    if (this.cut.has(`${from}>${to}`)) return;
    const notification: Notification = { ...vote, from, state, version: 2, config: undefined };
    this.lastTold = notification;
    this.messages.push(() => this.running.get(to)?.receive(notification));
  }

  private deliver(): void {
    for (let count = 0; ; count++) {
      const next = this.messages.shift();
      if (next === undefined) return;
      if (count === 10_000) throw new Error('messages without end');
      next();
    }
  }

  advance(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const due = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.timers = this.timers.filter((timer) => timer !== due);
      this.now = due.at;
      due.run();
      this.deliver();
    }
    this.now = end;
  }
}
