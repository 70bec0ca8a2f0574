// Runs a server until it is told to stop.

import { setFlagsFromString } from 'node:v8';
import { createLogger, loadConfig, type RunningServer, type ServerConfig, startServer } from '@nodekeeper/server';
import { unusableAddress } from './address-unusable.js';
import { missingDataDir, parseServerArguments, sourcesOf, UsageError } from './arguments.js';
import { portTakenMessage } from './port-taken.js';
import { tooManyFiles } from './too-many-files.js';

const EXIT = { failed: 1, configuration: 2, dataDir: 3 } as const;

export async function startForeground(args: readonly string[]): Promise<void> {
  let config: ServerConfig | undefined;
  try {
    const parsed = parseServerArguments(args);
    config = loadConfig(sourcesOf(parsed));
    const missing = missingDataDir(config);
    if (missing !== undefined) {
      process.stdout.write(`${missing}\n`);
      process.exit(EXIT.failed);
    }
    const server = await startServer(config, { logger: await createLogger() });
    // What a server makes on its way is dead within milliseconds, so a small young generation serves as well as the 16 MB that V8
    // lets it grow to, with less memory (docs/decisions/0009).
    setFlagsFromString('--semi-space-growth-factor=1');
    let stopping = false;
    const stop = (): void => {
      if (stopping) return;
      stopping = true;
      server.close().then(
        () => process.exit(0),
        (e: Error) => fail(EXIT.failed, e.message),
      );
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    if (parsed.file === undefined || process.stdout.isTTY) {
      console.log(greeting(config, server)); // no error if nobody takes it
    }
  } catch (e) {
    report(e as Error & { code?: string; port?: number; address?: string }, config);
  }
}

function greeting(config: ServerConfig, server: RunningServer): string {
  const address = config.clientPortAddress ?? 'localhost';
  const plain = config.clientPort === undefined ? undefined : `${address}:${server.clientPort}`;
  const secure =
    config.secureClientPort === undefined
      ? undefined
      : `${config.secureClientPortAddress ?? 'localhost'}:${server.secureClientPort} (TLS)`;
  const places = [plain, secure].filter((place) => place !== undefined).join(' and ');
  return [
    `Nodekeeper listens for ZooKeeper clients on ${places}; its data is in ${config.dataDir}.`,
    ...(plain === undefined
      ? []
      : [`Try: zkCli.sh -server ${plain}   or   echo srvr | nc ${address} ${server.clientPort}`]),
    'Ctrl-C stops it.',
  ].join('\n');
}

function report(
  e: Error & { code?: string; path?: string; port?: number; address?: string; hostname?: string },
  config: ServerConfig | undefined,
): never {
  if (e instanceof UsageError) fail(EXIT.configuration, e.message);
  if (e.name === 'ConfigError' || e.name === 'TlsError')
    fail(EXIT.configuration, `Invalid config, exiting abnormally\n${e.message}`);
  if (e.name === 'StorageError') fail(EXIT.dataDir, `Unable to access datadir, exiting abnormally\n${e.message}`);
  if (e.code === 'EADDRINUSE') fail(EXIT.failed, portTakenMessage(e.port ?? 0, config, e.address));
  if (e.path !== undefined && (e.code === 'EACCES' || e.code === 'EPERM'))
    fail(EXIT.dataDir, `Unable to access datadir, exiting abnormally\n${e.message}. Check dataDir and permissions`);
  if (e.path !== undefined && ['EIO', 'ENOSPC', 'EDQUOT', 'EROFS', 'ESTALE'].includes(e.code ?? ''))
    fail(EXIT.dataDir, `Unable to access datadir, exiting abnormally\n${e.message}. Check the disk`);
  const tooMany = tooManyFiles(e);
  if (tooMany !== undefined) fail(EXIT.failed, tooMany);
  if (e.code === 'EACCES')
    fail(EXIT.failed, `${e.message}: choose a port above 1023 or give the right to use this one`);
  const unusable = unusableAddress(e, config);
  if (unusable !== undefined) fail(unusable.isUnknown ? EXIT.configuration : EXIT.failed, unusable.message);
  fail(EXIT.failed, e.stack ?? e.message);
}

function fail(code: number, message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}
