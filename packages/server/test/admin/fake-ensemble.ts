// An ensemble to look at: the four servers whose outputs were recorded from Apache's, 1 to 3 with a vote and 4 without; 3 leads.
import { readFileSync } from 'node:fs';
import { EnsembleStats } from '../../dist/ensemble-stats.js';
import type { EnsemblePart, EnsembleView, LeadingView, LearnerView } from '../../dist/ensemble-view.js';
import { type Member, quorumConfig } from '../../dist/quorum/quorum-config.js';
import { FakeView } from './fake-view.js';

interface Asked {
  readonly words: Readonly<Record<string, string>>;
  readonly http: Readonly<Record<string, string>>;
}

/** What Apache's servers answered. */
export const recordedEnsemble = JSON.parse(
  readFileSync(new URL('../../test/admin/fixtures/apache-3.8.0-ensemble.json', import.meta.url), 'utf8'),
) as Readonly<Record<'leader' | 'follower' | 'observer' | 'looking' | 'readOnly', Asked>> & {
  readonly localSessions: Readonly<Record<'leader' | 'follower' | 'leaderHttp' | 'followerHttp', string>>;
};

export const IDS = { leader: 3, follower: 1, observer: 4 } as const;
export type Mode = keyof typeof IDS;

export function member(id: number, role: Member['role'] = 'participant'): Member {
  const quorumAddresses = [{ host: '127.0.0.1', quorumPort: 27420 + id, electionPort: 27440 + id }];
  return { id, quorumAddresses, role, clientAddress: undefined };
}

export const MEMBERS: readonly Member[] = [member(1), member(2), member(3), member(4, 'observer')];

export class FakeLearner implements LearnerView {
  id: number | undefined;
  participates: boolean;
  synced = true;
  remote = '127.0.0.1:54242';
  connectedAt = 0;
  unsent = -234; // as the recorded server reckons
  packetsReceived = 5;
  packetsSent = 14;
  requests = 2;
  lastZxid = 0x100000009;

  constructor(id: number | undefined, participates: boolean) {
    this.id = id;
    this.participates = participates;
  }

  resetCounts(): void {
    this.packetsReceived = 0;
    this.packetsSent = 0;
    this.requests = 0;
    this.lastZxid = -1;
  }
}

export class FakeEnsemble implements EnsembleView {
  id: number;
  initLimit = 10;
  syncLimit = 5;
  own: Member;
  config = quorumConfig(MEMBERS);
  localSessions = false;
  part: EnsemblePart | undefined;
  readonly stats = new EnsembleStats();
  readonly observer = new FakeLearner(4, false);
  learners: LearnerView[] = [new FakeLearner(1, true), new FakeLearner(2, true), this.observer];

  constructor(mode: Mode) {
    this.id = IDS[mode];
    this.own = member(this.id, mode === 'observer' ? 'observer' : 'participant');
    const leading: LeadingView | undefined =
      mode === 'leader'
        ? { uptime: 2696.5, learners: this.learners, expiryBuckets: () => [], pendingSyncs: 0 }
        : undefined;
    this.part = { mode, leaderId: 3, leading };
    for (const bytes of mode === 'leader' ? [48, 129] : []) this.stats.onProposal(bytes);
  }
}

/** One of the servers. */
export function ensembleView(mode: Mode): FakeView & { ensemble: FakeEnsemble } {
  const ensemble = new FakeEnsemble(mode);
  const view = Object.assign(new FakeView(), { ensemble, state: mode });
  const clientPort = 27400 + ensemble.id;
  const dir = `/var/lib/zookeeper/${ensemble.id}/version-2`;
  view.conf = {
    ...view.conf,
    clientPort,
    clientAddress: { host: '127.0.0.1', port: clientPort },
    snapshotDir: dir,
    logDir: dir,
    maxClientCnxns: 60,
    serverId: ensemble.id,
  };
  view.now.zxid = 0x100000009;
  view.now.globalSessions = 4;
  return view;
}
