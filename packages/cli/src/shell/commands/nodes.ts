// Commands on nodes: create, delete, deleteall, get, set, ls, stat, sync, getAllChildrenNumber, getEphemerals.

import {
  type Client,
  type CreateModeName,
  isKeeperError,
  KeeperError,
  OPEN_ACL_UNSAFE,
  type Transaction,
} from '@nodekeeper/client';
import { ErrorCode, MAX_TTL } from '@nodekeeper/protocol';
import { type Command, type Context, type Reply, word } from '../command.js';
import { CommandError, keeperErrorCode } from '../failure.js';
import { numberOf, type Parsed } from '../options.js';
import { checkPath } from '../path-check.js';
import { dataJson, hexDump, parseAcl, statJson, statLines } from '../texts.js';

/** Transactions of deleteall that are under way at once. */
const BATCHES = 10;

export const nodeCommands: readonly Command[] = [
  {
    name: 'create',
    usage: '[-s] [-e] [-c] [-t ttl] path [data] [acl]',
    about:
      'create a node: -s sequential, -e ephemeral, -c container, -t with a time to live in ms; acl as scheme:id:perms,…',
    flags: ['s', 'e', 'c'],
    values: ['t'],
    least: 1,
    run: create,
  },
  {
    name: 'delete',
    usage: '[-v version] path',
    about: 'delete a node without children, -v only in this version',
    values: ['v'],
    least: 1,
    run({ client }, parsed) {
      const note = "'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.";
      return withNotes(parsed.rest.length > 1 ? [note] : [], async () => {
        const path = checkPath(word(parsed, 0));
        await client.delete(path, { version: numberOf(parsed, 'v') ?? -1 });
        return { value: { path, deleted: 1 } };
      });
    },
  },
  {
    name: 'deleteall',
    usage: 'path [-b batch size]',
    about: 'delete a node and everything below it, -b so many in one transaction (1000; 0: each on its own)',
    values: ['b'],
    least: 1,
    run: deleteAll,
  },
  {
    name: 'get',
    usage: '[-s] [-w] path',
    fullUsage: '[-s] [-w] [-b|-x] path',
    about: 'print the data of a node: -s with its stat, -w watch it, -b in base64, -x as a hexadecimal dump',
    flags: ['s', 'w', 'b', 'x'],
    least: 1,
    run: (context, parsed) => withNotes(oldWatch('get', '[-s] [-w] path', parsed), () => get(context, parsed)),
  },
  {
    name: 'set',
    usage: '[-s] [-v version] path data',
    fullUsage: '[-s] [-v version] [-b] path data',
    about: 'change the data of a node: -s print the stat, -v only in this version, -b the data is in base64',
    flags: ['s', 'b'],
    values: ['v'],
    least: 2,
    async run({ client }, parsed) {
      const path = checkPath(word(parsed, 0));
      const data = parsed.flags.has('b') ? base64(word(parsed, 1)) : word(parsed, 1);
      const stat = await client.setData(path, data, { version: numberOf(parsed, 'v') ?? -1 });
      return { lines: parsed.flags.has('s') ? statLines(stat) : [], value: { path, stat: statJson(stat) } };
    },
  },
  {
    name: 'ls',
    usage: '[-s] [-w] [-R] path',
    about: 'list the children of a node: -s with its stat, -w watch them, -R everything below',
    flags: ['s', 'w', 'R'],
    least: 1,
    run: (context, parsed) => withNotes(oldWatch('ls', '[-w] path', parsed), () => list(context, parsed)),
  },
  {
    name: 'stat',
    usage: '[-w] path',
    about: 'print the stat of a node, -w watch it',
    flags: ['w'],
    least: 1,
    run: (context, parsed) => withNotes(oldWatch('stat', '[-w] path', parsed), () => stat(context, parsed)),
  },
  {
    name: 'sync',
    usage: 'path',
    about: 'have the server catch up with the leader',
    least: 1,
    async run({ client }, parsed) {
      const path = checkPath(word(parsed, 0));
      try {
        await client.sync(path);
      } catch (error) {
        if (!isKeeperError(error)) throw error;
        return {
          lines: [`Sync has failed. rc=${error.code}`],
          value: { path, synced: false, code: error.codeName },
          isPartial: true,
        };
      }
      return { lines: ['Sync is OK'], value: { path, synced: true } };
    },
  },
  {
    name: 'getAllChildrenNumber',
    usage: 'path',
    about: 'count the nodes below a node, at all depths',
    least: 1,
    async run({ client }, parsed) {
      const path = checkPath(word(parsed, 0));
      const count = await client.getAllChildrenNumber(path);
      return { lines: [String(count)], value: { path, count } };
    },
  },
  {
    name: 'getEphemerals',
    usage: 'path',
    about: 'list the ephemeral nodes of this session, those whose path begins like this',
    async run({ client }, parsed) {
      const ephemerals = await client.getEphemerals(checkPath(parsed.rest[0] ?? '/'));
      return { lines: [`[${ephemerals.join(', ')}]`], value: { ephemerals } };
    },
  },
];

async function create({ client }: Context, parsed: Parsed): Promise<Reply> {
  const { flags, values } = parsed;
  const [e, s, c, t] = [flags.has('e'), flags.has('s'), flags.has('c'), values.has('t')];
  if (c && (e || s)) {
    throw new CommandError('-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.');
  }
  const ttl = t ? ttlOf(values.get('t') ?? '') : undefined;
  if (t && e) throw new CommandError('TTLs cannot be used with Ephemeral znodes');
  if (t && c) throw new CommandError('TTLs cannot be used with Container znodes');
  if (ttl !== undefined && (ttl <= 0 || ttl > MAX_TTL)) {
    throw new CommandError(`ttl must be positive and cannot be larger than: ${MAX_TTL}`);
  }
  const path = checkPath(word(parsed, 0), s);
  const notes: string[] = [];
  const aclWord = parsed.rest[2];
  const acl = aclWord === undefined ? OPEN_ACL_UNSAFE : parseAcl(aclWord, (message) => notes.push(message));
  try {
    // Java's client does not ask the server, and names no path.
    if (acl.length === 0) throw new KeeperError(ErrorCode.InvalidAcl, 'create');
    const made = await client.create(path, {
      data: parsed.rest[1] ?? null,
      mode: modeOf(e, s, c, t),
      acl,
      ...(ttl === undefined ? {} : { ttl }),
    });
    return { notes: [...notes, `Created ${made.path}`], value: { path: made.path } };
  } catch (error) {
    if (isKeeperError(error, 'InvalidAcl')) notes.push(keeperErrorCode(error));
    if (isKeeperError(error, 'EphemeralOnLocalSession'))
      notes.push('Unable to create ephemeral node on a local session');
    throw notes.length === 0 ? error : new NotedError(notes, error);
  }
}

/** A failure with something to say before. */
export class NotedError extends Error {
  readonly notes: readonly string[];
  override readonly cause: unknown;

  constructor(notes: readonly string[], cause: unknown) {
    super('', { cause });
    this.notes = notes;
    this.cause = cause;
  }
}

function ttlOf(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw new CommandError('-t argument must be a long value');
  return Number(text);
}

function modeOf(e: boolean, s: boolean, c: boolean, t: boolean): CreateModeName {
  if (e) return s ? 'ephemeralSequential' : 'ephemeral';
  if (c) return 'container';
  if (s) return t ? 'persistentSequentialWithTtl' : 'persistentSequential';
  return t ? 'persistentWithTtl' : 'persistent';
}

async function deleteAll({ client }: Context, parsed: Parsed): Promise<Reply> {
  const size = numberOf(parsed, 'b') ?? 1000;
  const path = checkPath(word(parsed, 0));
  const paths = (await subtree(client, path, false)).map(({ path: one }) => one).reverse();
  if (size <= 0) {
    for (const one of paths) await client.delete(one);
    return { value: { path, deleted: paths.length } };
  }
  let deleted = 0;
  let failure: unknown;
  const underWay = new Set<Promise<void>>();
  for (const batch of batches(paths, size)) {
    if (failure !== undefined) break;
    let transaction: Transaction<readonly unknown[]> = client.transaction();
    for (const one of batch) transaction = transaction.delete(one);
    const call: Promise<void> = transaction
      .commit()
      .then(
        () => {
          deleted += batch.length;
        },
        (error) => {
          failure ??= error;
        },
      )
      .finally(() => underWay.delete(call));
    underWay.add(call);
    if (underWay.size >= BATCHES) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  if (failure === undefined) return { value: { path, deleted } };
  return {
    notes: ['Failed to delete some node(s) in the subtree!'],
    value: { path, deleted, failed: true },
    isPartial: true,
  };
}

/** Servers refuse larger requests; with room for what is not counted. */
const BATCH_BYTES = 900_000;
const BYTES_PER_DELETE = 20;

/** So many paths together, or as many as one request takes. */
function* batches(paths: readonly string[], size: number): Generator<string[]> {
  let batch: string[] = [];
  let bytes = 0;
  for (const path of paths) {
    const own = Buffer.byteLength(path) + BYTES_PER_DELETE;
    if (batch.length === size || (batch.length > 0 && bytes + own > BATCH_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(path);
    bytes += own;
  }
  if (batch.length > 0) yield batch;
}

async function stat({ client }: Context, parsed: Parsed): Promise<Reply> {
  const path = checkPath(word(parsed, 0));
  const found = await client.exists(path, { watch: isWatched(parsed) });
  if (found === null) throw new KeeperError(ErrorCode.NoNode, 'exists', path);
  return { lines: statLines(found), value: { path, stat: statJson(found) } };
}

async function get({ client }: Context, parsed: Parsed): Promise<Reply> {
  const path = checkPath(word(parsed, 0));
  const { data, stat } = await client.getData(path, { watch: isWatched(parsed) });
  const bytes = data ?? Buffer.from('null');
  let lines = [bytes.toString('utf8')];
  if (parsed.flags.has('b')) lines = [bytes.toString('base64')];
  if (parsed.flags.has('x')) lines = hexDump(bytes);
  const value = parsed.flags.has('b') ? { data: data?.toString('base64') ?? null, encoding: 'base64' } : dataJson(data);
  const isStat = parsed.flags.has('s');
  return {
    lines: isStat ? [...lines, ...statLines(stat)] : lines,
    value: { path, ...value, ...(isStat ? { stat: statJson(stat) } : {}) },
  };
}

async function list({ client }: Context, parsed: Parsed): Promise<Reply> {
  const path = checkPath(word(parsed, 0));
  const watch = isWatched(parsed);
  if (parsed.flags.has('R')) {
    if (watch) await client.getData(path, { watch });
    const paths = inZkCliOrder(await subtree(client, path, watch));
    return { lines: paths, value: { path, paths } };
  }
  const { children, stat } = await client.getChildren(path, { watch });
  children.sort();
  const isStat = parsed.flags.has('s');
  return {
    lines: [`[${children.join(', ')}]`, ...(isStat ? statLines(stat) : [])],
    value: { path, children, ...(isStat ? { stat: statJson(stat) } : {}) },
  };
}

interface Listed {
  readonly path: string;
  readonly children: readonly string[];
}

/** The node and all below, level by level, each level asked for at once. */
async function subtree(client: Client, root: string, watch: boolean): Promise<Listed[]> {
  const all: Listed[] = [];
  let level = [root];
  while (level.length > 0) {
    const answers: Promise<Listed | undefined>[] = [];
    for (const path of level) {
      const ask = client.getChildren(path, { watch }).then(({ children }) => {
        const sorted = children.sort().map((name) => (path === '/' ? `/${name}` : `${path}/${name}`));
        return { path, children: sorted };
      });
      // A node can be gone meanwhile; that the first is not there is told.
      const answer = path === root ? ask : ask.catch(unlessGone);
      answer.catch(() => {}); // it may fail before all are awaited
      answers.push(answer);
      await client.drained();
    }
    const found = (await Promise.all(answers)).filter((one) => one !== undefined);
    for (const one of found) all.push(one); // there can be more than a call takes arguments
    level = found.flatMap(({ children }) => children);
  }
  return all;
}

function unlessGone(error: unknown): undefined {
  if (!isKeeperError(error, 'NoNode')) throw error;
}

/** All children of a node, then what is below each of them. */
function inZkCliOrder(nodes: readonly Listed[]): string[] {
  const below = new Map(nodes.map(({ path, children }) => [path, children]));
  const order: string[] = [];
  const stack: string[] = [];
  const first = nodes[0];
  if (first === undefined) return order;
  order.push(first.path);
  stack.push(first.path);
  for (let path = stack.pop(); path !== undefined; path = stack.pop()) {
    const children = below.get(path) ?? [];
    for (const child of children) order.push(child);
    for (const child of [...children].reverse()) stack.push(child);
  }
  return order;
}

/** With -w, or with a further word, as the first versions of ZooKeeper had it. */
function isWatched({ flags, rest }: Parsed): boolean {
  return flags.has('w') || rest.length > 1;
}

/** The notes stand before the answer, and before a failure too. */
async function withNotes(notes: readonly string[], run: () => Promise<Reply>): Promise<Reply> {
  try {
    return { ...(await run()), notes };
  } catch (error) {
    throw notes.length === 0 ? error : new NotedError(notes, error);
  }
}

function oldWatch(name: string, usage: string, { rest }: Parsed): string[] {
  if (rest.length <= 1) return [];
  return [`'${name} path [watch]' has been deprecated. Please use '${name} ${usage}' instead.`];
}

function base64(text: string): Buffer {
  const data = Buffer.from(text, 'base64');
  if (data.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, ''))
    throw new CommandError('the data is no base64');
  return data;
}
