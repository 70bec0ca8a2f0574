// `nodekeeper tools`: the command line of everything that looks at files or trees.

import { isKeeperError, MAX_DELAY } from '@nodekeeper/client';
import { Command, InvalidArgumentError } from 'commander';
import { UsageError } from '../arguments.js';
import { parseShellArguments } from '../shell/arguments.js';
import { failureLine } from '../shell/failure.js';
import { ReaderGone, Streams } from '../shell/streams.js';
import type { CopyOptions } from './nodes/copy.js';
import type { DiffOptions, FindOptions } from './nodes/look.js';
import type { Connecting, Place } from './nodes/place.js';
import { Failure, type Output } from './output.js';
import { Progress } from './progress.js';

interface Common {
  readonly json?: boolean;
}

interface Remote extends Common {
  readonly server?: string;
  readonly timeout?: number;
  readonly auth?: string[];
  readonly sasl?: string;
  readonly kerberos?: boolean;
  readonly keytab?: string;
  readonly principal?: string;
  readonly service?: string;
  readonly tls?: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly clientConfiguration?: string;
  readonly maxRequest?: string;
}

const streams = new Streams();

/** Runs a tool. Returns the exit code. */
export async function runTools(args: readonly string[]): Promise<number> {
  const run = new Run(args.includes('--json'));
  try {
    await program(run).parseAsync([...args], { from: 'user' });
  } catch (error) {
    run.fail(error);
  }
  run.progress.clear();
  await streams.end();
  return run.exitCode;
}

class Run {
  exitCode = 0;
  /** The exit code of failures, where 1 means something else. */
  leastFailure = 0;
  readonly output: Output;
  readonly progress: Progress;

  constructor(json: boolean) {
    const progress = new Progress(process.stderr.isTTY && !json ? process.stderr : undefined);
    this.progress = progress;
    streams.around = (write) => {
      progress.clear();
      write();
    };
    this.output = {
      json,
      line: (text) => streams.line(text),
      part: (text) => streams.part(text),
      note: (text) => streams.note(text),
      progress: (done, total, what) => progress.show(done, total, what),
      value: (value) => streams.line(JSON.stringify(value)),
      taken: () => streams.taken(),
    };
  }

  fail(error: unknown): void {
    if (error instanceof ReaderGone) return;
    // Commander has told what is wrong.
    if (
      error instanceof Error &&
      'exitCode' in error &&
      'code' in error &&
      String(error.code).startsWith('commander.')
    ) {
      this.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    // The system's errors are of files: one cannot be read or written.
    const isOfFile = error instanceof Error && 'syscall' in error;
    if (!(error instanceof Failure || error instanceof UsageError || isOfFile || isKeeperError(error))) throw error;
    const exitCode = error instanceof Failure ? error.exitCode : error instanceof UsageError || isOfFile ? 2 : 1;
    this.exitCode = Math.max(exitCode, this.leastFailure);
    streams.note(failureLine(error, this.output.json));
  }
}

function program(run: Run): Command {
  const tools = new Command('nodekeeper tools')
    .description('look into logs and snapshots; copy, compare, export and import nodes')
    .configureHelp({ sortSubcommands: false })
    .configureOutput({
      writeOut: (text) => streams.line(text.trimEnd()),
      writeErr: (text) => streams.note(text.trimEnd()),
      outputError: (text, write) => {
        write(run.output.json ? JSON.stringify({ error: { message: text.trim().replace(/^error: /, '') } }) : text);
      },
    })
    .exitOverride();
  addFileTools(tools, run);
  addNodeTools(tools, run);
  return tools;
}

function whole(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number is needed');
  return Number(text);
}

function milliseconds(text: string): number {
  const time = whole(text);
  if (time === 0 || time > MAX_DELAY) throw new InvalidArgumentError('a number of milliseconds is needed');
  return time;
}

function addFileTools(tools: Command, { output }: Run): void {
  const tool = (name: string, description: string): Command =>
    tools.command(name).description(description).option('--json', 'one JSON object for each thing that is told');
  tool('txnlog', 'print a transaction log, repair its checksums, or cut it')
    .argument('<log>')
    .option('-d, --dump', 'print all transactions (what is done without options)')
    .option('-r, --recover', 'write a copy with right checksums, <log>.fixed')
    .option('-v, --verbose', 'with -r: print all transactions')
    .option('-y, --yes', 'with -r: repair without asking')
    .option('-c, --chop', 'write a copy up to --zxid, <log>.chopped<zxid>')
    .option('-z, --zxid <zxid>', 'as 0x… or decimal')
    .action(async (log, options) => (await import('./files/txnlog.js')).runTxnLog(log, options, output));
  tool('snapshot', 'print the nodes and sessions of a snapshot')
    .argument('<snapshot>')
    .option('-d, --data', 'with the data, in base64')
    .option('--ncdu', 'names and sizes as ncdu -f reads them')
    .action(async (file, options) => (await import('./files/snapshot.js')).runSnapshot(file, options, output));
  tool('compare', 'compare two snapshots by the size of their subtrees')
    .requiredOption('-l, --left <snapshot>')
    .requiredOption('-r, --right <snapshot>')
    .requiredOption('-b, --bytes <n>', 'tell differences of more bytes', whole)
    .requiredOption('-n, --nodes <n>', 'or of more nodes', whole)
    .option('-d, --debug', 'tell every step')
    .option('-i, --interactive', 'ask what to compare')
    .action(async (options) => (await import('./files/compare.js')).runCompare(options, output));
  tool('summary', 'count nodes and bytes below each node of a snapshot')
    .argument('<snapshot>')
    .argument('[path]', 'where to begin', '/')
    .argument('[depth]', 'levels that are printed, 0 for all', whole, 0)
    .action(async (file, path, depth) => (await import('./files/summary.js')).runSummary(file, path, depth, output));
  tool('purge', 'delete old snapshots, and logs that no newer one needs')
    .argument('<dataLogDir>')
    .argument('[snapDir]')
    .requiredOption('-n, --count <n>', 'snapshots to keep, 3 or more', whole)
    .option('--dry-run', 'only tell what would be deleted')
    .action(async (logs, snapshots, options) =>
      (await import('./files/purge.js')).runPurge(logs, snapshots, options, output),
    );
}

function addNodeTools(tools: Command, run: Run): void {
  const { output } = run;
  const tool = (name: string, description: string): Command =>
    tools
      .command(name)
      .description(description)
      .option('-s, --server <servers>', 'for paths that name no servers', 'localhost:2181')
      .option('--timeout <ms>', 'until connecting is given up', milliseconds, 15_000)
      .option(
        '--auth <scheme:auth>',
        'an identity; can be repeated',
        (one, all: string[]) => [...all, one],
        [] as string[],
      )
      .option('--sasl <user:password>', 'log in with SASL DIGEST-MD5')
      .option('--kerberos', 'log in with the tickets of kinit')
      .option('--keytab <file>', 'log in with Kerberos by a keytab')
      .option('--principal <name>', 'whose keytab that is')
      .option('--service <name>', 'what comes before the host in the servers’ principals, or a whole one')
      .option('--tls', 'TLS with the system’s authorities')
      .option('--ca <file>')
      .option('--cert <file>')
      .option('--key <file>')
      .option('--client-configuration <file>', 'TLS as Apache’s clients are told, jute.maxbuffer')
      .option('--max-request <bytes>', 'the servers’ jute.maxbuffer, if that is not 1048575')
      .option('--json', 'one JSON object for each thing that is told');
  /** Connects, does it, and ends the sessions whatever comes of it. */
  const withPlaces = async (
    options: Remote,
    action: (at: (text: string) => Promise<Place>) => Promise<void>,
  ): Promise<void> => {
    const places = new (await import('./nodes/place.js')).Places(await connecting(options));
    try {
      await action((text) => places.at(text));
    } finally {
      await places.close();
    }
  };
  tool('export', 'write a subtree as JSON or YAML, with its ACLs')
    .argument('<path>')
    .option('-o, --output <file>', 'instead of stdout')
    .option('-f, --format <format>', 'json or yaml; told by the file’s name otherwise')
    .option('--no-acl', 'leave ACLs out')
    .action((path, options: Remote & { output?: string; format?: string; acl: boolean }) =>
      withPlaces(options, async (at) => {
        const { runExport } = await import('./nodes/transfer.js');
        const format = options.format ?? (/\.ya?ml$/.test(options.output ?? '') ? 'yaml' : 'json');
        if (format !== 'json' && format !== 'yaml') throw new Failure('--format is json or yaml', 2);
        const file = options.output === undefined ? {} : { file: options.output };
        await runExport(await at(path), { format, acl: options.acl, ...file }, output);
      }),
    );
  tool('import', 'make a subtree as an export says')
    .argument('<file>', 'JSON or YAML; - for stdin')
    .argument('<path>')
    .option('--dry-run', 'only tell what would be changed', false)
    .option('--keep', 'leave nodes alone that are there', false)
    .option('--delete', 'delete nodes that are not in the file; ephemeral ones stay', false)
    .option('--no-acl', 'leave ACLs alone')
    .action((file, path, options: Remote & { dryRun: boolean; keep: boolean; delete: boolean; acl: boolean }) =>
      withPlaces(options, async (at) => {
        const { runImport } = await import('./nodes/transfer.js');
        const { dryRun, keep, acl, delete: remove } = options;
        await runImport(file, await at(path), { dryRun, keep, acl, remove }, output);
      }),
    );
  tool('tree', 'print a subtree')
    .argument('[path]', 'where to begin', '/')
    .option('-L, --depth <n>', 'levels below', whole)
    .option('-d, --data', 'with data, shortened')
    .action((path, options: Remote & { depth?: number; data?: boolean }) =>
      withPlaces(options, async (at) => (await import('./nodes/look.js')).runTree(await at(path), options, output)),
    );
  tool('find', 'print the paths of nodes that are as the options say')
    .argument('[path]', 'where to begin', '/')
    .option('--name <pattern>', 'the name, with * and ?')
    .option('--path <pattern>', 'the path, likewise')
    .option('--data <regexp>', 'the data contains this')
    .option('--ephemeral', 'ephemeral nodes')
    .option('--owner <id>', 'ephemeral nodes of this session, 0x…')
    .option('--larger <bytes>', 'more data than this', whole)
    .option('--newer <time>', 'changed after a time, or within 30s, 5m, 2h, 3d')
    .option('--older <time>', 'changed before')
    .option('--leaf', 'without children')
    .action((path, options: Remote & FindOptions) =>
      withPlaces(options, async (at) => (await import('./nodes/look.js')).runFind(await at(path), options, output)),
    );
  const copying = (name: string, description: string): Command =>
    tool(name, description)
      .argument('<from>', 'a path, or servers and path: zk1:2181,zk2:2181/app')
      .argument('<to>')
      .option('-f, --force', 'change nodes that are there', false)
      .option('--no-acl', 'leave ACLs out')
      .option('--dry-run', 'only tell what would be done', false);
  copying('cp', 'copy a node, -r with everything below, also to another ensemble')
    .option('-r, --recursive', 'with everything below', false)
    .action((from, to, options: Remote & CopyOptions) =>
      withPlaces(options, async (at) =>
        (await import('./nodes/copy.js')).runCopy(await at(from), await at(to), options, output),
      ),
    );
  copying('mv', 'move a subtree: in one transaction if it is not too large and stays in its ensemble').action(
    (from, to, options: Remote & CopyOptions) =>
      withPlaces(options, async (at) =>
        (await import('./nodes/copy.js')).runMove(await at(from), await at(to), options, output),
      ),
  );
  tool('diff', 'tell where two subtrees differ, of one or two ensembles; exit code 1 if they do, 2 for failures')
    .argument('<first>', 'a path, or servers and path: zk1:2181,zk2:2181/app')
    .argument('<second>')
    .option('--no-acl', 'compare no ACLs')
    .option('--no-ephemerals', 'leave ephemeral nodes out')
    .option('-d, --data', 'show the data of both', false)
    .action((first, second, options: Remote & DiffOptions) => {
      run.leastFailure = 2;
      return withPlaces(options, async (at) => {
        const { runDiff } = await import('./nodes/look.js');
        if (await runDiff(await at(first), await at(second), options, output)) run.exitCode = 1;
      });
    });
}

/** The options of the connection, which are the shell's. */
async function connecting(options: Remote): Promise<Connecting> {
  const {
    server = 'localhost:2181',
    timeout = 15_000,
    auth = [],
    sasl,
    kerberos,
    keytab,
    principal,
    service,
    tls,
    ca,
    cert,
    key,
    clientConfiguration,
    maxRequest,
  } = options;
  const words = [
    ...auth.flatMap((one) => ['--auth', one]),
    ...(sasl === undefined ? [] : ['--sasl', sasl]),
    ...(kerberos === true ? ['--kerberos'] : []),
    ...(keytab === undefined ? [] : ['--keytab', keytab]),
    ...(principal === undefined ? [] : ['--principal', principal]),
    ...(service === undefined ? [] : ['--service', service]),
    ...(tls === true ? ['--tls'] : []),
    ...(ca === undefined ? [] : ['--ca', ca]),
    ...(cert === undefined ? [] : ['--cert', cert]),
    ...(key === undefined ? [] : ['--key', key]),
    ...(clientConfiguration === undefined ? [] : ['-client-configuration', clientConfiguration]),
    ...(maxRequest === undefined ? [] : ['--max-request', maxRequest]),
  ];
  const { client } = await parseShellArguments(words);
  return { server, timeout, options: client };
}
