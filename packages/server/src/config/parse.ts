// From zoo.cfg, environment and flags to checked values. Precedence: defaults, -D, zoo.cfg, environment, other flags.

import { readFileSync } from 'node:fs';
import { javaFlagsBeside } from './java-flags.js';
import {
  environmentName,
  KEY_FAMILIES,
  KEYS,
  type Key,
  keyByEnvironment,
  keyByName,
  keyByProperty,
  nearestKey,
  nearestVariable,
  numberedByEnvironment,
  OWN_VARIABLES,
} from './keys.js';
import { PropertiesError, type Property, parseProperties } from './properties.js';

/** A value that cannot be used; the process ends with exit code 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly exitCode = 2;
}

export type Value = number | boolean | string;

export interface Settings {
  readonly values: ReadonlyMap<string, Value>;
  /** Keys of the families (`server.1` …) with their texts. */
  readonly families: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
  /** Where a key was set, as messages name it: file and line, variable, flag; the file as a whole if it was not. */
  readonly placeOf: (name: string) => string;
  /** The text of zoo.cfg; empty without one. */
  readonly text: string;
  readonly path: string | undefined;
  /** Reads a file that the settings name. */
  readonly read: (path: string) => string;
}

export interface Sources {
  /** Path of zoo.cfg; none for the embedded defaults. */
  readonly file?: string | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** `key=value` or `-Dproperty=value`. */
  readonly flags?: readonly string[];
  /** Reads zoo.cfg and the files that it names, or throws; the real ones unless said otherwise. */
  readonly read?: (path: string) => string;
}

/** The Docker image's variables that have a key; this server's own count more, in whatever order they come. */
const DOCKER: Readonly<Record<string, string>> = {
  ZOO_DATA_DIR: 'dataDir',
  ZOO_DATA_LOG_DIR: 'dataLogDir',
  ZOO_TICK_TIME: 'tickTime',
  ZOO_INIT_LIMIT: 'initLimit',
  ZOO_SYNC_LIMIT: 'syncLimit',
  ZOO_MAX_CLIENT_CNXNS: 'maxClientCnxns',
  ZOO_STANDALONE_ENABLED: 'standaloneEnabled',
  ZOO_ADMINSERVER_ENABLED: 'admin.enableServer',
  ZOO_AUTOPURGE_PURGEINTERVAL: 'autopurge.purgeInterval',
  ZOO_AUTOPURGE_SNAPRETAINCOUNT: 'autopurge.snapRetainCount',
  ZOO_4LW_COMMANDS_WHITELIST: '4lw.commands.whitelist',
};

/** What messages call the flags. */
const FLAGS = 'command line';
/** Those that are no options: of the shell, and of the logger. */
const OTHER_VARIABLES: ReadonlySet<string> = new Set(['NODEKEEPER_HISTORY', 'NODEKEEPER_LOG_LEVEL']);
/** Kubernetes tells of a service `nodekeeper-client` by NODEKEEPER_CLIENT_PORT and others. */
const KUBERNETES = /^(tcp|udp|sctp):\/\//;

/** @throws ConfigError naming the place, the key and what is allowed */
export function readSettings(sources: Sources): Settings {
  const values = new Map<string, Value>();
  const families = new Map<string, string>();
  const warnings: string[] = [];
  const places = new Map<string, string>();
  for (const { name, default: fallback } of KEYS) if (fallback !== undefined) values.set(name, fallback);

  const put = (name: string, value: string, where: string): void => {
    const bare = name.replace(/^zookeeper\./, '');
    const known = keyByName(bare) ?? keyByProperty(name) ?? keyByProperty(`zookeeper.${name}`);
    if (known !== undefined) {
      values.set(known.name, check(known, value, where));
      places.set(known.name, where);
      if (known.effect === 'ignored') warnings.push(`${where}: ${known.name} has no effect here (${known.meaning})`);
      return;
    }
    const near = nearestKey(name);
    const family = KEY_FAMILIES.find(({ prefix }) => bare.startsWith(prefix));
    if (family !== undefined && (family.effect === 'honoured' || near === undefined)) {
      const { prefix, isNumbered, effect, meaning } = family;
      if (isNumbered && !/^\d+$/.test(bare.slice(prefix.length)))
        throw new ConfigError(`${where}: ${bare}: a number is expected behind '${prefix}' (${meaning})`);
      if (effect === 'ignored') warnings.push(`${where}: ${bare} has no effect here (${meaning})`);
      families.set(bare, value);
      places.set(bare, where);
      return;
    }
    warnings.push(`${where}: '${name}' is not a known option${near === undefined ? '' : `; did you mean '${near}'?`}`);
  };

  /** A variable of this server's that stands for no key alone: for one of a family, or by mistake. */
  const putUnlisted = (variable: string, value: string): void => {
    const numbered = numberedByEnvironment(variable);
    if (numbered !== undefined) put(numbered, value, `environment variable ${variable}`);
    else if (!OTHER_VARIABLES.has(variable)) {
      // One that resembles none may be somebody else's.
      const near = nearestVariable(variable);
      if (near !== undefined)
        warnings.push(`environment variable ${variable} stands for no option; did you mean ${near}?`);
    }
  };

  const read = sources.read ?? ((path) => readFileSync(path, 'utf8'));
  let text = '';
  if (sources.file !== undefined) {
    try {
      text = read(sources.file);
    } catch (e) {
      throw new ConfigError(`${sources.file}: cannot be read: ${(e as Error).message}. Give the path of a zoo.cfg`);
    }
  }
  const { file = '' } = sources;
  const properties = sources.file === undefined ? [] : propertiesOf(file, text);
  const flags = (sources.flags ?? []).map(parseFlag);
  // To Apache's servers these are properties of the Java machine, in whose place zoo.cfg puts its own.
  for (const { key, value, isProperty } of flags) if (isProperty) put(key, value, FLAGS);
  const before = new Map(places);
  for (const { key, value, line } of properties) {
    const where = `${file}:${line}`;
    put(key, value, where);
    if (/^(zookeeper|jute)\./.test(key))
      warnings.push(`${where}: Apache's server knows ${key} as a property of the Java machine only, and not here`);
    if (/[^\0-\x7f]/.test(value))
      warnings.push(
        `${where}: Apache's server takes the file for ISO 8859-1 and reads ${key} otherwise; \\uXXXX is read alike`,
      );
  }
  for (const [name, place] of before)
    if (places.get(name) !== place)
      warnings.push(`${places.get(name)}: ${name} stands there, and not what -D says: as with Apache's server`);
  const variables = Object.entries(sources.environment ?? {}).flatMap(([variable, value]) =>
    value === undefined || KUBERNETES.test(value) ? [] : [[variable, value] as const],
  );
  for (const [variable, value] of variables) {
    const docker = DOCKER[variable];
    if (docker !== undefined) put(docker, value, `environment variable ${variable}`);
  }
  for (const [variable, value] of variables) {
    const known = keyByEnvironment(variable);
    if (known !== undefined) put(known.name, value, `environment variable ${variable}`);
    else if (variable.startsWith(OWN_VARIABLES)) putUnlisted(variable, value);
  }
  for (const { key, value, isProperty } of flags) if (!isProperty) put(key, value, FLAGS);
  // To Apache's servers 0 is no port: only a flag, or a server without zoo.cfg, asks for any that is free.
  for (const name of ['clientPort', 'secureClientPort'])
    if (sources.file !== undefined && values.get(name) === 0 && places.get(name) !== FLAGS) values.delete(name);
  if (sources.file !== undefined)
    for (const { file: script, properties: theirs } of javaFlagsBeside(sources.file, read)) {
      const unread = theirs.filter((property) => isHonoured(property) && !places.has(settingOf(property)));
      if (unread.length > 0)
        warnings.push(
          `${script}: ${unread.map((property) => `-D${property}`).join(', ')}: Apache's server is started with what this file says, this one is not. Add it to the command line, or to SERVER_JVMFLAGS in the environment`,
        );
    }
  const placeOf = (name: string): string => places.get(name) ?? sources.file ?? 'configuration';
  return { values, families, warnings, placeOf, text, path: sources.file, read };
}

/** What a property of the Java machine is called in zoo.cfg. */
function settingOf(property: string): string {
  return keyByProperty(property)?.name ?? property.replace(/^zookeeper\./, '');
}

/** Whether Apache's server takes a property of the Java machine for an option that has an effect here. */
function isHonoured(property: string): boolean {
  const known = keyByProperty(property);
  if (known !== undefined) return known.effect === 'honoured';
  return KEY_FAMILIES.some(({ prefix, effect }) => effect === 'honoured' && property.startsWith(`zookeeper.${prefix}`));
}

interface Flag {
  readonly key: string;
  readonly value: string;
  /** Whether it was given as a property of the Java machine. */
  readonly isProperty: boolean;
}

function parseFlag(flag: string): Flag {
  const match = /^(-D)?([^=]+)=(.*)$/s.exec(flag);
  if (match === null) throw new ConfigError(`'${flag}' is no option: key=value is expected`);
  return { key: match[2] ?? '', value: match[3] ?? '', isProperty: match[1] !== undefined };
}

function propertiesOf(file: string, text: string): Property[] {
  try {
    return parseProperties(text);
  } catch (e) {
    if (e instanceof PropertiesError) throw new ConfigError(`${file}:${e.line}: ${e.message}`);
    throw e;
  }
}

/** As Long.decode of Java reads it, but for octal numbers. */
function wholeNumber(text: string): number {
  const hex = /^([+-]?)(?:0x|#)([0-9a-f]+)$/i.exec(text);
  if (hex !== null) return Number(`0x${hex[2]}`) * (hex[1] === '-' ? -1 : 1);
  return /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
}

function check(key: Key, text: string, where: string): Value {
  const fail = (allowed: string): never => {
    throw new ConfigError(
      `${where}: ${key.name}=${text}: ${allowed} (${key.meaning} Also ${environmentName(key.name)})`,
    );
  };
  switch (key.type) {
    case 'int':
    case 'port': {
      const min = key.type === 'port' ? 0 : (key.min ?? Number.MIN_SAFE_INTEGER);
      const max = key.type === 'port' ? 65535 : (key.max ?? 2 ** 53 - 1);
      const n = wholeNumber(text);
      if (Number.isNaN(n) || n < min || n > max) {
        const range =
          min === Number.MIN_SAFE_INTEGER ? '' : max === 2 ** 53 - 1 ? ` of at least ${min}` : ` from ${min} to ${max}`;
        fail(`a whole number${range}${key.unit === undefined ? '' : ` (${key.unit})`} is expected`);
      }
      return n;
    }
    case 'ratio': {
      const n = Number(text);
      const min = key.min ?? 0;
      if (text === '' || !(n >= min)) fail(`a number of at least ${min} is expected`);
      return n;
    }
    case 'bool':
      if (!/^(true|false)$/i.test(text)) fail("choose 'true' or 'false'");
      return text.toLowerCase() === 'true';
    case 'yesno':
      if (!/^(yes|no)$/i.test(text)) fail("choose 'yes' or 'no'");
      return text.toLowerCase();
    case 'host':
      return text.replace(/^\[(.*)\]$/, '$1'); // an IPv6 address may have brackets
    case 'path':
      if (text === '') fail('a path is expected');
      return text;
    default:
      if (key.choices === undefined) return text;
      return (
        key.choices.find((choice) => choice.toLowerCase() === text.toLowerCase()) ??
        fail(`one of ${key.choices.map((c) => `'${c}'`).join(', ')} is expected`)
      );
  }
}
