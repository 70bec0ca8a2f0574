// What every part that a server plays in its ensemble knows of the server.

import type { EnsembleServer } from './ensemble-server.js';
import type { EnsembleStats } from './ensemble-stats.js';
import type { Runtime } from './runtime.js';

export class RoleHost {
  protected readonly server: EnsembleServer;

  constructor(server: EnsembleServer) {
    this.server = server;
  }

  get id(): number {
    return this.server.id;
  }

  get runtime(): Runtime {
    return this.server.runtime;
  }

  get tickTime(): number {
    return this.server.config.tickTime;
  }

  get initLimit(): number {
    return this.server.ensemble.initLimit;
  }

  get syncLimit(): number {
    return this.server.ensemble.syncLimit;
  }

  get stats(): EnsembleStats {
    return this.server.ensembleStats;
  }

  get acceptedEpoch(): number {
    return this.server.epochs.accepted;
  }

  get currentEpoch(): number {
    return this.server.epochs.current;
  }

  get configVersion(): number {
    return this.server.membership.committed.version;
  }

  get maxEntry(): number {
    return this.server.config.maxEntry;
  }

  /** Durable when it returns. */
  setAcceptedEpoch(epoch: number): void {
    this.server.epochs.setAccepted(epoch);
  }
}
