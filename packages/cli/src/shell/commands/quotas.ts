// Commands on quotas: setquota, listquota, delquota. A quota is kept in nodes below /zookeeper/quota.

import { type Client, isKeeperError } from '@nodekeeper/client';
import { type Command, type Context, type Reply, word } from '../command.js';
import { CommandError } from '../failure.js';
import type { Parsed } from '../options.js';
import { checkPath } from '../path-check.js';
import {
  isInQuota,
  LIMITS,
  parseQuota,
  type Quota,
  type QuotaKey,
  quotaOwner,
  quotaPath,
  quotaText,
  STATS,
} from '../quota-text.js';

const KEYS: Readonly<Record<string, QuotaKey>> = { n: 'count', b: 'bytes', N: 'countHardLimit', B: 'byteHardLimit' };
const OPTIONS = Object.keys(KEYS);
const MEANINGS = { n: 'num soft quota', b: 'bytes soft quota', N: 'num hard quota', B: 'bytes hard quota' };

export const quotaCommands: readonly Command[] = [
  {
    name: 'setquota',
    usage: '-n|-b|-N|-B val path',
    about:
      'limit the nodes (-n, -N) or bytes (-b, -B) at and below a node; small letters warn in the log, large ones refuse',
    values: OPTIONS,
    group: { names: MEANINGS, isRequired: true },
    least: 1,
    run: setQuota,
  },
  {
    name: 'listquota',
    usage: 'path',
    about: 'print the quota of a node, and what is used of it',
    least: 1,
    run: listQuota,
  },
  {
    name: 'delquota',
    usage: '[-n|-b|-N|-B] path',
    about: 'take a quota away, or one limit of it',
    flags: OPTIONS,
    group: { names: MEANINGS, isRequired: false },
    least: 1,
    run: deleteQuota,
  },
];

async function setQuota({ client }: Context, parsed: Parsed): Promise<Reply> {
  const [option = 'n'] = parsed.values.keys();
  const path = word(parsed, 0);
  if (isInQuota(path)) throw new CommandError('cannot set a quota under the path: /zookeeper/quota');
  const limit = Number(parsed.values.get(option));
  if (!Number.isSafeInteger(limit))
    throw new CommandError('NumberFormatException happens when parsing the option value');
  if ((option === 'n' || option === 'N') && limit <= 0)
    throw new CommandError('the num quota must be greater than zero');
  if (limit < 0) throw new CommandError('the bytes quota must be greater than or equal to zero');
  checkPath(path);
  if ((await client.exists(path)) === null) throw new CommandError(`${path} does not exist.`);
  await checkOthers(client, path);
  const at = quotaPath(path);
  const old = await read(client, `${at}/${LIMITS}`);
  const none: Quota = { count: -1, bytes: -1, countHardLimit: -1, byteHardLimit: -1 };
  const quota: Quota = { ...(old ?? none), [KEYS[option] as QuotaKey]: limit };
  if (old === undefined) {
    await client.ensurePath(at);
    await client.create(`${at}/${LIMITS}`, { data: quotaText(quota) });
    await client.create(`${at}/${STATS}`, { data: quotaText({ count: 0, bytes: 0 }) });
  } else {
    await client.setData(`${at}/${LIMITS}`, quotaText(quota));
  }
  const used = await read(client, `${at}/${STATS}`);
  return { lines: warnings(quota, used ?? {}), value: { path, quota, used } };
}

function warnings(quota: Quota, used: Quota): string[] {
  const exceeded = (limits: readonly QuotaKey[], have = 0): boolean =>
    limits.some((key) => (quota[key] ?? -1) > -1 && (quota[key] ?? -1) < have);
  const lines: string[] = [];
  if (exceeded(['count', 'countHardLimit'], used.count))
    lines.push(`[Warning]: the count quota you create is less than the existing count:${used.count}`);
  if (exceeded(['bytes', 'byteHardLimit'], used.bytes))
    lines.push(`[Warning]: the bytes quota you create is less than the existing bytes:${used.bytes}`);
  return lines;
}

/** Quotas do not nest. */
async function checkOthers(client: Client, path: string): Promise<void> {
  const own = quotaPath(path);
  const stack = [own];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    const children = await childrenOf(client, at);
    if (at !== own && children.includes(LIMITS))
      throw new CommandError(`${path} has a child ${quotaOwner(at)} which has a quota`);
    for (const name of children) stack.push(`${at}/${name}`);
  }
  const names = path.split('/').slice(1, -1);
  for (let i = 1; i <= names.length; i++) {
    const at = quotaPath(`/${names.slice(0, i).join('/')}`);
    if ((await childrenOf(client, at)).includes(LIMITS))
      throw new CommandError(`${path} has a parent ${quotaOwner(at)} which has a quota`);
  }
}

async function childrenOf(client: Client, path: string): Promise<string[]> {
  try {
    return (await client.getChildren(path)).children;
  } catch (error) {
    if (isKeeperError(error, 'NoNode')) return [];
    throw error;
  }
}

async function read(client: Client, path: string): Promise<Quota | undefined> {
  try {
    return parseQuota((await client.getData(path)).data?.toString() ?? '');
  } catch (error) {
    if (isKeeperError(error, 'NoNode')) return undefined;
    throw error;
  }
}

async function listQuota({ client }: Context, parsed: Parsed): Promise<Reply> {
  const path = checkPath(word(parsed, 0));
  const at = quotaPath(path);
  const notes = [`absolute path is ${at}/${LIMITS}`];
  const quota = await read(client, `${at}/${LIMITS}`);
  const used = quota && (await read(client, `${at}/${STATS}`));
  if (quota === undefined || used === undefined) {
    return { notes: [...notes, `quota for ${path} does not exist.`], value: { path, quota: null } };
  }
  const lines = [`Output quota for ${path} ${quotaText(quota)}`, `Output stat for ${path} ${quotaText(used)}`];
  return { notes, lines, value: { path, quota, used } };
}

async function deleteQuota({ client }: Context, parsed: Parsed): Promise<Reply> {
  const path = checkPath(word(parsed, 0));
  const [option] = parsed.flags;
  const at = quotaPath(path);
  const quota = await read(client, `${at}/${LIMITS}`);
  if (quota === undefined) return { lines: [`Quota does not exist for ${path}`], value: { path, quota: null } };
  if (option !== undefined) {
    const rest = { ...quota, [KEYS[option] as QuotaKey]: -1 };
    await client.setData(`${at}/${LIMITS}`, quotaText(rest));
    return { value: { path, quota: rest } };
  }
  for (const name of await childrenOf(client, at)) await client.delete(`${at}/${name}`);
  // What was made for this quota alone goes too.
  for (let node = at; node !== quotaPath('/'); node = node.slice(0, node.lastIndexOf('/'))) {
    if ((await childrenOf(client, node)).length > 0) break;
    await client.delete(node);
  }
  return { value: { path, quota: null } };
}
