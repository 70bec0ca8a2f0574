// Who held something, from when to when, as the holders believed; and whether the servers' decisions allowed it.

import type { Finding } from '../checks.js';
import type { Decided } from './decided.js';
import type { Part } from './scenario.js';

/** What every hold, lease and leadership has. */
export interface Held {
  readonly path: string;
  readonly fencingToken: number;
  readonly signal: AbortSignal;
}

interface Hold {
  readonly holder: string;
  readonly path: string;
  readonly token: number;
  readonly shared: boolean;
  readonly heirOf: string | undefined;
  readonly at: number;
  readonly order: number;
  /** The order number of the beginning of its release, or of the news of its loss. */
  until: number;
}

export class HoldBook {
  private readonly what: string;
  private readonly limit: number;
  private readonly holds: Hold[] = [];
  private readonly findings: Finding[] = [];

  /** @param limit so many may hold it at once */
  constructor(what: string, limit = 1) {
    this.what = what;
    this.limit = limit;
  }

  /**
   * To be called when a holder learns that it holds. What is returned is to be called before it gives back.
   * @param heirOf the node that it has held by so far, and still does
   */
  begin(part: Part, { path, fencingToken, signal }: Held, shared = false, heirOf?: string): () => void {
    const hold: Hold = {
      holder: part.name,
      path,
      token: fencingToken,
      shared,
      heirOf,
      at: part.now(),
      order: part.nextOrder(),
      until: Number.POSITIVE_INFINITY,
    };
    this.holds.push(hold);
    part.trace(`holds ${path}, token 0x${fencingToken.toString(16)}`);
    const session = part.client.sessionId;
    const end = (): void => {
      if (hold.until !== Number.POSITIVE_INFINITY) return;
      hold.until = part.nextOrder();
      if (!signal.aborted && part.client.sessionId !== session)
        this.findings.push({ kind: 'loss', message: `${this.what}: ${part.name} was not told that ${path} is lost` });
      part.trace(`holds ${path} no longer`);
    };
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    return end;
  }

  /**
   * Whoever began to hold did so after the others, but for those whose node had gone before: nobody can tell them sooner than the
   * servers do. Later holders have greater tokens.
   */
  *check(decided: Decided): Generator<Finding> {
    yield* this.findings;
    const goneBy = (hold: Hold, at: number): boolean =>
      (decided.removalOfOne(hold.path)?.at ?? Number.POSITIVE_INFINITY) <= at;
    const tell = ({ holder, path, token }: Hold): string => `${holder} by ${path}, token 0x${token.toString(16)}`;
    for (const [i, next] of this.holds.entries()) {
      if (goneBy(next, next.at)) continue; // it does not know yet
      const before = this.holds.slice(0, i).filter((hold) => !goneBy(hold, hold.at));
      const present = before.filter((hold) => hold.until > next.order && !goneBy(hold, next.at));
      const others = present.filter(({ path }) => path !== next.heirOf);
      const rivals = next.shared ? others.filter(({ shared }) => !shared) : others;
      if (rivals.length >= this.limit)
        yield {
          kind: 'exclusion',
          message: `${this.what}: ${tell(next)}, holds while ${rivals.map(tell).join(' and ')} does`,
        };
      const later = this.limit > 1 || next.shared ? undefined : before.find(({ token }) => token >= next.token);
      if (later !== undefined)
        yield { kind: 'fencing', message: `${this.what}: ${tell(next)}, holds after ${tell(later)}` };
    }
  }
}
