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

/** In characters: of a thousand members. A longer list is not read, as anybody may send one, and the leader would stand still for it. */
const LONGEST_LIST = 64 * 1024;

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
  const { joining, leaving, members } = request;
  if ([joining, leaving, members].some((list) => list !== null && list.length > LONGEST_LIST))
    return ErrorCode.BadArguments;
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
    const taken = new Places();
    for (const member of all) {
      if (taken.meets(member)) return undefined;
      taken.add(member);
    }
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
  const taken = new Places();
  for (const member of members.values()) taken.add(member);
  for (const joiner of split(request.joining)) {
    const match = /^server\.(\d+)=(.+)$/s.exec(joiner.replace(/\s/g, ''));
    if (match === null) return undefined;
    const member = parseMember(Number(match[1]), match[2] ?? '');
    if (typeof member === 'string' || member.clientAddress === undefined || !mayStart(member, rules)) return undefined;
    const before = members.get(member.id);
    if (before !== undefined) taken.delete(before);
    if (taken.meets(member)) return undefined;
    taken.add(member);
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

/** Where servers listen. A list is judged before it is asked who may send one: the members are not gone through for each of them. */
class Places {
  /** How many of the servers listen there: those that are members may share places. */
  private readonly taken = new Map<string, number>();

  add(member: Member): void {
    for (const place of placesOf(member)) this.taken.set(place, (this.taken.get(place) ?? 0) + 1);
  }

  delete(member: Member): void {
    for (const place of placesOf(member)) this.taken.set(place, (this.taken.get(place) ?? 0) - 1);
  }

  /** Whether the member would listen where another does. */
  meets(member: Member): boolean {
    for (const place of placesOf(member)) if ((this.taken.get(place) ?? 0) > 0) return true;
    return false;
  }
}

function placesOf({ quorumAddresses, clientAddress }: Member): ReadonlySet<string> {
  const places = new Set<string>();
  for (const { host, quorumPort, electionPort } of quorumAddresses) {
    places.add(`${host}:${quorumPort}`);
    places.add(`${host}:${electionPort}`);
  }
  if (clientAddress !== undefined && clientAddress.host !== '0.0.0.0')
    places.add(`${clientAddress.host}:${clientAddress.port}`);
  return places;
}
