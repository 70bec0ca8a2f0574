// Holds the table of known differences to its word: every row's exchange is tried on both servers.

import type { Pair } from './compare.js';
import { KNOWN_DIFFERENCES, type KnownDifference, type Request } from './known-differences.js';
import { type Item, runSequence, type Target } from './run.js';
import type { ConnectStep, RequestStep, Step } from './step.js';

/** The rows that do not hold, in words. */
export async function untrueRows(pair: Pair): Promise<string[]> {
  const wrong: string[] = [];
  for (const row of KNOWN_DIFFERENCES) {
    for (const target of [pair.reference, pair.tested]) {
      const expected = expectedOf(row, target);
      if (expected === 'harmful') continue;
      const got = await exchange(target, row.exchange, pair.nextRoot());
      for (const [i, pattern] of expected.entries()) {
        if (!pattern.test(got[i] as string))
          wrong.push(`${row.what}: ${target.kind} should answer ${pattern} and answers ${got[i]}`);
      }
    }
  }
  return wrong;
}

function expectedOf({ apache, apache39, ours }: KnownDifference, target: Target): KnownDifference['apache'] {
  if (target.kind === 'nodekeeper') return ours;
  return target.reference39 && apache !== 'harmful' ? (apache39 ?? ours) : apache;
}

async function exchange(
  target: Target,
  requests: (typeof KNOWN_DIFFERENCES)[number]['exchange'],
  root: string,
): Promise<string[]> {
  const make: Request = { op: 1, body: createOpen(root) };
  const steps: Step[] = [connect(0), connect(1)];
  for (const [i, { conn = 0, op, body }] of [make, ...requests(root)].entries()) {
    const step: RequestStep = { kind: 'request', conn, op, xid: 10 + i, body, hold: false };
    steps.push(step);
  }
  const results = await runSequence(target, steps, { comparesOld: false });
  return results.slice(3).map((items) => textOf(items));
}

/** Everything but the answers to the pings that follow each step. */
function textOf(items: readonly Item[]): string {
  return items
    .map(({ masked }) => masked.text)
    .filter((text) => !text.startsWith('xid=-2 '))
    .join(' | ');
}

function connect(conn: number): ConnectStep {
  return {
    kind: 'connect',
    conn,
    session: 'new',
    password: 'right',
    timeout: 10000,
    protocolVersion: 0,
    seen: 'zero',
    tail: Buffer.alloc(1),
  };
}

/** create: path, no data, everybody may do everything, persistent. */
function createOpen(path: string): Buffer {
  const head = Buffer.alloc(4);
  head.writeInt32BE(path.length);
  const acl = '00000001' + '0000001f' + '00000005' + '776f726c64' + '00000006' + '616e796f6e65';
  return Buffer.concat([head, Buffer.from(path), Buffer.from(`ffffffff${acl}00000000`, 'hex')]);
}
