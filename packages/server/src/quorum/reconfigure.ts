// What a reconfiguration asks for, and the members that come of it. Source: PrepRequestProcessor of Apache ZooKeeper.

import { ErrorCode } from '@nodekeeper/protocol';
import {
  groupingProblem,
  type Member,
  parseConfig,
  parseMember,
  type QuorumConfig,
  quorumConfig,
} from './quorum-config.js';

/** Null where the request leaves it out; the first two are the incremental form, the third the whole one. */
export interface ReconfigRequest {
  /** `server.N=…`, divided by commas. */
  readonly joining: string | null;
  /** Ids, divided by commas. */
  readonly leaving: string | null;
  /** All members, divided by commas or lines. */
  readonly members: string | null;
  /** The version that the members must have now; -1 for any. */
  readonly expected: number;
}

/** What servers are configured to take. */
export interface ReconfigRules {
  /** 2, or 1 where a server alone runs the quorum's code. */
  readonly leastVoters: number;
  /** Whether members may have several addresses. */
  readonly multiAddress: boolean;
}

/**
 * The members that the request asks for, or the code of the error that it gets.
 * @param version the zxid that the reconfiguration will have
 */
export function reconfigured(
  now: QuorumConfig,
  request: ReconfigRequest,
  version: number,
  rules: ReconfigRules,
): QuorumConfig | number {
  if (request.expected !== -1 && request.expected !== now.version) return ErrorCode.BadVersion;
  const next =
    request.members !== null ? whole(request.members, version, rules) : incremental(now, request, version, rules);
  if (next === undefined) return ErrorCode.BadArguments;
  return next.verifier.voters.length < rules.leastVoters ? ErrorCode.BadArguments : next;
}

/** Whether a server would start as that member, Apache's included. */
function mayStart({ quorumAddresses }: Member, { multiAddress }: ReconfigRules): boolean {
  return quorumAddresses.length === 1 || multiAddress;
}

function whole(text: string, version: number, rules: ReconfigRules): QuorumConfig | undefined {
  try {
    const { members, groups, weights } = parseConfig(text.replaceAll(',', '\n'));
    const all = [...members.values()];
    if (!all.every((member) => mayStart(member, rules))) return undefined;
    if (groupingProblem(all, groups, weights) !== undefined) return undefined;
    if (all.some((member, i) => all.slice(0, i).some((other) => shareAddress(member, other)))) return undefined;
    return quorumConfig(all, version, groups, weights);
  } catch {
    return undefined;
  }
}

function incremental(
  now: QuorumConfig,
  request: ReconfigRequest,
  version: number,
  rules: ReconfigRules,
): QuorumConfig | undefined {
  if (now.groups.size > 0) return undefined;
  const members = new Map(now.members);
  for (const id of split(request.leaving)) {
    if (!/^\d+$/.test(id)) return undefined;
    members.delete(Number(id));
  }
  for (const joiner of split(request.joining)) {
    const match = /^server\.(\d+)=(.+)$/s.exec(joiner.replace(/\s/g, ''));
    if (match === null) return undefined;
    const member = parseMember(Number(match[1]), match[2] ?? '');
    if (typeof member === 'string' || member.clientAddress === undefined || !mayStart(member, rules)) return undefined;
    for (const other of members.values()) if (other.id !== member.id && shareAddress(member, other)) return undefined;
    members.set(member.id, member);
  }
  return quorumConfig(members.values(), version);
}

function split(list: string | null): string[] {
  return (list ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** Whether two servers would listen at the same place. */
function shareAddress(a: Member, b: Member): boolean {
  const places = (member: Member): string[] => {
    const out = member.quorumAddresses.flatMap(({ host, quorumPort, electionPort }) => [
      `${host}:${quorumPort}`,
      `${host}:${electionPort}`,
    ]);
    const { clientAddress } = member;
    if (clientAddress !== undefined && clientAddress.host !== '0.0.0.0')
      out.push(`${clientAddress.host}:${clientAddress.port}`);
    return out;
  };
  const taken = new Set(places(b));
  return places(a).some((place) => taken.has(place));
}
