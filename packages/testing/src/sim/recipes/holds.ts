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

export interface HoldKind {
  /** Others of the kind may hold it too. */
  readonly shared?: boolean;
  /** The node that the holder has held it by so far, and still does. */
  readonly heirOf?: string;
  /** It counts as held until the server says otherwise. */
  readonly waitsForTheServer?: boolean;
}

interface Hold {
  readonly holder: string;
  readonly path: string;
  readonly token: number;
  readonly shared: boolean;
  readonly heirOf: string | undefined;
  readonly at: number;
  readonly order: number;
  /** The order number of the beginning of its release, or of the news of its loss; and when that was. */
  until: number;
  untilTime: number;
  readonly isTimely: boolean;
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
   */
  begin(
    part: Part,
    { path, fencingToken, signal }: Held,
    { shared = false, heirOf, waitsForTheServer = false }: HoldKind = {},
  ): () => void {
    const hold: Hold = {
      holder: part.name,
      path,
      token: fencingToken,
      shared,
      heirOf,
      at: part.now(),
      order: part.nextOrder(),
      until: Number.POSITIVE_INFINITY,
      untilTime: Number.POSITIVE_INFINITY,
      // What was lost before it was handed over was never held.
      isTimely: part.isTimely && !waitsForTheServer && !signal.aborted,
    };
    this.holds.push(hold);
    part.trace(`holds ${path}, token 0x${fencingToken.toString(16)}`);
    const session = part.client.sessionId;
    const end = (): void => {
      if (hold.until !== Number.POSITIVE_INFINITY) return;
      hold.until = part.nextOrder();
      hold.untilTime = part.now();
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
    for (const hold of this.holds) {
      const isDead = hold.until === Number.POSITIVE_INFINITY;
      if (isDead || !hold.isTimely) continue;
      const removal = decided.removalOfOne(hold.path);
      if (removal?.withSession && removal.at < hold.untilTime)
        yield {
          kind: 'loss',
          message: `${this.what}: ${tell(hold)}, lost it at ${removal.at}, and learned it at ${hold.untilTime}`,
        };
    }
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
