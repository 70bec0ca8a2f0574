// Checks of the members of an ensemble, from the machine of one of them: who can be reached, and whether a quorum can form.

import { clientPlace, type Ensemble, isWildcard, ownMember, type ServerConfig } from '@nodekeeper/server/config';
import { startCommand } from '../port-taken.js';
import { fourLetterWord } from '../server-status.js';
import type { Report } from './findings.js';
import { messageOf, readText } from './machine.js';
import { addressesOf, clockOf, isLocal, isLoopback, parseSrvr, type Reach, reach, type ServerFacts } from './probes.js';

type Member = Ensemble['members']['members'] extends ReadonlyMap<number, infer M> ? M : never;

const TIMEOUT = 3000;
/** Clocks that differ more make logs hard to compare. */
const CLOCK_LIMIT = 2000;

export async function checkEnsemble(config: ServerConfig, ensemble: Ensemble, report: Report): Promise<void> {
  const own = await checkOwnId(config, ensemble, report);
  const members = [...ensemble.members.members.values()];
  const seen = await Promise.all(members.map((member) => look(member, config, own)));
  for (const one of seen) tellMember(one, config, report);
  tellQuorum(ensemble, seen, report);
  tellVersions(seen, report);
  if (config.admin.enabled) await tellClocks(seen, config, report);
}

/** myid: whether it is there, is in the list, and is of this machine. */
async function checkOwnId(config: ServerConfig, ensemble: Ensemble, report: Report): Promise<Member | undefined> {
  const file = `${config.dataDir}/myid`;
  const ids = [...ensemble.members.members.keys()].join(', ');
  const text = readText(file);
  if (text === undefined) {
    report.problem(
      'myid',
      `${file} is missing or cannot be read`,
      `echo N > ${file}, with the number of this server: one of ${ids}`,
    );
    return undefined;
  }
  const own = ownMember(config);
  const shown = text.split('\n', 1)[0];
  if (own === undefined) {
    report.problem(
      'myid',
      `${file} says ${JSON.stringify(shown)}, and there is no such server line`,
      `It must be one of ${ids}`,
    );
    return undefined;
  }
  for (const { host } of own.quorumAddresses) {
    let addresses: string[];
    try {
      addresses = await addressesOf(host);
    } catch (error) {
      report.problem(
        'myid',
        `server.${own.id} is ${host}, which cannot be resolved: ${messageOf(error)}`,
        resolveRemedy(host),
      );
      continue;
    }
    if (addresses.some(isLocal)) report.ok('myid', `${own.id}: server.${own.id} is ${host}, which is this machine`);
    else {
      const others = await localMembers(ensemble);
      report.problem(
        'myid',
        `this is server ${own.id}, but server.${own.id} is ${host} (${addresses.join(', ')}), which is not this machine`,
        others.length === 0
          ? `Correct the host of server.${own.id} on all servers, or myid`
          : `Write ${others.join(' or ')} into ${file}: that server line names this machine`,
      );
    }
    checkLoopback(own, host, addresses, ensemble, report);
  }
  return own;
}

/** A name that means this machine here means the others there: Debian puts the own name at 127.0.1.1. */
function checkLoopback(
  own: Member,
  host: string,
  addresses: readonly string[],
  ensemble: Ensemble,
  report: Report,
): void {
  const isAlone = [...ensemble.members.members.values()].every(({ quorumAddresses }) =>
    quorumAddresses.every((one) => one.host === host || isLoopback(one.host) || one.host === 'localhost'),
  );
  if (isAlone || ensemble.listenOnAllIPs || !addresses.every(isLoopback)) return;
  report.problem(
    'myid',
    `${host} is ${addresses.join(', ')} on this machine: it will listen there, where the others cannot reach it`,
    `Take ${host} off the loopback lines of /etc/hosts, or set quorumListenOnAllIPs=true, or write the address into server.${own.id}`,
  );
}

async function localMembers(ensemble: Ensemble): Promise<number[]> {
  const found: number[] = [];
  for (const { id, quorumAddresses } of ensemble.members.members.values()) {
    const addresses = await Promise.all(quorumAddresses.map(({ host }) => addressesOf(host).catch(() => [])));
    if (addresses.flat().some(isLocal)) found.push(id);
  }
  return found;
}

interface SeenMember {
  readonly member: Member;
  readonly isOwn: boolean;
  readonly host: string;
  readonly unresolved: string | undefined;
  readonly election: Reach | undefined;
  readonly quorum: Reach | undefined;
  readonly clientPort: number | undefined;
  readonly client: Reach | undefined;
  readonly facts: ServerFacts | undefined;
}

async function look(member: Member, config: ServerConfig, own: Member | undefined): Promise<SeenMember> {
  const isOwn = member.id === own?.id;
  const { host = '', quorumPort = 0, electionPort = 0 } = member.quorumAddresses[0] ?? {};
  const base = { member, isOwn, host };
  const nothing = {
    election: undefined,
    quorum: undefined,
    clientPort: undefined,
    client: undefined,
    facts: undefined,
  };
  let addresses: string[];
  try {
    addresses = await addressesOf(host);
  } catch (error) {
    return { ...base, ...nothing, unresolved: messageOf(error) };
  }
  const { host: clientHost, port: clientPort } = isOwn ? clientPlace(config) : placeOf(member, host, addresses, config);
  const [election, quorum, client] = await Promise.all([
    reach(host, electionPort, TIMEOUT),
    reach(host, quorumPort, TIMEOUT),
    clientPort === undefined ? undefined : reach(clientHost, clientPort, TIMEOUT),
  ]);
  const isAsked = client?.how === 'open' && clientPort !== undefined;
  const facts = isAsked ? parseSrvr(await fourLetterWord(clientHost, clientPort, 'srvr', TIMEOUT)) : undefined;
  return { ...base, unresolved: undefined, election, quorum, clientPort, client, facts };
}

/** Where another member's clients connect: by its line, or at the same port as here, unless it is on this machine, too. */
function placeOf(
  { clientAddress }: Member,
  host: string,
  addresses: readonly string[],
  config: ServerConfig,
): { readonly host: string; readonly port: number | undefined } {
  if (clientAddress === undefined) return { host, port: addresses.some(isLocal) ? undefined : config.clientPort };
  return { host: isWildcard(clientAddress.host) ? host : clientAddress.host, port: clientAddress.port };
}

function resolveRemedy(host: string): string {
  return `Make ${host} known: in the DNS or in /etc/hosts of every server; or write its address into the configuration`;
}

function tellMember(seen: SeenMember, config: ServerConfig, report: Report): void {
  const { member, isOwn, host, unresolved, election, quorum, clientPort, facts } = seen;
  const about = `server.${member.id}${isOwn ? ' (this one)' : ''}`;
  const { electionPort = 0, quorumPort = 0 } = member.quorumAddresses[0] ?? {};
  if (unresolved !== undefined) {
    report.problem(about, `${host} cannot be resolved: ${unresolved}`, resolveRemedy(host));
    return;
  }
  if (election?.how === 'open') {
    const silent = clientPort === undefined ? 'its client port is not listed' : 'it does not serve clients yet';
    const state = facts === undefined ? silent : `${facts.mode}, version ${facts.version}`;
    report.ok(about, `${host}:${electionPort} (election) can be reached in ${election.time.toFixed(0)} ms; ${state}`);
  } else if (election !== undefined) {
    report.problem(
      about,
      `${host}:${electionPort} (election): ${election.error}`,
      reachRemedy(election, host, electionPort, isOwn, startCommand(config)),
    );
  }
  // Only a leader listens there; from the others a refusal is right, silence is not.
  if (facts?.mode === 'leader' && quorum?.how !== 'open') {
    const remedy = quorum === undefined ? '' : reachRemedy(quorum, host, quorumPort, isOwn, startCommand(config));
    report.problem(about, `it leads, and ${host}:${quorumPort} (quorum): ${quorum?.error}`, remedy);
  } else if (quorum?.how === 'silent' && election?.how === 'open') {
    report.warning(about, `${host}:${quorumPort} (quorum): ${quorum.error}`, firewallRemedy(host, quorumPort));
  }
}

function reachRemedy({ how }: Reach, host: string, port: number, isOwn: boolean, start: string): string {
  if (how === 'refused') {
    return isOwn
      ? `This server does not run, or listens elsewhere: ${start}`
      : `Start the server on ${host}. If it runs: does it listen there (ss -ltn | grep ${port}), not on a loopback address?`;
  }
  if (how === 'silent') return firewallRemedy(host, port);
  return `Is ${host} the right machine, and is there a route to it? ping ${host}`;
}

export function firewallRemedy(host: string, port: number): string {
  return `A firewall between here and ${host} drops the packets, or the machine is down. On ${host} allow TCP port ${port}: for instance ufw allow ${port}/tcp, or the cloud's security group`;
}

/** By its own word; of one that cannot be asked, by its quorum port, where only a leader listens. */
function leads({ facts, client, quorum }: SeenMember): boolean {
  if (facts !== undefined) return facts.mode === 'leader';
  return client?.how !== 'open' && quorum?.how === 'open';
}

function tellQuorum(ensemble: Ensemble, seen: readonly SeenMember[], report: Report): void {
  const { verifier } = ensemble.members;
  const running = new Set(seen.filter(({ election }) => election?.how === 'open').map(({ member }) => member.id));
  const voters = verifier.voters.length;
  const count = verifier.voters.filter((id) => running.has(id)).length;
  const leaders = seen.filter(leads).map(({ member }) => member.id);
  if (leaders.length > 1) {
    report.problem(
      'quorum',
      `servers ${leaders.join(' and ')} lead at the same time`,
      'They do not know of each other: compare the server lines of their configurations, and myid',
    );
  } else if (leaders.length === 1)
    report.ok('quorum', `server ${leaders[0]} leads; ${count} of ${voters} voters can be reached`);
  else if (!verifier.enough((id) => running.has(id))) {
    report.problem(
      'quorum',
      `${count} of ${voters} voters can be reached from here, too few for a quorum`,
      'Start the others, or open the ports above',
    );
  } else {
    report.problem(
      'quorum',
      `${count} of ${voters} voters can be reached from here, enough for a quorum, and none leads`,
      'Wait for an election (a few seconds). If that does not help, run the doctor on the others too: each must reach each other on the election port, and all must have the same server lines',
    );
  }
  if (voters % 2 === 0) {
    const failures = voters / 2 - 1;
    report.warning(
      'quorum',
      `${voters} voters go on when ${failures === 0 ? 'none' : failures} of them fail${failures === 1 ? 's' : ''}, and ${voters - 1} would do so as well: one of them adds no safety`,
      'Use an odd number of voters',
    );
  }
}

function tellVersions(seen: readonly SeenMember[], report: Report): void {
  const versions = new Map<string, number[]>();
  for (const { facts, member } of seen) {
    if (facts !== undefined) versions.set(facts.version, [...(versions.get(facts.version) ?? []), member.id]);
  }
  if (versions.size <= 1) return;
  const shown = [...versions].map(([version, ids]) => `${version} on ${ids.join(', ')}`).join('; ');
  report.warning(
    'versions',
    shown,
    'Fine while servers are replaced one by one; features of the newer only after all are',
  );
}

async function tellClocks(seen: readonly SeenMember[], config: ServerConfig, report: Report): Promise<void> {
  const { port, commandUrl } = config.admin;
  await Promise.all(
    seen
      .filter(({ isOwn, facts }) => !isOwn && facts !== undefined)
      .map(async ({ host, member }) => {
        const clock = await clockOf(host, port, `${commandUrl}/ruok`, TIMEOUT);
        if (clock === undefined) return;
        const seconds = (Math.abs(clock.ahead) / 1000).toFixed(1);
        const about = `clock of server.${member.id}`;
        if (Math.abs(clock.ahead) <= CLOCK_LIMIT + clock.error) report.ok(about, 'it agrees with this one');
        else {
          const where = clock.ahead > 0 ? 'ahead of' : 'behind';
          report.warning(about, `it is ${seconds} s ${where} this one`, 'Run chrony or ntpd on both');
        }
      }),
  );
}
