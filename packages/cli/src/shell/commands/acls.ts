// Commands on access: getAcl, setAcl, addauth, whoami.

import { type Acl, type Client, isKeeperError, KeeperError, type Stat } from '@nodekeeper/client';
import { ErrorCode } from '@nodekeeper/protocol';
import { type Command, type Context, type Reply, word } from '../command.js';
import { keeperErrorCode } from '../failure.js';
import { numberOf, type Parsed } from '../options.js';
import { checkPath } from '../path-check.js';
import { aclLines, aclText, parseAcl, statJson, statLines } from '../texts.js';
import { NotedError } from './nodes.js';

export const aclCommands: readonly Command[] = [
  {
    name: 'getAcl',
    usage: '[-s] path',
    about: 'print who may do what with a node, -s with its stat',
    flags: ['s'],
    least: 1,
    async run({ client }, parsed) {
      const path = checkPath(word(parsed, 0));
      const { acl, stat } = await client.getACL(path);
      const isStat = parsed.flags.has('s');
      return {
        lines: [...aclLines(acl), ...(isStat ? statLines(stat) : [])],
        value: { path, acl: acl.map((one) => aclText([one])), ...(isStat ? { stat: statJson(stat) } : {}) },
      };
    },
  },
  {
    name: 'setAcl',
    usage: '[-s] [-v version] [-R] path acl',
    about:
      'say who may do what: scheme:id:perms,… with perms of cdrwa; -v only in this aclVersion, -R everything below too',
    flags: ['s', 'R'],
    values: ['v'],
    least: 2,
    run: setAcl,
  },
  {
    name: 'addauth',
    usage: 'scheme auth',
    about: 'present an identity, as in: addauth digest user:password',
    least: 1,
    async run({ client }, parsed) {
      const [scheme = '', auth] = parsed.rest;
      // An empty text would be taken for a user. Apache's server refuses what zkCli sends, and ends the session.
      if (scheme === 'digest' && auth === undefined) throw new KeeperError(ErrorCode.AuthFailed, 'auth');
      await client.addAuth(scheme, auth ?? '');
      return { value: { scheme: word(parsed, 0) } };
    },
  },
  {
    name: 'whoami',
    usage: '',
    about: 'list the identities of this session',
    async run({ client }) {
      const identities = await client.whoAmI();
      return {
        lines: ['Auth scheme: User', ...identities.map(({ scheme, id }) => `${scheme}: ${id}`)],
        value: { identities },
      };
    },
  },
];

async function setAcl({ client }: Context, parsed: Parsed): Promise<Reply> {
  const notes: string[] = [];
  const acl = parseAcl(word(parsed, 1), (message) => notes.push(message));
  const path = checkPath(word(parsed, 0));
  const version = numberOf(parsed, 'v') ?? -1;
  if (parsed.flags.has('R')) return setBelow(client, path, acl, version, notes);
  let stat: Stat;
  try {
    // Java's client does not ask the server, and names no path.
    if (acl.length === 0) throw new KeeperError(ErrorCode.InvalidAcl, 'setACL');
    stat = await client.setACL(path, acl, { version });
  } catch (error) {
    throw notes.length === 0 ? error : new NotedError(notes, error);
  }
  return { notes, lines: parsed.flags.has('s') ? statLines(stat) : [], value: { path, stat: statJson(stat) } };
}

/** One after the other from the top: what may not be changed is told, and the rest goes on. */
async function setBelow(
  client: Client,
  root: string,
  acl: readonly Acl[],
  version: number,
  notes: string[],
): Promise<Reply> {
  const failures: string[] = [];
  let changed = 0;
  await client.getData(root);
  const stack = [root];
  for (let path = stack.pop(); path !== undefined; path = stack.pop()) {
    const { children } = await client.getChildren(path).catch((error: unknown) => {
      if (isKeeperError(error, 'NoNode')) return { children: [] };
      throw error;
    });
    const at = path === '/' ? '' : path;
    for (const name of children.sort().reverse()) stack.push(`${at}/${name}`);
    await client.setACL(path, acl, { version }).then(
      () => changed++,
      (error) => failures.push(isKeeperError(error) ? keeperErrorCode(error) : String(error)),
    );
  }
  return { notes: [...notes, ...failures], value: { path: root, changed, failures }, isPartial: failures.length > 0 };
}
