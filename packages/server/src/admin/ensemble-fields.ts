// What the HTTP commands and `conf` tell of an ensemble's server: Apache's fields, in its order.

import type { EnsemblePart, EnsembleView, LearnerView } from '../ensemble-view.js';
import { bracketed } from '../quorum/java-address.js';
import { formatConfig, type Member, type QuorumAddress } from '../quorum/quorum-config.js';
import type { Json } from './jackson.js';
import { hex } from './java-text.js';
import type { ConfView, ServerView } from './server-view.js';

type Fields = { readonly [name: string]: Json };

/** The number of Apache's only election algorithm, which it still shows. */
const FAST_LEADER_ELECTION = 3;
const EPOCH = 2 ** 32;

/** Who leads. */
export function leaderFields({ ensemble }: ServerView): Fields {
  const part = ensemble?.part;
  if (ensemble === undefined || part === undefined) return { error: 'server is not initialized' };
  const addresses = ensemble.config.members.get(part.leaderId)?.quorumAddresses ?? [];
  return {
    is_leader: part.mode === 'leader',
    leader_id: part.leaderId,
    leader_ip: addresses.map(({ host }) => host).join('|'),
  };
}

/** The observers that get what is new. */
export function observerFields(view: ServerView): Fields {
  const observers = syncedObservers(view.ensemble?.part);
  return { synced_observers: observers.length, observers: observers.map((learner) => observer(learner, view)) };
}

export function resetObserverCounts({ ensemble }: ServerView): void {
  for (const learner of syncedObservers(ensemble?.part)) learner.resetCounts();
}

function syncedObservers(part: EnsemblePart | undefined): LearnerView[] {
  return [...(part?.leading?.learners ?? part?.observers ?? [])].filter(
    ({ synced, participates }) => synced && !participates,
  );
}

// Apache counts packets in a queue of its own; here they wait in the socket, as bytes.
function observer(learner: LearnerView, view: ServerView): Fields {
  return {
    remote_socket_address: `/${learner.remote}`,
    sid: learner.id ?? -1,
    established: Math.floor(view.wallClock(learner.connectedAt)),
    queued_packets: 0,
    queued_packets_size: learner.unsent,
    packets_received: learner.packetsReceived,
    packets_sent: learner.packetsSent,
    requests: learner.requests,
    last_zxid: learner.lastZxid,
  };
}

/** The members that vote. */
export function votingView({ ensemble, conf }: ServerView): Fields {
  if (ensemble?.part === undefined) return { current_config: {} };
  const voters = [...ensemble.config.members.values()].filter(({ role }) => role === 'participant');
  voters.sort((a, b) => a.id - b.id);
  return { current_config: Object.fromEntries(voters.map((member) => [member.id, voter(member, ensemble, conf)])) };
}

function voter(member: Member, ensemble: EnsembleView, conf: ConfView): Fields {
  const own = member.id === ensemble.id;
  const client = member.clientAddress === undefined && own ? conf.clientAddress : member.clientAddress;
  return {
    server_addresses: quorum(member).map(address),
    election_addresses: election(member).map(address),
    client_address: client === undefined ? '' : address(client),
    learner_type: 'participant',
  };
}

/** How far the server is in the protocol. */
export function zabState(view: ServerView): Fields {
  const { ensemble, conf } = view;
  const part = ensemble?.part;
  if (ensemble === undefined || part === undefined) return { voting: false, zabstate: '' };
  const { own, config } = ensemble;
  const listed = config.members.get(ensemble.id);
  const client = own.clientAddress ?? conf.clientAddress;
  const { zxid } = view.counts();
  return {
    myid: ensemble.id,
    is_leader: part.mode === 'leader',
    quorum_address: addresses(quorum(own)),
    election_address: addresses(election(own)),
    client_address: client === undefined ? null : address(client),
    voting: listed?.role === 'participant',
    last_zxid: hex(zxid),
    zab_epoch: Math.floor(zxid / EPOCH),
    zab_counter: zxid % EPOCH,
    zabstate: 'broadcast',
  };
}

/** The sizes of the proposals that a leader has made; undefined where there is none. */
export function proposalFields({ ensemble }: ServerView): Fields | undefined {
  if (ensemble?.part?.mode !== 'leader') return undefined;
  const { lastProposalSize, minProposalSize, maxProposalSize } = ensemble.stats;
  return { last_buffer_size: lastProposalSize, min_buffer_size: minProposalSize, max_buffer_size: maxProposalSize };
}

/** The end of `srvr` and `stat` on a leader. */
export function proposalLine({ ensemble }: ServerView): string {
  if (ensemble?.part?.mode !== 'leader') return '';
  const { lastProposalSize, minProposalSize, maxProposalSize } = ensemble.stats;
  return `Proposal sizes last/min/max: ${lastProposalSize}/${minProposalSize}/${maxProposalSize}\n`;
}

/** The lines that an ensemble's server adds to `conf`. */
export function confLines({ ensemble }: ServerView): string {
  if (ensemble === undefined) return '';
  const { own, part } = ensemble;
  const ports = (all: readonly Place[]): string => all.map(({ port }) => port).join('|');
  return [
    `initLimit=${ensemble.initLimit}`,
    `syncLimit=${ensemble.syncLimit}`,
    `electionAlg=${FAST_LEADER_ELECTION}`,
    `electionPort=${ports(election(own))}`,
    `quorumPort=${ports(quorum(own))}`,
    `peerType=${own.role === 'observer' ? 1 : 0}`,
    part === undefined ? '' : `membership: \n${formatConfig(ensemble.config)}`,
  ].join('\n');
}

// ---- addresses ----

interface Place {
  readonly host: string;
  readonly port: number;
}

function quorum({ quorumAddresses }: Member): Place[] {
  return quorumAddresses.map(({ host, quorumPort }: QuorumAddress) => ({ host, port: quorumPort }));
}

function election({ quorumAddresses }: Member): Place[] {
  return quorumAddresses.map(({ host, electionPort }: QuorumAddress) => ({ host, port: electionPort }));
}

function address({ host, port }: Place): string {
  return `${bracketed(host)}:${port}`;
}

/** Apache shows all that its class of several addresses can be asked; its own it always reaches. */
function addresses(places: readonly Place[]): Fields {
  const all = places.map(address);
  const one = all[0] ?? null;
  return {
    empty: all.length === 0,
    all_addresses: all,
    all_reachable_addresses: all,
    one,
    reachable_address: one,
    wildcard_addresses: places.map(({ port }) => `0.0.0.0:${port}`),
    all_ports: places.map(({ port }) => port),
    all_host_strings: places.map(({ host }) => host),
    all_reachable_addresses_or_all: all,
    reachable_or_one: one,
  };
}
