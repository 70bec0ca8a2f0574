// What the server verbs take: a configuration, and options that override it.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { nearestKey, type Sources } from '@nodekeeper/server/config';

export interface ServerArguments {
  /** zoo.cfg; undefined for the embedded defaults. */
  readonly file: string | undefined;
  readonly flags: readonly string[];
  readonly json: boolean;
  /** How long `start` waits for the port, in milliseconds. */
  readonly timeoutMs: number;
}

const SHORTHANDS: Readonly<Record<string, string>> = {
  '--client-port': 'clientPort',
  '--client-port-address': 'clientPortAddress',
  '--data-dir': 'dataDir',
  '--data-log-dir': 'dataLogDir',
  '--tick-time': 'tickTime',
};

export class UsageError extends Error {}

/**
 * Reads the arguments behind a verb: `[--config DIR] [FILE] [--client-port N] [--set KEY=VALUE] [-DPROPERTY=VALUE] …`
 * @throws UsageError
 */
export function parseServerArguments(
  args: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
): ServerArguments {
  let directory = environment.ZOOCFGDIR;
  let name: string | undefined;
  let json = false;
  let timeoutMs = 30_000;
  const flags: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    const [option = '', inline] = splitOption(arg);
    const value = (): string => {
      const v = inline ?? args[++i];
      if (v === undefined) throw new UsageError(`${option} needs a value`);
      return v;
    };
    const short = SHORTHANDS[option];
    if (short !== undefined) flags.push(`${short}=${value()}`);
    else if (option === '--config') directory = value();
    else if (option === '--set') flags.push(value());
    else if (option === '--json') json = true;
    else if (option === '--timeout') timeoutMs = seconds(value());
    else if (arg.startsWith('-D')) flags.push(arg);
    else if (arg.startsWith('-')) throw new UsageError(`'${option}' is not an option; ${instead(option)}`);
    else if (name === undefined) name = arg;
    else throw new UsageError(`'${arg}' is one argument too many`);
  }
  const inherited = [...autocreateFlag(environment), ...jvmFlags(environment)];
  return { file: configFile(directory, name), flags: [...inherited, ...flags], json, timeoutMs };
}

function seconds(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new UsageError(`--timeout ${text}: a number of seconds is expected`);
  return Number(text) * 1000;
}

function splitOption(arg: string): [string, string | undefined] {
  const equals = arg.startsWith('--') ? arg.indexOf('=') : -1;
  return equals < 0 ? [arg, undefined] : [arg.slice(0, equals), arg.slice(equals + 1)];
}

/** What may be meant: `--snap-count` is an option of zoo.cfg. */
function instead(option: string): string {
  const key = nearestKey(option.replace(/^-+/, '').replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()));
  if (key === undefined) return 'see --help';
  const short = Object.keys(SHORTHANDS).find((one) => SHORTHANDS[one] === key);
  return `did you mean ${short ?? `--set ${key}=…`}?`;
}

function configFile(directory: string | undefined, name: string | undefined): string | undefined {
  if (name !== undefined) return name.includes('/') || directory === undefined ? name : join(directory, name);
  if (directory !== undefined) return join(directory, 'zoo.cfg');
  return existsSync('zoo.cfg') ? 'zoo.cfg' : undefined;
}

/** The -D options that zkServer.sh takes from the environment. */
function jvmFlags(environment: NodeJS.ProcessEnv): string[] {
  const text = `${environment.SERVER_JVMFLAGS ?? ''} ${environment.JVMFLAGS ?? ''}`;
  return text.split(/\s+/).filter((word) => word.startsWith('-D') && word.includes('='));
}

/** zkServer.sh's way to say that missing data directories are a mistake. */
function autocreateFlag({ ZOO_DATADIR_AUTOCREATE_DISABLE }: NodeJS.ProcessEnv): string[] {
  return (ZOO_DATADIR_AUTOCREATE_DISABLE ?? '') === '' ? [] : ['-Dzookeeper.datadir.autocreate=false'];
}

/** What zkServer.sh says where ZOO_DATADIR_AUTOCREATE_DISABLE is set and a directory is missing; undefined if all is well. */
export function missingDataDir(
  { dataDir, dataLogDir }: { readonly dataDir: string; readonly dataLogDir: string },
  environment: NodeJS.ProcessEnv = process.env,
): string | undefined {
  if (autocreateFlag(environment).length === 0) return undefined;
  for (const [name, dir] of [
    ['data', dataDir],
    ['txnlog', dataLogDir],
  ] as const) {
    if (!existsSync(join(dir, 'version-2')))
      return `ZooKeeper ${name} directory is missing at ${dir} fix the path or run initialize`;
  }
  return undefined;
}

/** What a client's `maxRequest` may be, in bytes. */
export const LARGEST_REQUEST = 2 ** 31 - 1;

/**
 * A whole number that an option has.
 * @throws UsageError
 */
export function wholeNumber(option: string, text: string, least: number, most: number): number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || n < least || n > most)
    throw new UsageError(`${option} ${text}: a whole number from ${least} to ${most} is expected`);
  return n;
}

export function sourcesOf(args: ServerArguments): Sources {
  return { file: args.file, environment: process.env, flags: args.flags };
}
