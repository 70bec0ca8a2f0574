// The members of an ensemble: how zoo.cfg, notifications and `/zookeeper/config` write them, and which sets of them decide.
// Text: a line `server.<sid>=<host>:<quorum port>:<election port>:<role>[;<client host>:<client port>]` for each member, lines
// `group.<g>=` and `weight.<sid>=` for hierarchical quorums, then `version=<hex>`, the zxid of the reconfiguration.

import { bracketed, javaAddress } from './java-address.js';
import { hierarchicalQuorum, majorityQuorum, type QuorumVerifier } from './quorum-verifier.js';

const LAST_PORT = 65_535;
/** A name or an address, that of IPv6 in brackets, as Java reads it again from a file of properties. */
const HOST = '\\[[^[\\]\\\\\\s]+\\]|[^:[\\]\\\\\\s]+';
const MEMBER = new RegExp(`^(${HOST}):(\\d+):(\\d+)(?::(participant|observer))?$`, 'i');
const CLIENT = new RegExp(`^(?:(${HOST}):)?(\\d+)$`);

export interface QuorumAddress {
  readonly host: string;
  readonly quorumPort: number;
  readonly electionPort: number;
}

export interface Member {
  readonly id: number;
  readonly quorumAddresses: readonly QuorumAddress[];
  readonly role: 'participant' | 'observer';
  readonly clientAddress: { readonly host: string; readonly port: number } | undefined;
}

export interface QuorumConfig {
  /** The zxid of the reconfiguration that made it; 0 for one from the static file. */
  readonly version: number;
  readonly members: ReadonlyMap<number, Member>;
  readonly groups: ReadonlyMap<number, readonly number[]>;
  readonly weights: ReadonlyMap<number, number>;
  readonly verifier: QuorumVerifier;
}

/** Parses the value of a `server.N` line. Returns a text that says what is wrong instead if it cannot be read. */
export function parseMember(id: number, value: string): Member | string {
  if (!Number.isSafeInteger(id)) return 'an id is at most 2^53 - 1';
  const [servers = '', client] = value.split(';');
  let role: string | undefined;
  const quorumAddresses: QuorumAddress[] = [];
  for (const one of servers.split('|')) {
    const match = MEMBER.exec(one.trim());
    if (match === null) return 'host:quorumPort:electionPort[:role][;[host:]clientPort] is expected';
    if (Number(match[2]) > LAST_PORT || Number(match[3]) > LAST_PORT) return `ports are at most ${LAST_PORT}`;
    if (Number(match[2]) === Number(match[3])) return 'the quorum port and the election port must be different';
    const own = match[4]?.toLowerCase() ?? 'participant';
    if (role !== undefined && role !== own) return 'all addresses of a server must have the same role';
    role = own;
    quorumAddresses.push({ host: bare(match[1] ?? ''), quorumPort: Number(match[2]), electionPort: Number(match[3]) });
  }
  let clientAddress: Member['clientAddress'];
  if (client !== undefined && client.trim() !== '') {
    const match = CLIENT.exec(client.trim());
    if (match === null) return 'the client address behind ; must be [host:]port';
    if (Number(match[2]) > LAST_PORT) return `ports are at most ${LAST_PORT}`;
    clientAddress = { host: match[1] === undefined ? '0.0.0.0' : bare(match[1]), port: Number(match[2]) };
  }
  return { id, quorumAddresses, role: role === 'observer' ? 'observer' : 'participant', clientAddress };
}

function bare(host: string): string {
  return host.startsWith('[') ? javaAddress(host.slice(1, -1)) : host;
}

/** A member as a `server.N` line has it. */
export function formatMember(member: Member): string {
  const addresses = member.quorumAddresses
    .map((a) => `${bracketed(a.host)}:${a.quorumPort}:${a.electionPort}:${member.role}`)
    .join('|');
  const { clientAddress } = member;
  return clientAddress === undefined
    ? addresses
    : `${addresses};${bracketed(clientAddress.host)}:${clientAddress.port}`;
}

/**
 * A configuration of members.
 * @param groups group number → ids; empty for majority quorums
 * @param weights id → weight; 1 where none is given
 */
export function quorumConfig(
  members: Iterable<Member>,
  version = 0,
  groups: ReadonlyMap<number, readonly number[]> = new Map(),
  weights: ReadonlyMap<number, number> = new Map(),
): QuorumConfig {
  const byId = new Map([...members].map((member) => [member.id, member]));
  const voters = [...byId.values()].filter((member) => member.role === 'participant').map((member) => member.id);
  const verifier =
    groups.size === 0 ? majorityQuorum(voters) : hierarchicalQuorum(voters, [...groups.values()], weights);
  return { version, members: byId, groups, weights, verifier };
}

/** What is wrong with groups and weights, which no server starts with; undefined if nothing is. */
export function groupingProblem(
  members: Iterable<Member>,
  groups: ReadonlyMap<number, readonly number[]>,
  weights: ReadonlyMap<number, number>,
): string | undefined {
  if (groups.size === 0) return weights.size > 0 ? 'weights need groups' : undefined;
  // They would be written down as others.
  const numbers = [...groups.keys(), ...[...groups.values()].flat(), ...weights.keys(), ...weights.values()];
  if (!numbers.every(Number.isSafeInteger)) return 'numbers of groups, servers and weights are at most 2^53 - 1';
  const grouped = new Set<number>();
  for (const id of [...groups.values()].flat()) {
    if (grouped.has(id)) return `server ${id} is in two groups`;
    grouped.add(id);
  }
  const voters = new Set<number>();
  for (const { id, role } of members) {
    if (role !== 'participant') continue;
    if (!grouped.has(id)) return `server ${id} is in no group`;
    voters.add(id);
  }
  // Apache's servers end with a NullPointerException, also where another member only tells of such groups.
  for (const id of grouped)
    if (!voters.has(id) && !weights.has(id))
      return `server ${id} is in a group, but is no voter: give it weight.${id}=0, or take it out of the group`;
  return undefined;
}

/** The configuration as text. */
export function formatConfig(config: QuorumConfig): string {
  const members = [...config.members.values()].sort((a, b) => a.id - b.id);
  const lines = members.map((member) => `server.${member.id}=${formatMember(member)}`);
  for (const [group, ids] of config.groups) lines.push(`group.${group}=${ids.join(':')}`);
  for (const [id, weight] of config.weights) lines.push(`weight.${id}=${weight}`);
  lines.push(`version=${config.version.toString(16)}`);
  return lines.join('\n');
}

/** @throws Error saying what cannot be read */
export function parseConfig(text: string): QuorumConfig {
  const members: Member[] = [];
  const groups = new Map<number, readonly number[]>();
  const weights = new Map<number, number>();
  let version = 0;
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const eq = line.indexOf('=');
    const key = line.slice(0, eq).trim();
    const value = line.slice(eq + 1).trim();
    const id = Number(/\.(\d+)$/.exec(key)?.[1] ?? Number.NaN);
    if (key === 'version') version = versionIn(value);
    else if (/^server\.\d+$/.test(key)) {
      const member = parseMember(id, value);
      if (typeof member === 'string') throw new Error(`${line}: ${member}`);
      members.push(member);
    } else if (/^group\.\d+$/.test(key) && /^\d+(:\d+)*$/.test(value)) groups.set(id, value.split(':').map(Number));
    else if (/^weight\.\d+$/.test(key) && /^\d+$/.test(value)) weights.set(id, Number(value));
    else throw new Error(`${line}: unknown key or value`);
  }
  return quorumConfig(members, version, groups, weights);
}

/** A zxid in hex, as Java writes a long. */
function versionIn(value: string): number {
  const version = Number.parseInt(value, 16);
  if (!/^[0-9a-f]+$/i.test(value) || !Number.isSafeInteger(version)) throw new Error(`version=${value} is no zxid`);
  return version;
}

/** Whether both have the same version, or the same members at the same addresses in the same roles, with equal groups and weights. */
export function sameConfig(a: QuorumConfig, b: QuorumConfig): boolean {
  const lines = (config: QuorumConfig): string =>
    formatConfig({ ...config, version: 0 })
      .split('\n')
      .sort()
      .join('\n');
  return a.version === b.version || lines(a) === lines(b);
}
