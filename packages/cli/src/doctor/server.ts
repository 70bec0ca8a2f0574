// The doctor on the machine of a server: configuration, files, ports, disk, limits, clock, and the other members.

import { existsSync } from 'node:fs';
import { clientPlace, loadConfig, type ServerConfig } from '@nodekeeper/server/config';
import { type ServerArguments, sourcesOf } from '../arguments.js';
import { startCommand } from '../port-taken.js';
import { allPorts } from '../ports.js';
import { accepts, fourLetterWord } from '../server-status.js';
import { checkEnsemble } from './ensemble.js';
import type { Report } from './findings.js';
import { checkClock, checkDisk, checkFileLimit, checkNode, checkPort, messageOf } from './machine.js';
import { ownServer } from './own-server.js';
import { parseSrvr } from './probes.js';

export async function checkServer(args: ServerArguments, report: Report): Promise<void> {
  checkNode(report);
  const config = load(args, report);
  if (config === undefined) return;
  const pid = await ownServer(config);
  for (const place of allPorts(config)) await checkPort(place, pid, report);
  await checkClientPort(config, pid, report);
  checkDisk('dataDir', config.dataDir, report, pid);
  if (config.dataLogDir !== config.dataDir) checkDisk('dataLogDir', config.dataLogDir, report, pid);
  checkFileLimit(pid, config.maxCnxns, report);
  checkClock(report);
  if (config.ensemble !== undefined) await checkEnsemble(config, config.ensemble, report);
}

function load(args: ServerArguments, report: Report): ServerConfig | undefined {
  const name = args.file ?? 'the built-in defaults';
  try {
    const config = loadConfig(sourcesOf(args));
    report.ok('configuration', `${name} can be used`);
    for (const warning of config.warnings) report.warning('configuration', warning, 'Correct or remove it');
    return config;
  } catch (error) {
    report.problem('configuration', messageOf(error), `Correct ${name}; docs/configuration.md lists all keys`);
    return undefined;
  }
}

async function checkClientPort(config: ServerConfig, pid: number | undefined, report: Report): Promise<void> {
  const { host, port } = clientPlace(config);
  if (pid === undefined) {
    const what = existsSync(config.dataDir)
      ? 'it does not run'
      : `it does not run, and ${config.dataDir} is made at its start`;
    report.warning('server', what, startCommand(config));
    return;
  }
  if (port === undefined) {
    const isOpen = await accepts(config.secureClientPortAddress ?? 'localhost', config.secureClientPort ?? 0);
    if (isOpen) report.ok('server', 'it accepts connections over TLS');
    else report.problem('server', 'it accepts no connections', `Look into its log; its process is ${pid}`);
    return;
  }
  const answer = await fourLetterWord(host, port, 'srvr', 3000);
  if (answer === undefined && !(await accepts(host, port))) {
    report.warning(
      'server',
      `process ${pid} runs, and its client port is not open`,
      'Wait until it has read its data, or look into its log',
    );
    return;
  }
  const facts = parseSrvr(answer);
  if (facts !== undefined)
    report.ok('server', `${facts.mode}, version ${facts.version}, ${facts.connections} connections`);
  else if (answer === undefined) {
    report.problem(
      'server',
      `process ${pid} accepts connections and does not answer`,
      `Is it stopped (kill -CONT ${pid}) or short of memory? Look into its log`,
    );
  } else if (/not currently serving/.test(answer)) {
    report.problem(
      'server',
      'it runs and does not serve: it looks for a leader',
      'See what is said of the quorum below',
    );
  } else report.warning('server', `it answers: ${answer.trim().split('\n')[0]}`, 'Add srvr to 4lw.commands.whitelist');
}
