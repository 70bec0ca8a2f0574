// The verbs of zkServer.sh: start, stop, restart, status, print-cmd, version; with its outputs and exit codes.

import type { ConnectionOptions } from 'node:tls';
import { clientPlace } from '@nodekeeper/server/config';
import { Command } from 'commander';
import { parseServerArguments, type ServerArguments, UsageError, wholeNumber } from './arguments.js';
import { MOST_SERVERS, runEnsemble } from './ensemble.js';
import { memberStatuses, printMembers } from './member-status.js';
import { accepts, fourLetterWord } from './server-status.js';
import { commandLine, logFile, readConfig, restart, start, stop, type Telling, VerbError } from './start-stop.js';
import { versionLine } from './version-line.js';

const NOT_SERVING = 'The server runs, but does not serve: it looks for a leader.';
const TLS_NOTE =
  'To ask for its mode over TLS: CLIENT_JVMFLAGS="-Dzookeeper.ssl.trustStore.location=… -Dzookeeper.ssl.keyStore.location=…"';
const NOT_RUNNING = 'Error contacting service. It is probably not running.';

/** For an option that may come several times. */
const collect = (value: string, all: string[]): string[] => [...all, value];

export async function runCommand(argv: readonly string[]): Promise<void> {
  const program = new Command('nodekeeper')
    .description('A coordination service that speaks ZooKeeper’s protocols')
    .configureHelp({ sortSubcommands: false })
    .version(versionLine(), '--version', 'print the version')
    .configureOutput({
      outputError: (text, write) => {
        if (argv.includes('--json')) console.log(JSON.stringify({ error: text.trim().replace(/^error: /, '') }));
        write(text);
      },
    })
    .exitOverride((e) => process.exit(e.exitCode === 0 ? 0 : 2));
  const verb = (
    name: string,
    description: string,
    action: (args: ServerArguments, raw: readonly string[]) => Promise<void>,
  ): void => {
    program
      .command(name)
      .description(description)
      .argument(
        '[options...]',
        '[--config DIR] [ZOO_CFG] [--client-port N] [--data-dir DIR] [--set KEY=VALUE] [-DPROPERTY=VALUE] [--json] [--timeout SECONDS]',
      )
      .allowUnknownOption()
      .action(async (raw: string[]) => action(parseServerArguments(raw), raw));
  };
  verb('start-foreground', 'run a server until it is stopped', async () => {});
  verb('start', 'start a server in the background and wait until it answers', (args, raw) =>
    start(args, raw, telling(args)),
  );
  verb('stop', 'stop the server', (args) => stop(args, telling(args)));
  verb('restart', 'stop and start', (args, raw) => restart(args, raw, telling(args)));
  verb('status', 'tell whether the server runs, and its mode', status);
  verb('print-cmd', 'print the command that start runs', async (args, raw) => {
    const command = commandLine(raw, logFile(readConfig(args)));
    console.log(args.json ? JSON.stringify({ command }) : command);
  });
  verb('version', 'print the version', async (args) => {
    console.log(args.json ? JSON.stringify({ version: versionLine() }) : versionLine());
  });
  program
    .command('shell')
    .description('read and change nodes: zkCli’s commands, at a terminal, from a pipe, or one')
    .helpOption(false)
    .addHelpText('after', '\nAll of it: nodekeeper shell --help');
  program
    .command('doctor')
    .description('find out why a client cannot connect, or a quorum does not form')
    .helpOption(false)
    .addHelpText('after', '\nAll of it: nodekeeper doctor --help');
  program
    .command('tools')
    .description('look into logs and snapshots; copy, compare, export and import nodes')
    .helpOption(false)
    .addHelpText('after', '\nAll of it: nodekeeper tools --help');
  program
    .command('testing-server')
    .description('run a server or an ensemble for a test, gone when standard input ends')
    .option('--servers <n>', 'servers that vote', '1')
    .option('--observers <n>', 'servers that do not', '0')
    .option('--port <n>', 'the client port of a single server')
    .option('--control-port <n>', 'take commands over HTTP too, 0 for a free port')
    .option('--set <key=value>', 'a setting for every server', collect, [] as string[])
    .action(
      async (o: Record<'servers' | 'observers', string> & { port?: string; controlPort?: string; set: string[] }) => {
        const { runTestingServer } = await import('./testing-server.js');
        await runTestingServer({
          servers: wholeNumber('--servers', o.servers, 1, MOST_SERVERS),
          observers: wholeNumber('--observers', o.observers, 0, MOST_SERVERS),
          port: number('--port', o.port, 1, 65_535),
          controlPort: number('--control-port', o.controlPort, 0, 65_535),
          settings: o.set,
        });
      },
    );
  program
    .command('ensemble')
    .description('run an ensemble on this machine, each server a process of its own')
    .option('--servers <n>', 'servers that vote (3)')
    .option('--observers <n>', 'servers that do not (0)')
    .option('--dir <path>', 'where their files are, or are made', './nodekeeper-ensemble')
    .option('--client-port <n>', 'the first client port; the others follow it (2181)')
    .option('--set <key=value>', 'a setting for every server', collect, [] as string[])
    .option('--detach', 'leave it running in the background')
    .option('--stop', 'stop the ensemble in --dir')
    .option('--json', 'tell the roles as JSON')
    .action((o: EnsembleFlags) =>
      runEnsemble(
        {
          servers: number('--servers', o.servers, 1, MOST_SERVERS),
          observers: number('--observers', o.observers, 0, MOST_SERVERS),
          dir: o.dir,
          clientPort: number('--client-port', o.clientPort, 1, 65_535),
          detach: o.detach ?? false,
          stop: o.stop ?? false,
          json: o.json ?? false,
          settings: o.set,
        },
        {
          start: (file) => start(parseServerArguments([file]), [file], o.json ? 'nothing' : 'text'),
          stop: (file) => stop(parseServerArguments([file]), o.json ? 'nothing' : 'text'),
        },
      ),
    );
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (e) {
    if (e instanceof VerbError) {
      const said = argv.includes('--json') ? JSON.stringify({ error: e.message || e.said }) : e.said;
      if (said !== '') console.log(said);
      if (e.message !== '') process.stderr.write(`${e.message}\n`);
      process.exit(1);
    }
    if (!(e instanceof Error) || !(e instanceof UsageError || e.name === 'ConfigError' || e.name === 'TlsError'))
      throw e;
    if (argv.includes('--json')) console.log(JSON.stringify({ error: e.message }));
    process.stderr.write(`${e.message}\n`);
    process.exit(2);
  }
}

interface EnsembleFlags {
  readonly servers?: string;
  readonly observers?: string;
  readonly clientPort?: string;
  readonly dir: string;
  readonly set: string[];
  readonly detach?: boolean;
  readonly stop?: boolean;
  readonly json?: boolean;
}

function telling(args: ServerArguments): Telling {
  return args.json ? 'json' : 'text';
}

function number(option: string, text: string | undefined, least: number, most: number): number | undefined {
  return text === undefined ? undefined : wholeNumber(option, text, least, most);
}

/** TLS as zkServer.sh has its client told; undefined if it is not. */
async function clientTls(): Promise<ConnectionOptions | undefined> {
  const properties = (process.env.CLIENT_JVMFLAGS ?? '').split(/\s+/).filter((word) => word.startsWith('-D'));
  if (!properties.some((word) => word.startsWith('-Dzookeeper.ssl.'))) return undefined;
  const { readClientConfiguration } = await import('./shell/client-configuration.js');
  const lines = [...properties.map((word) => word.slice(2)), 'zookeeper.client.secure=true'];
  return readClientConfiguration(lines.join('\n'));
}

async function status(args: ServerArguments): Promise<void> {
  const c = readConfig(args);
  const place = clientPlace(c);
  const secure = place.port === undefined;
  const host = secure ? (c.secureClientPortAddress ?? 'localhost') : place.host;
  const port = place.port ?? c.secureClientPort ?? 0;
  const tls = secure ? await clientTls() : undefined;
  const text = secure && tls === undefined ? undefined : await fourLetterWord(host, port, 'srvr', undefined, tls);
  const mode = /^Mode: .*$/m.exec(text ?? '')?.[0];
  const running = secure && tls === undefined ? await accepts(host, port) : mode !== undefined;
  const members = c.ensemble === undefined ? undefined : await memberStatuses(c);
  if (args.json) {
    console.log(
      JSON.stringify({
        clientPort: port,
        clientAddress: host,
        running,
        mode: mode?.slice(6) ?? null,
        ...(members === undefined ? {} : { members }),
      }),
    );
  } else {
    console.log(`Client port found: ${port}. Client address: ${host}. Client SSL: ${secure}.`);
    const absent = text === undefined ? NOT_RUNNING : NOT_SERVING;
    console.log(mode ?? (running ? 'The server accepts connections.' : absent));
    if (secure && tls === undefined) process.stderr.write(`${TLS_NOTE}\n`);
    if (members !== undefined) {
      console.log('');
      printMembers(members);
    }
  }
  if (!running) process.exit(1);
}
