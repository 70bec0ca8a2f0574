// The other suites that belong to a full interop run, in short runs. Those of ensembles take longest.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SuiteResult } from './scorecard.js';

const DIST = fileURLToPath(new URL('..', import.meta.url));

export interface Suite {
  readonly id: string;
  readonly title: string;
  readonly main: string;
  readonly args: readonly string[];
}

export const SUITES: readonly Suite[] = [
  {
    id: 'differential',
    title: 'The same random requests to both servers, replies compared',
    main: 'differential/main.js',
    args: ['--seeds', '150'],
  },
  {
    id: 'storage',
    title: 'Data directories passed from one server to the other and back',
    main: 'storage/main.js',
    args: [],
  },
  {
    id: 'client',
    title: "This project's client with Apache's servers: its own tests, TLS, SASL, an ensemble that loses members",
    main: 'client/main.js',
    args: [],
  },
  {
    id: 'kerberos',
    title: 'Kerberos: an MIT KDC, both servers, the Java client, kazoo and this project’s, and an ensemble of both',
    main: 'kerberos/main.js',
    args: [],
  },
  {
    id: 'recipes',
    title: 'The same locks, elections, counters, queues, barriers and groups for Curator, kazoo and this project',
    main: 'recipes/main.js',
    args: [],
  },
  {
    id: 'admin',
    title: 'What operators see of an ensemble: words, commands, metrics, in every state',
    main: 'admin/main.js',
    args: [],
  },
  {
    id: 'shell',
    title: "This project's shell beside zkCli: the same lines typed into both, all that they print compared",
    main: 'shell/main.js',
    args: [],
  },
  {
    id: 'tools',
    title: "This project's tools beside Apache's toolkits: logs and snapshots printed, compared, cut, repaired, purged",
    main: 'tools/main.js',
    args: [],
  },
  {
    id: 'fuzz',
    title: 'Damaged frames of every operation',
    main: 'fuzz/main.js',
    args: ['--frames', '150000'],
  },
  {
    id: 'ensembles-with-one',
    title: 'Ensembles that this server leads, and all others are Apache’s: members die, return, move, and are attacked',
    main: 'ensemble/main.js',
    args: ['--short', '--cast', 'N/AA'],
  },
  {
    id: 'ensembles-led',
    title: 'The same led by this server, with followers of both kinds, or of its own only',
    main: 'ensemble/main.js',
    args: ['--short', '--cast', 'N/AN,N/NN'],
  },
  {
    id: 'ensembles-followed',
    title: 'The same led by Apache’s server',
    main: 'ensemble/main.js',
    args: ['--short', '--cast', 'A/NN,A/AN,A/AA'],
  },
];

/** Runs the suite to its end; its output is shown when it failed. */
export async function runSuite(suite: Suite): Promise<SuiteResult> {
  const { title, main, args } = suite;
  const command = ['node', `interop/dist/${main}`, ...args].join(' ');
  const file = join(DIST, main);
  if (!existsSync(file)) return { title, command, ok: false, summary: 'it is not built' };
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-500_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) process.stdout.write(output.replace(/^/gm, '# '));
  return { title, command, ok: code === 0, summary: output.trimEnd().split('\n').at(-1) ?? '' };
}
