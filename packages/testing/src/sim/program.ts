// The servers under test, as programs for simulated machines.

import { type Disk, loadConfig, type Server, type ServerConfig, StandaloneServer } from '@nodekeeper/server';
import { EnsembleServer } from '@nodekeeper/server/ensemble-server';
import { CLIENT_PORT, serverLine } from './hosts.js';
import type { Process, Program } from './machine.js';
import type { Plan } from './plan.js';

/** Where an ensemble's server has its configuration. */
const CONFIG = '/conf/zoo.cfg';
/** Where the oracle writes whether the server may decide alone. */
export const ORACLE = '/oracle/grant';
/** Where followers serve observers. */
const OBSERVER_PORT = 2890;

/** What a machine's disk holds before anything runs: path → text. */
export function firstFiles(plan: Plan, machine: number): [string, string][] {
  return [
    ['/data/myid', `${machine + 1}`],
    [CONFIG, [...settings(plan), ...firstMembers(plan, machine), ''].join('\n')],
    [ORACLE, '0'],
  ];
}

function settings({ settings: s, spares }: Plan): string[] {
  return [
    'dataDir=/data',
    `clientPort=${CLIENT_PORT}`,
    `tickTime=${s.tickTime}`,
    `initLimit=${s.initLimit}`,
    `syncLimit=${s.syncLimit}`,
    'minSessionTimeout=500',
    'maxSessionTimeout=60000',
    `snapCount=${s.snapCount}`,
    `preAllocSize=${s.preAllocKb}`,
    `commitLogCount=${s.commitLogCount}`,
    `epochLength=${s.epochLength}`,
    `snapshotSizeFactor=${s.snapshotSizeFactor}`,
    `forceSnapshotSync=${s.alwaysSnapshots}`,
    `syncEnabled=${s.observersLog}`,
    ...(s.observerMasters ? [`observerMasterPort=${OBSERVER_PORT}`] : []),
    'admin.enableServer=false',
    ...(spares > 0 || s.grouping.length > 0 ? ['reconfigEnabled=true', 'standaloneEnabled=false', 'skipACL=yes'] : []),
    ...(s.localSessions ? ['localSessionsEnabled=true', 'localSessionsUpgradingEnabled=true'] : []),
    ...(s.oracle ? [`oraclePath=${ORACLE}`] : []),
  ];
}

/** The members that the ensemble begins with, and the machine itself if it is to be taken in later. */
function firstMembers({ servers, observers, settings: { grouping } }: Plan, machine: number): string[] {
  if (servers + observers === 1) return [];
  const lines = Array.from({ length: servers + observers }, (_, i) =>
    serverLine(i, i < servers ? 'participant' : 'observer'),
  );
  // With groups, who waits is an observer: a voter of no group is no member.
  const waits = serverLine(machine, grouping.length > 0 ? 'observer' : 'participant');
  return [...(machine < servers + observers ? lines : [...lines, waits]), ...grouping];
}

/** The program of every machine: the server that its configuration asks for. */
export function programOf(plan: Plan): Program {
  return async ({ options, leads, machine, start }) => {
    const digests = plan.settings.digests[machine];
    const config = configOf(plan, options.disk, digests === 'on' || (digests === 'changing' && start % 2 === 0));
    if (config.ensemble === undefined) {
      const server = await StandaloneServer.open(config, options);
      await server.listen();
      return processOf(server);
    }
    const server = await EnsembleServer.open(config, options);
    let base = 0;
    const { epochs } = server;
    const setCurrent = epochs.setCurrent.bind(epochs);
    epochs.setCurrent = (epoch) => {
      base = server.lastZxid;
      setCurrent(epoch);
    };
    const established = server.established.bind(server);
    server.established = (epoch, serving) => {
      if (server.mode === 'leader') leads(epoch, base);
      established(epoch, serving);
    };
    await server.listen();
    return processOf(server);
  };
}

function configOf(plan: Plan, disk: Disk, digests: boolean): ServerConfig {
  const read = (path: string): string => {
    const text = disk.readText(path);
    if (text === undefined) throw new Error('there is no such file');
    return path === CONFIG && !digests ? `${text}\ndigest.enabled=false\n` : text;
  };
  const load = (): ServerConfig => loadConfig({ file: CONFIG, environment: {}, read });
  const config = load();
  const id = Number(read('/data/myid'));
  const known = config.ensemble?.members;
  if (known === undefined || known.members.has(id)) return config;
  const { members } = known;
  // It was removed, which ends it at its next start. Its operator has it follow again, to be taken in once more.
  const lines = [...members.values()].map((member) => serverLine(member.id - 1, member.role));
  const groups = [...known.groups].map(([group, ids]) => `group.${group}=${ids.join(':')}`);
  const weights = [...known.weights].map(([one, weight]) => `weight.${one}=${weight}`);
  const itself = serverLine(id - 1, groups.length > 0 ? 'observer' : 'participant');
  disk.replaceText(CONFIG, [...settings(plan), ...lines, itself, ...groups, ...weights, ''].join('\n'));
  return load();
}

function processOf(server: Server): Process {
  return {
    id: server.id,
    get mode() {
      return server.mode;
    },
    get serving() {
      return server.notReady === undefined;
    },
    get lastZxid() {
      return server.lastZxid;
    },
    get digestMismatches() {
      return server.database.tree.digestMismatches;
    },
    get watches() {
      return server.database.tree.watches.count;
    },
    get digest() {
      if (!server.config.digestEnabled) return undefined;
      const { hi, lo } = server.database.tree.digest;
      return `${hi.toString(16)}:${lo.toString(16)}`;
    },
    get acceptedEpoch() {
      return server instanceof EnsembleServer ? server.epochs.accepted : 0;
    },
    hasMember: (id) => !(server instanceof EnsembleServer) || server.membership.committed.members.has(id),
    stop: () => server.close(),
  };
}
