// The servers under test, as programs for simulated machines.

import { loadConfig, StandaloneServer } from '@nodekeeper/server';
import type { Program } from './machine.js';
import type { Plan } from './plan.js';

export const CLIENT_PORT = 2181;

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

export function standalone(plan: Plan): Program {
  const config = loadConfig({ flags: flags(plan), environment: {} });
  return async (options) => {
    const server = await StandaloneServer.open(config, options);
    await server.listen();
    return {
      get mode() {
        return server.mode;
      },
      get lastZxid() {
        return server.lastZxid;
      },
      get digestMismatches() {
        return server.database.tree.digestMismatches;
      },
    };
  };
}
