// Which server to try next: shuffled, resolved anew each time round, with a pause between rounds.

import { lookup as dnsLookup, resolveSrv as dnsResolveSrv } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { ConnectString, ServerAddress } from './connect-string.js';

/** One address of a server. */
export interface Endpoint {
  /** As the connection string has it; what a TLS certificate must name. */
  readonly host: string;
  readonly address: string;
  readonly port: number;
}

export interface Resolver {
  /** All addresses of a host. */
  lookup(host: string): Promise<string[]>;
  resolveSrv(name: string): Promise<ServerAddress[]>;
}

export const systemResolver: Resolver = {
  async lookup(host) {
    const found = await dnsLookup(host, { all: true });
    return found.map(({ address }) => address);
  },
  async resolveSrv(name) {
    const found = await dnsResolveSrv(name);
    return found.map((record) => ({ host: record.name, port: record.port }));
  },
};

export interface BackOff {
  /** Pause after the first fruitless round through all servers, in milliseconds; doubled each time. */
  readonly minDelay: number;
  readonly maxDelay: number;
}

export class Hosts {
  private target: ConnectString;
  private readonly resolver: Resolver;
  private readonly backOff: BackOff;
  private round: Endpoint[] = [];
  /** Servers to try before the others in the next round. */
  private preferred: readonly ServerAddress[] = [];
  /** Rounds begun since a server has taken us. */
  private rounds = 0;
  private lastProblem: Error | undefined;

  constructor(target: ConnectString, resolver: Resolver, backOff: BackOff) {
    this.target = target;
    this.resolver = resolver;
    this.backOff = backOff;
  }

  /** The number of servers in the connection string, at least 1. */
  get size(): number {
    return Math.max(1, this.target.servers.length);
  }

  /** Why names could not be resolved in the last round, if none could. */
  get problem(): Error | undefined {
    return this.lastProblem;
  }

  /** How long to wait before {@link next}: nothing within a round, longer from round to round, never in step with others. */
  get pause(): number {
    if (this.round.length > 0 || this.rounds === 0) return 0;
    const full = Math.min(this.backOff.maxDelay, this.backOff.minDelay * 2 ** (this.rounds - 1));
    return full * (0.5 + Math.random() / 2);
  }

  /** The next endpoint to try; undefined if no name could be resolved. */
  async next(): Promise<Endpoint | undefined> {
    if (this.round.length === 0) {
      const first = this.preferred;
      this.preferred = [];
      if (first.length > 0) this.round = await this.resolve(first);
      if (this.round.length === 0) {
        this.rounds++;
        this.round = await this.resolve(await this.servers());
      }
    }
    return this.round.shift();
  }

  /** To be called when a server has taken us: the next round begins without a pause. */
  succeeded(): void {
    this.rounds = 0;
    this.round = [];
  }

  /** All endpoints there are now. */
  async all(): Promise<Endpoint[]> {
    return this.resolve(await this.servers());
  }

  /** Has {@link next} begin with this endpoint. */
  prefer(endpoint: Endpoint): void {
    this.round = [endpoint];
  }

  private async servers(): Promise<readonly ServerAddress[]> {
    const { srv, servers } = this.target;
    if (srv === undefined) return servers;
    return this.resolver.resolveSrv(srv).catch((error: Error) => {
      this.lastProblem = error;
      return [];
    });
  }

  private async resolve(servers: readonly ServerAddress[]): Promise<Endpoint[]> {
    const found = await Promise.all(
      servers.map(async ({ host, port }) => {
        const addresses = isIP(host) === 0 ? await this.addressesOf(host) : [host];
        return addresses.map((address) => ({ host, address, port }));
      }),
    );
    const endpoints = found.flat();
    if (endpoints.length > 0) this.lastProblem = undefined;
    return shuffle(endpoints);
  }

  private addressesOf(host: string): Promise<string[]> {
    return this.resolver.lookup(host).catch((error: Error) => {
      this.lastProblem = error;
      return [];
    });
  }

  /**
   * Takes another list of servers. Returns whether the client should leave the server it is on, so that the load spreads
   * over the new list as if every client had started with it (ZOOKEEPER-1355).
   */
  update(target: ConnectString, current: Endpoint | undefined): boolean {
    const old = this.target.servers;
    this.target = target;
    this.round = [];
    this.rounds = 0;
    if (target.srv !== undefined || current === undefined) return false;
    const isIn = (list: readonly ServerAddress[], server: ServerAddress) =>
      list.some(({ host, port }) => host === server.host && port === server.port);
    const kept = target.servers.filter((server) => isIn(old, server));
    const added = target.servers.filter((server) => !isIn(old, server));
    const total = target.servers.length;
    if (isIn(target.servers, current)) {
      // Those who stay on n of n+m servers move to one of the m new ones with this chance.
      if (total <= old.length || Math.random() > 1 - old.length / total) return false;
      this.preferred = added;
      return true;
    }
    // Those whose server goes away: more of them to the new servers, as the old ones keep their clients.
    const lost = old.length - kept.length;
    const toOld = total > old.length || lost === 0 ? 0 : (kept.length * (old.length - total)) / (total * lost);
    this.preferred = Math.random() < toOld ? kept : added;
    return true;
  }
}

/** Every order with the same chance. */
function shuffle<T>(items: T[]): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [items[i], items[j]] = [items[j] as T, items[i] as T];
  }
  return items;
}
