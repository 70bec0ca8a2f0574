// The servers under test, as programs for simulated machines.

import { EnsembleServer, loadConfig, type Server, StandaloneServer } from '@nodekeeper/server';
import { serverHost } from './hosts.js';
import type { Process, Program } from './machine.js';
import type { Plan } from './plan.js';

export const CLIENT_PORT = 2181;

export const QUORUM_PORT = 2888;
export const ELECTION_PORT = 3888;

function flags(plan: Plan): string[] {
  const { tickTime, snapCount, preAllocKb } = plan.settings;
  return [
    'dataDir=/data',
    `clientPort=${CLIENT_PORT}`,
    `tickTime=${tickTime}`,
    'minSessionTimeout=500',
    'maxSessionTimeout=60000',
    `snapCount=${snapCount}`,
    `preAllocSize=${preAllocKb}`,
    'admin.enableServer=false',
  ];
}

function standalone(plan: Plan): Program {
  const config = loadConfig({ flags: flags(plan), environment: {} });
  return async ({ options }) => {
    const server = await StandaloneServer.open(config, options);
    await server.listen();
    return processOf(server);
  };
}

function member(plan: Plan): Program {
  const { initLimit, syncLimit, commitLogCount, snapshotSizeFactor } = plan.settings;
  const members = Array.from({ length: plan.servers + plan.observers }, (_, i) => {
    const role = i < plan.servers ? 'participant' : 'observer';
    return `server.${i + 1}=${serverHost(i)}:${QUORUM_PORT}:${ELECTION_PORT}:${role}`;
  });
  const config = loadConfig({
    flags: [
      ...flags(plan),
      ...members,
      `initLimit=${initLimit}`,
      `syncLimit=${syncLimit}`,
      `commitLogCount=${commitLogCount}`,
      `snapshotSizeFactor=${snapshotSizeFactor}`,
    ],
    environment: {},
  });
  return async ({ options, leads }) => {
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

function processOf(server: Server): Process {
  return {
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
    get digest() {
      const { hi, lo } = server.database.tree.digest;
      return `${hi.toString(16)}:${lo.toString(16)}`;
    },
  };
}

/** The program of every machine of a plan. */
export function programOf(plan: Plan): Program {
  return plan.servers + plan.observers === 1 ? standalone(plan) : member(plan);
}
