// The doctor for a client that cannot connect: names, routes, firewalls, TLS, the servers' state, the session.

import { Client, type ClientOptions, isKeeperError, parseConnectString } from '@nodekeeper/client';
import { findPortOwner } from '../port-owner.js';
import { fourLetterWord } from '../server-status.js';
import type { ShellArguments } from '../shell/arguments.js';
import { firewallRemedy } from './ensemble.js';
import type { Report } from './findings.js';
import { messageOf } from './machine.js';
import { addressesOf, isLocal, parseSrvr, reach, type ServerFacts, tryTls } from './probes.js';

const TIMEOUT = 3000;
const ROUND_TRIPS = 20;
/** A round trip that takes longer is a long way. */
const SLOW = 50;

export async function checkClient({ server, timeout, client: options }: ShellArguments, report: Report): Promise<void> {
  let target: ReturnType<typeof parseConnectString>;
  try {
    target = parseConnectString(server);
  } catch (error) {
    report.problem('connection string', messageOf(error), 'It is host:port,host:port/chroot');
    return;
  }
  const facts = await Promise.all(target.servers.map(({ host, port }) => checkServer(host, port, options, report)));
  tellModes(facts, report);
  const isAnyOpen = facts.some((one) => one !== 'unreachable');
  if (isAnyOpen || target.servers.length === 0) await checkSession(server, timeout, options, report);
}

type Seen = ServerFacts | 'open' | 'unreachable';

async function checkServer(
  host: string,
  port: number,
  options: ShellArguments['client'],
  report: Report,
): Promise<Seen> {
  const about = `${host}:${port}`;
  let addresses: string[];
  try {
    addresses = await addressesOf(host);
  } catch (error) {
    report.problem(
      about,
      `the name cannot be resolved: ${messageOf(error)}`,
      `Is it spelt right? Try: getent hosts ${host}`,
    );
    return 'unreachable';
  }
  let seen: Seen = 'unreachable';
  for (const address of addresses) {
    const name = address === host ? about : `${about} (${address})`;
    const { how, time, error } = await reach(address, port, TIMEOUT);
    if (how === 'open') {
      const facts = await checkProtocol(name, host, address, port, time, options, report);
      if (facts !== 'unreachable') seen = facts;
    } else if (how === 'refused')
      report.problem(name, `connections are refused: nobody listens there`, refusedRemedy(address, port));
    else if (how === 'silent') report.problem(name, error, firewallRemedy(host, port));
    else report.problem(name, error, `Is there a route? ip route get ${address}`);
  }
  return seen;
}

function refusedRemedy(address: string, port: number): string {
  if (!isLocal(address)) {
    return `Start the server there. If it runs, ask on that machine where it listens (ss -ltnp): clientPort must be ${port}, and clientPortAddress not a loopback one`;
  }
  const others = [2181, 2182, 2183, 2281].filter((one) => one !== port && findPortOwner(one) !== undefined);
  const hint = others.length === 0 ? '' : ` (something listens on ${others.join(' and ')})`;
  return `Start the server: nodekeeper start. Or is it on another port${hint}?`;
}

async function checkProtocol(
  about: string,
  host: string,
  address: string,
  port: number,
  time: number,
  { tls }: ShellArguments['client'],
  report: Report,
): Promise<Seen> {
  const reached = `reached in ${time.toFixed(0)} ms`;
  if (tls !== undefined && tls !== false) {
    const settings = { ...(tls === true ? {} : tls), ...(host === address ? {} : { servername: host }) };
    const { isTls, error } = await tryTls(address, port, settings, TIMEOUT);
    if (error === undefined) {
      report.ok(about, `${reached}; TLS is agreed on`);
      return 'open';
    }
    if (isTls) report.problem(about, `${reached}; TLS: ${error}`, certificateRemedy(error));
    else
      report.problem(
        about,
        `${reached}; TLS is not spoken there: ${error}`,
        'Leave TLS out, or use the secureClientPort',
      );
    return 'unreachable';
  }
  const answer = await fourLetterWord(address, port, 'srvr', TIMEOUT);
  const facts = parseSrvr(answer);
  if (facts !== undefined) {
    report.ok(about, `${reached}; ${facts.mode}, version ${facts.version}, ${facts.connections} connections`);
    return facts;
  }
  if (answer !== undefined && /not currently serving/.test(answer)) {
    report.problem(
      about,
      `${reached}; the server does not serve: it has no quorum`,
      'Run nodekeeper doctor on that machine',
    );
    return 'open';
  }
  if (answer !== undefined && /not in the whitelist/.test(answer)) {
    report.ok(
      about,
      `${reached}; a ZooKeeper server that does not tell its state (srvr is not in 4lw.commands.whitelist)`,
    );
    return 'open';
  }
  const { isTls } = await tryTls(address, port, { rejectUnauthorized: false }, TIMEOUT);
  if (isTls)
    report.problem(
      about,
      `${reached}; this port speaks TLS`,
      'Connect with TLS: --tls --ca FILE, or use the plain clientPort',
    );
  else {
    report.problem(
      about,
      `${reached}; it does not answer as a ZooKeeper server`,
      'Is something else on this port? A server can also be out of connections: maxClientCnxns (60 of one address) and maxCnxns',
    );
  }
  return 'unreachable';
}

function certificateRemedy(error: string): string {
  if (/altname|does not match/i.test(error))
    return 'The certificate is of another name: connect by the name that it has';
  if (/alert|required|bad certificate/i.test(error))
    return 'The server wants a certificate of yours that it trusts: --cert FILE --key FILE';
  if (/expired/i.test(error)) return 'The certificate has expired: renew it on the server';
  return 'Name the authority that has signed it: --ca FILE';
}

function tellModes(facts: readonly Seen[], report: Report): void {
  const known = facts.filter((one): one is ServerFacts => typeof one === 'object');
  if (known.length === 0) return;
  const versions = new Set(known.map(({ version }) => version));
  if (versions.size > 1) {
    report.warning('versions', [...versions].join(' and '), 'Fine while servers are replaced one by one');
  }
  const alone = known.filter(({ mode }) => mode === 'standalone');
  if (alone.length > 0 && facts.length > 1) {
    report.problem(
      'servers',
      `${alone.length} of ${facts.length} servers are standalone: each has its own data`,
      'They must be members of one ensemble, or the connection string must name one of them only',
    );
  }
  if (known.filter(({ mode }) => mode === 'leader').length > 1) {
    report.problem(
      'servers',
      'more than one of them leads: they belong to different ensembles',
      'Name the servers of one ensemble',
    );
  }
}

async function checkSession(server: string, timeout: number, settings: ClientOptions, report: Report): Promise<void> {
  const client = new Client(server, { sessionTimeout: timeout, ...settings }).start();
  try {
    const began = performance.now();
    await client.connected({ timeout: 10_000 });
    const time = (performance.now() - began).toFixed(0);
    report.ok('session', `opened in ${time} ms on ${client.server}, with a time-out of ${client.sessionTimeout} ms`);
    if (client.sessionTimeout !== timeout) {
      report.warning(
        'session',
        `${timeout} ms were asked for, ${client.sessionTimeout} ms granted`,
        'The servers allow 2 to 20 times their tickTime: minSessionTimeout, maxSessionTimeout',
      );
    }
    await checkChroot(client, server, report);
    await checkRoundTrip(client, report);
  } catch (error) {
    const reason = client.state === 'authFailed' ? 'an identity was refused' : messageOf(error);
    const wantsCertificate =
      typeof settings.tls === 'object' && settings.tls.cert === undefined && settings.tls.pfx === undefined;
    const remedy =
      client.state === 'authFailed' || isKeeperError(error, 'AuthFailed')
        ? 'Check user and password; SASL must be set up on the servers'
        : wantsCertificate
          ? 'Servers want a certificate of the client, unless they have ssl.clientAuth=none or want: --cert FILE --key FILE. Their logs tell'
          : 'If a server says above that it serves: its log tells why it refuses sessions (maxClientCnxns, throttling, a client that has seen newer data)';
    report.problem('session', reason, remedy);
  } finally {
    await client.close({ timeout: 1000 });
  }
}

async function checkChroot(client: Client, server: string, report: Report): Promise<void> {
  if (client.chroot === '') return;
  if ((await client.exists('/')) !== null) {
    report.ok('chroot', `${client.chroot} is there`);
    return;
  }
  const hosts = server.slice(0, server.indexOf('/'));
  report.problem(
    'chroot',
    `${client.chroot} does not exist: every creation will fail with NoNode`,
    `nodekeeper shell -server ${hosts} create ${client.chroot}`,
  );
}

async function checkRoundTrip(client: Client, report: Report): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < ROUND_TRIPS; i++) {
    const began = performance.now();
    await client.exists('/');
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  const [median, worst] = [times[ROUND_TRIPS / 2] as number, times.at(-1) as number];
  const shown = `a read takes ${median.toFixed(1)} ms (the slowest of ${ROUND_TRIPS}: ${worst.toFixed(1)} ms)`;
  if (median < SLOW) report.ok('round trip', shown);
  else report.warning('round trip', shown, 'Name servers that are nearer, or have an observer near the clients');
}
