// Which server to try next: shuffled, resolved anew each time round, with a pause between rounds.

import { lookup as dnsLookup, resolveSrv as dnsResolveSrv } from 'node:dns/promises';
import { isIP } from 'node:net';
import { clearTimeout, setTimeout } from 'node:timers';
import type { ConnectString, ServerAddress } from './connect-string.js';
import { onAbort } from './on-abort.js';

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

/** A name or SRV records that take longer to find, in milliseconds, keep nobody from the servers that are known. */
const LOOKUP_LIMIT = 2000;

export class Hosts {
  private target: ConnectString;
  /** The servers of the connection string, or those that the SRV records named last. */
  private known: readonly ServerAddress[];
  private readonly backOff: BackOff;
  private readonly random: () => number;
  private readonly lookupLimit: number;
  /** What each name was resolved to last, and what its SRV records named: that holds while the resolver fails or is silent. */
  private readonly addresses: Lookups<readonly string[]>;
  private readonly records: Lookups<readonly ServerAddress[]>;
  private round: Endpoint[] = [];
  /** Servers to try before the others in the next round. */
  private preferred: readonly ServerAddress[] = [];
  /** The server that served us last. */
  private last: Endpoint | undefined;
  /** Rounds begun since a server has served us for a while. */
  private rounds = 0;
  private lastProblem: Error | undefined;
  private readonly closed = new AbortController();

  /** `random` gives numbers from 0 to below 1; `lookupLimit` is in milliseconds. */
  constructor(
    target: ConnectString,
    resolver: Resolver,
    backOff: BackOff,
    random = Math.random,
    lookupLimit = LOOKUP_LIMIT,
  ) {
    this.random = random;
    this.lookupLimit = lookupLimit;
    this.target = target;
    this.known = target.servers;
    this.addresses = new Lookups<readonly string[]>((host) => resolver.lookup(host));
    this.records = new Lookups<readonly ServerAddress[]>(
      (srv) => resolver.resolveSrv(srv),
      (found) => found.length > 0,
    );
    this.backOff = backOff;
  }

  /** The number of servers, at least 1. */
  get size(): number {
    return Math.max(1, this.known.length);
  }

  /** Whether the servers are those of SRV records, which can change at any time. */
  get isSrv(): boolean {
    return this.target.srv !== undefined;
  }

  /** Why names could not be resolved in the last round, if none could. */
  get problem(): Error | undefined {
    return this.lastProblem;
  }

  /** How long to wait before {@link next}: nothing within a round, longer from round to round, never in step with others. */
  get pause(): number {
    if (this.round.length > 0 || this.rounds === 0) return 0;
    const full = Math.min(this.backOff.maxDelay, this.backOff.minDelay * 2 ** (this.rounds - 1));
    return full * (0.5 + this.random() / 2);
  }

  /** The next endpoint to try; undefined if no name could be resolved. */
  async next(): Promise<Endpoint | undefined> {
    if (this.round.length === 0) {
      const first = this.preferred;
      this.preferred = [];
      if (first.length > 0) this.round = await this.resolve(first);
      if (this.round.length === 0) {
        this.rounds++;
        // A list that has been replaced meanwhile must not come back.
        for (let target: ConnectString | undefined; target !== this.target; ) {
          target = this.target;
          const found = await this.servers();
          if (target === this.target) this.known = found;
        }
        this.round = this.lastOneLast(await this.resolve(this.known));
        this.addresses.forgetOthers(new Set(this.known.map(({ host }) => host)));
      }
    }
    return this.round.shift();
  }

  /** Whether the endpoint's server is in the list, which may have changed since {@link next}. */
  isKnown(endpoint: Endpoint): boolean {
    return isIn(this.known, endpoint);
  }

  /** To be called when a server has taken us: the next round begins with all of them, this one last. */
  took(endpoint: Endpoint): void {
    this.last = endpoint;
    this.round = [];
  }

  /** To be called when the connection was of use: the next round begins without a pause. */
  served(): void {
    this.rounds = 0;
  }

  /** All endpoints there are now. */
  async all(): Promise<Endpoint[]> {
    return this.resolve(await this.servers());
  }

  /** To be called when no server is sought any more: names that are being resolved are not waited for, by a timer neither. */
  close(): void {
    this.closed.abort();
  }

  /** Has {@link next} begin with this endpoint. */
  prefer(endpoint: Endpoint): void {
    this.round = [endpoint];
  }

  private async servers(): Promise<readonly ServerAddress[]> {
    const { srv } = this.target;
    if (srv === undefined) return this.known;
    await this.inTime(this.records.begin(srv), `no SRV records of ${srv} were found`);
    return this.records.last(srv) ?? this.known;
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
    return this.shuffle(endpoints);
  }

  /** Every order with the same chance. */
  private shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = Math.floor(this.random() * (i + 1));
      [items[i], items[j]] = [items[j] as T, items[i] as T];
    }
    return items;
  }

  private async addressesOf(host: string): Promise<readonly string[]> {
    const found = await this.inTime(this.addresses.begin(host), `${host} was not resolved`);
    return found ?? this.addresses.last(host) ?? [];
  }

  /** Undefined if it fails, or takes too long. */
  private async inTime<T>(lookup: Promise<T>, problem: string): Promise<T | undefined> {
    try {
      return await within(this.lookupLimit, lookup, problem, this.closed.signal);
    } catch (error) {
      this.lastProblem = error instanceof Error ? error : new Error(String(error));
      return undefined;
    }
  }

  /** Whoever has just lost a server finds another sooner by trying it last. */
  private lastOneLast(endpoints: Endpoint[]): Endpoint[] {
    const isLast = ({ address, port }: Endpoint) => address === this.last?.address && port === this.last.port;
    return [...endpoints.filter((one) => !isLast(one)), ...endpoints.filter(isLast)];
  }

  /** Takes another connection string. Returns as {@link rebalance} does; SRV records are looked at by {@link refresh}. */
  update(target: ConnectString): boolean {
    this.target = target;
    this.round = [];
    this.rounds = 0;
    return target.srv === undefined && this.rebalance(target.servers);
  }

  /** Looks at the SRV records again. Returns as {@link rebalance} does. */
  async refresh(): Promise<boolean> {
    const { target } = this;
    const found = await this.servers();
    if (target !== this.target || isSame(this.known, found)) return false;
    this.round = [];
    return this.rebalance(found);
  }

  /**
   * Takes another list of servers. Returns whether the client should leave the server it is on, so that the load spreads
   * over the new list as if every client had started with it. Source: StaticHostProvider of Apache's client (ZOOKEEPER-1355).
   */
  private rebalance(servers: readonly ServerAddress[]): boolean {
    const old = this.known;
    this.known = servers;
    const kept = servers.filter((server) => isIn(old, server));
    const added = servers.filter((server) => !isIn(old, server));
    const total = servers.length;
    if (this.last === undefined) return false;
    if (isIn(servers, this.last)) {
      // Those who stay on n of n+m servers move to one of the m new ones with this chance.
      if (total <= old.length || this.random() > 1 - old.length / total) return false;
      this.preferred = added;
      return true;
    }
    // Those whose server goes away: more of them to the new servers, as the old ones keep their clients.
    const lost = old.length - kept.length;
    const toOld = total > old.length || lost === 0 ? 0 : (kept.length * (old.length - total)) / (total * lost);
    this.preferred = this.random() < toOld ? kept : added;
    return true;
  }
}

/** One lookup at a time for each name; an answer that comes late is there for the next round. */
class Lookups<T> {
  private readonly ask: (name: string) => Promise<T>;
  private readonly isOfUse: (found: T) => boolean;
  private readonly found = new Map<string, T>();
  private readonly underWay = new Map<string, Promise<T>>();

  constructor(ask: (name: string) => Promise<T>, isOfUse: (found: T) => boolean = () => true) {
    this.ask = ask;
    this.isOfUse = isOfUse;
  }

  /** The last answer that was of use. */
  last(name: string): T | undefined {
    return this.found.get(name);
  }

  /** What is known of other names: lists change, and their names may never come again. */
  forgetOthers(names: ReadonlySet<string>): void {
    for (const name of this.found.keys()) if (!names.has(name)) this.found.delete(name);
  }

  begin(name: string): Promise<T> {
    const underWay = this.underWay.get(name);
    if (underWay !== undefined) return underWay;
    const lookup = this.ask(name).finally(() => this.underWay.delete(name));
    this.underWay.set(name, lookup);
    lookup.then(
      (found) => {
        if (this.isOfUse(found)) this.found.set(name, found);
      },
      () => {},
    );
    return lookup;
  }
}

function isIn(list: readonly ServerAddress[], server: ServerAddress): boolean {
  return list.some(({ host, port }) => host === server.host && port === server.port);
}

function isSame(one: readonly ServerAddress[], other: readonly ServerAddress[]): boolean {
  return one.length === other.length && one.every((server) => isIn(other, server));
}

/** Settles as `promise` does; rejects if that takes longer than `ms`, or when the signal is aborted. */
function within<T>(ms: number, promise: Promise<T>, problem: string, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const fail = (message: string): void => {
      stop();
      reject(new Error(message));
    };
    const timer = setTimeout(() => fail(`${problem} within ${ms} ms`), ms);
    const forget = onAbort(signal, () => fail(problem));
    const stop = (): void => {
      clearTimeout(timer);
      forget();
    };
    if (signal.aborted) fail(problem);
    promise.then(resolve, reject).then(stop, stop);
  });
}
