// The servers under test, as programs for simulated machines.

import { type Disk, loadConfig, type Server, type ServerConfig, StandaloneServer } from '@nodekeeper/server';
import { EnsembleServer } from '@nodekeeper/server/ensemble-server';
import { CLIENT_PORT, memberLine } from './hosts.js';
import type { Process, Program } from './machine.js';
import type { Plan } from './plan.js';

/** Where an ensemble's server has its configuration. */
const CONFIG = '/conf/zoo.cfg';
/** Where followers serve observers. */
const OBSERVER_PORT = 2890;

/** What a machine's disk holds before anything runs: path → text. */
export function firstFiles(plan: Plan, machine: number): [string, string][] {
  return [
    ['/data/myid', `${machine + 1}`],
    [CONFIG, [...settings(plan), ...firstMembers(plan, machine), ''].join('\n')],
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
    ...(spares > 0 ? ['reconfigEnabled=true', 'standaloneEnabled=false', 'skipACL=yes'] : []),
  ];
}

/** The members that the ensemble begins with, and the machine itself if it is to be taken in later. */
function firstMembers({ servers, observers }: Plan, machine: number): string[] {
  if (servers + observers === 1) return [];
  const out = Array.from({ length: servers + observers }, (_, i) => line(i, i < servers ? 'participant' : 'observer'));
  return machine < servers + observers ? out : [...out, line(machine, 'participant')];
}

function line(server: number, role: 'participant' | 'observer'): string {
  return `server.${server + 1}=${memberLine(server, role)}`;
}

/** The program of every machine: the server that its configuration asks for. */
export function programOf(plan: Plan): Program {
  return async ({ options, leads }) => {
    const config = configOf(plan, options.disk);
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

function configOf(plan: Plan, disk: Disk): ServerConfig {
  const read = (path: string): string => {
    const text = disk.readText(path);
    if (text === undefined) throw new Error('there is no such file');
    return text;
  };
  const load = (): ServerConfig => loadConfig({ file: CONFIG, environment: {}, read });
  const config = load();
  const id = Number(read('/data/myid'));
  const members = config.ensemble?.members.members;
  if (members === undefined || members.has(id)) return config;
  // It was removed, which ends it at its next start. Its operator has it follow again, to be taken in once more.
  const lines = [...members.values()].map((member) => line(member.id - 1, member.role));
  disk.replaceText(CONFIG, [...settings(plan), ...lines, line(id - 1, 'participant'), ''].join('\n'));
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
      const { hi, lo } = server.database.tree.digest;
      return `${hi.toString(16)}:${lo.toString(16)}`;
    },
    get acceptedEpoch() {
      return server instanceof EnsembleServer ? server.epochs.accepted : 0;
    },
    hasMember: (id) => !(server instanceof EnsembleServer) || server.membership.committed.members.has(id),
  };
}
