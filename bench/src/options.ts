// The command line.

import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import type { ServerKind } from './servers/running-server.js';
import type { Scale, Workload } from './workload.js';

export interface Options {
  readonly help: boolean;
  readonly kinds: readonly ServerKind[];
  readonly connect: string | undefined;
  readonly pid: number | undefined;
  readonly only: readonly string[];
  readonly rounds: number;
  readonly port: number;
  readonly directory: string;
  readonly jars: string;
  readonly heap: string;
  readonly readme: boolean;
  readonly scale: Scale;
}

const specs = {
  help: { type: 'boolean', short: 'h', default: false },
  quick: { type: 'boolean', default: false },
  only: { type: 'string' },
  rounds: { type: 'string' },
  server: { type: 'string', default: 'both' },
  connect: { type: 'string' },
  pid: { type: 'string' },
  port: { type: 'string', default: '21810' },
  dir: { type: 'string', default: tmpdir() },
  jars: { type: 'string', default: '/usr/share/java' },
  heap: { type: 'string', default: '4g' },
  duration: { type: 'string' },
  warmup: { type: 'string' },
  nodes: { type: 'string' },
  'idle-sessions': { type: 'string' },
  'pause-nodes': { type: 'string' },
  'pause-rate': { type: 'string', default: '1000' },
  'pause-minutes': { type: 'string' },
  'pause-snap-count': { type: 'string' },
  readme: { type: 'boolean', default: false },
} as const;

const servers: Readonly<Record<string, readonly ServerKind[]>> = {
  both: ['apache', 'ours'],
  apache: ['apache'],
  ours: ['ours'],
};

/** Reads the command line. Throws with a message for the user if it is wrong. */
export function parseOptions(args: readonly string[], workloads: readonly Workload[]): Options {
  const { values } = parseArgs({ args: [...args], options: specs, strict: true });
  const { quick, connect } = values;
  const kinds = connect !== undefined ? (['connected'] as const) : servers[values.server];
  if (kinds === undefined) throw new Error('--server is ours, apache or both');
  return {
    help: values.help,
    kinds,
    connect,
    pid: values.pid === undefined ? undefined : positive('pid', values.pid),
    only: chosen(values.only, workloads),
    rounds: positive('rounds', values.rounds ?? (quick ? '1' : '3')),
    port: positive('port', values.port),
    directory: values.dir,
    jars: values.jars,
    heap: values.heap,
    readme: values.readme,
    scale: {
      serverWarmup: quick ? 3 : 10,
      warmup: positive('warmup', values.warmup ?? (quick ? '1' : '2')),
      duration: positive('duration', values.duration ?? (quick ? '2' : '5')),
      fanOuts: quick ? 50 : 200,
      kills: quick ? 5 : 20,
      starts: quick ? 2 : 5,
      nodes: positive('nodes', values.nodes ?? (quick ? '100000' : '1000000')),
      idleSessions: positive('idle-sessions', values['idle-sessions'] ?? (quick ? '1000' : '10000')),
      pauseNodes: positive('pause-nodes', values['pause-nodes'] ?? (quick ? '200000' : '5000000')),
      pauseRate: positive('pause-rate', values['pause-rate']),
      pauseMinutes: positive('pause-minutes', values['pause-minutes'] ?? (quick ? '0.5' : '5')),
      pauseSnapCount: positive('pause-snap-count', values['pause-snap-count'] ?? (quick ? '5000' : '30000')),
    },
  };
}

function chosen(only: string | undefined, workloads: readonly Workload[]): string[] {
  if (only === undefined) return workloads.filter(({ onDemand }) => !onDemand).map(({ name }) => name);
  const names = only.split(',');
  const unknown = names.find((name) => !workloads.some((workload) => workload.name === name));
  if (unknown !== undefined) throw new Error(`there is no workload ${unknown}; see --help`);
  return names;
}

function positive(name: string, value: string): number {
  const number = Number(value);
  if (!(number > 0)) throw new Error(`--${name} is a positive number, not ${value}`);
  return number;
}

export function helpText(workloads: readonly Workload[]): string {
  const list = workloads.map(({ name, summary, onDemand }) => {
    return `  ${name.padEnd(14)} ${summary}${onDemand ? '; only when named' : ''}`;
  });
  return `Usage: npm run bench -- [options]

Measures this server and Apache's on this machine, by turns, and prints a table as Markdown.
It is also written to bench/results/, with the raw figures beside it.

  --only a,b             only these workloads
  --server which         ours, apache or both (default)
  --connect host:port    a server that runs already, instead; --pid N for its CPU time and memory
  --rounds n             how often; the table has the medians (default 3)
  --quick                one short round of everything, with a smaller tree
  --readme               write the table into README.md, too
  --duration s           measured seconds for each case (default 5)
  --warmup s             seconds before that (default 2)
  --nodes n              the tree of nodes and fairness (default 1000000)
  --idle-sessions n      (default 10000)
  --pause-nodes n        the tree of no-pause (default 5000000; Apache then needs --heap 10g)
  --pause-rate n         operations per second of no-pause (default 1000), half of them writes
  --pause-minutes n      (default 5)
  --pause-snap-count n   snapCount in no-pause, so that snapshots are taken during it (default 30000)
  --port n               where the servers listen (default 21810)
  --dir path             where their data goes; on a disk (default ${tmpdir()})
  --jars path            Apache's jars (default /usr/share/java, from Debian's package zookeeper)
  --heap size            Apache's heap (default 4g)

Workloads:
${list.join('\n')}
`;
}
