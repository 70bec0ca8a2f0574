// How many learners are brought up to date at once. Source: LearnerSyncThrottler of Apache ZooKeeper.

export type SyncKind = 'diff' | 'snapshot';

export class SyncLimits {
  private readonly most: Readonly<Record<SyncKind, number>>;
  private readonly running = { diff: 0, snapshot: 0 };

  /** @param most leader.maxConcurrentDiffSyncs and leader.maxConcurrentSnapSyncs */
  constructor(most: Readonly<Record<SyncKind, number>>) {
    this.most = most;
  }

  /** Counts one more, which ends with {@link end}. False if there are enough and it is not `essential`: then it does not count. */
  begin(kind: SyncKind, essential: boolean): boolean {
    if (!essential && this.running[kind] >= this.most[kind]) return false;
    this.running[kind]++;
    return true;
  }

  end(kind: SyncKind): void {
    this.running[kind]--;
  }
}
