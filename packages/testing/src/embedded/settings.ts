// The settings that tests give to their servers: known ones, and none of those that are this package's own.

import { loadConfig, type ServerConfig } from '@nodekeeper/server';

/** Settings of zoo.cfg. */
export type Settings = Readonly<Record<string, string | number | boolean>>;

/** Settings that would part a server from what is known of it, with what to do instead. */
const OWN: readonly (readonly [key: RegExp, instead: string])[] = [
  [/^clientPort$/, 'the option port says which one a single server has'],
  [/^dataDir$/, 'the directory is made, and removed by close()'],
  [/^(server\.\d+|dynamicConfigFile)$/, 'startEnsemble(servers, { observers }) says who is a member'],
];

/**
 * @param given what the test says
 * @param all these and what this package adds
 * @throws TypeError for keys that are not known, or not to be given; ConfigError for values that cannot be used
 */
export function checkSettings(given: Settings, all: Settings): void {
  for (const key of Object.keys(given)) {
    const own = OWN.find(([pattern]) => pattern.test(key.replace(/^zookeeper\./, '')));
    if (own !== undefined) throw new TypeError(`settings: ${key} cannot be set: ${own[1]}`);
  }
  const unknown = loaded(all).warnings.find((text) => / is not a known option/.test(text));
  if (unknown !== undefined) throw new TypeError(`settings: ${unknown.replace(/^command line: /, '')}`);
}

function loaded(all: Settings): ServerConfig {
  try {
    return loadConfig({ flags: flagsOf(all) });
  } catch (e) {
    const error = e as Error;
    error.message = error.message.replace(/^command line: /, 'settings: ').replace(/ Also NODEKEEPER_\w+\)$/, ')');
    throw error;
  }
}

export function flagsOf(settings: Settings): string[] {
  return Object.entries(settings).map(([key, value]) => `${key}=${value}`);
}
