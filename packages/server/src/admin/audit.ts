// The audit log: a line per write with who, from where, what and the result. Fields, order and texts are those of Apache ZooKeeper's
// AuditEvent and Slf4jAuditLogger.

import { type Acl, DecodeError, ErrorCode, JuteReader, OpCode } from '@nodekeeper/protocol';
import type { Logger } from '../log.js';
import { processUser } from '../process-user.js';
import { decodeCreate, decodeMulti, decodeSetAcl } from '../request/decode.js';
import type { PendingWrite } from '../request/fifo.js';
import { userName } from '../request/identity.js';
import { TXN_HEADER_SIZE } from '../tree/txn-types.js';
import { hex } from './java-text.js';

export type AuditOperation =
  | 'serverStart'
  | 'serverStop'
  | 'create'
  | 'delete'
  | 'setData'
  | 'setAcl'
  | 'multiOperation'
  | 'reconfig'
  | 'ephemeralZNodeDeletionOnSessionCloseOrExpire';

/** One thing to tell; what is undefined is left out of the line. */
export interface AuditEvent {
  readonly session?: bigint | undefined;
  /** See {@link auditUser} and {@link serverUser}. */
  readonly user?: string | undefined;
  readonly ip?: string | undefined;
  readonly operation: AuditOperation;
  readonly znode?: string | undefined;
  /** See {@link znodeType}. */
  readonly znodeType?: string | undefined;
  /** See {@link aclText}. */
  readonly acl?: string | undefined;
  readonly result: 'success' | 'failure' | 'invoked';
}

/** Where events go. Who has events to tell holds an `AuditSink | undefined`: with no sink nothing is made. */
export interface AuditSink {
  record(event: AuditEvent): void;
}

/** The line of an event: tab-separated `key=value`, the result last. */
export function auditLine(event: AuditEvent): string {
  let line = '';
  const field = (key: string, value: string | undefined): void => {
    if (value !== undefined) line += `${key}=${oneField(value)}\t`;
  };
  field('session', event.session === undefined ? undefined : hex(event.session));
  field('user', event.user);
  field('ip', event.ip);
  field('operation', event.operation);
  field('znode', event.znode);
  field('znode_type', event.znodeType);
  field('acl', event.acl);
  return `${line}result=${event.result}`;
}

/** Names and paths may hold any character: one that ends a field or a line would let a client forge entries. */
function oneField(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return value.replace(/[\x00-\x1f\x7f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A sink that writes lines to a log: failures as errors, the rest as information. */
export function createAuditSink(logger: Logger): AuditSink {
  return {
    record(event) {
      const line = auditLine(event);
      if (event.result === 'failure') logger.error({ audit: true }, line);
      else logger.info({ audit: true }, line);
    },
  };
}

/** The user of what the server does by itself: the one its process runs as. */
export function serverUser(): string {
  return processUser().name;
}

/** The user of a connection: the names of its identities. */
export function auditUser(identities: readonly { readonly scheme: string; readonly id: string }[]): string {
  return identities.map(userName).join(',');
}

/** A list as the log shows it: `scheme:id:perms`, one behind the other with nothing between, as Apache does. */
export function aclText(list: readonly Acl[]): string {
  return list.map(({ scheme, id, perms }) => `${scheme}:${id}:${permissionLetters(perms)}`).join('');
}

function permissionLetters(perms: number): string {
  let letters = '';
  for (const [bit, letter] of [
    [4, 'c'],
    [8, 'd'],
    [1, 'r'],
    [2, 'w'],
    [16, 'a'],
  ] as const) {
    if ((perms & bit) !== 0) letters += letter;
  }
  return letters;
}

const TYPES = [
  'persistent',
  'ephemeral',
  'persistent_sequential',
  'ephemeral_sequential',
  'container',
  'persistent_with_ttl',
  'persistent_sequential_with_ttl',
];

/** The name of a create request's flags (0 to 6); undefined for others. */
export function znodeType(flags: number): string | undefined {
  return TYPES[flags];
}

const OPERATIONS = new Map<number, AuditOperation>([
  [OpCode.create, 'create'],
  [OpCode.create2, 'create'],
  [OpCode.createContainer, 'create'],
  [OpCode.createTTL, 'create'],
  [OpCode.delete, 'delete'],
  [OpCode.deleteContainer, 'delete'],
  [OpCode.setData, 'setData'],
  [OpCode.setACL, 'setAcl'],
  [OpCode.multi, 'multiOperation'],
  [OpCode.reconfig, 'reconfig'],
]);

/**
 * The events of a decided write, as Apache's AuditHelper makes them: one, or one for each part of a multi that took effect.
 * @param entry the write's log entry
 */
function eventsOfWrite(write: PendingWrite, error: number, entry: Buffer): AuditEvent[] {
  const { client, op } = write;
  const operation = OPERATIONS.get(op);
  if (operation === undefined) return [];
  if (client === null) {
    // The server's own; a request that came through another server is told there.
    if (op !== OpCode.deleteContainer) return [];
    return [{ user: serverUser(), operation, znode: write.path ?? undefined, result: resultOf(error) }];
  }
  const who = { session: client.session?.id, user: auditUser(write.identities), ip: client.remoteAddress };
  if (op === OpCode.multi) {
    return partsOf(write, error, entry).map((part) => ({ ...who, ...part }));
  }
  return [{ ...who, operation, ...detailsOf(write, error, entry), result: resultOf(error) }];
}

type Details = Pick<AuditEvent, 'znode' | 'znodeType' | 'acl'>;
type Part = Details & Pick<AuditEvent, 'operation' | 'result'>;

function resultOf(error: number): 'success' | 'failure' {
  return error === ErrorCode.Ok ? 'success' : 'failure';
}

/** What the request says, and for a new node the name that it got. Nothing of a request that cannot be decoded. */
function detailsOf(write: PendingWrite, error: number, entry: Buffer): Details {
  const { op } = write;
  const made = error === ErrorCode.Ok ? pathOf(entry, TXN_HEADER_SIZE) : undefined;
  if (op === OpCode.reconfig) return made === undefined ? {} : { znode: made };
  try {
    const r = readerOf(write);
    switch (op) {
      case OpCode.create:
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL: {
        const { path, flags } = decodeCreate(op, r);
        return { znode: made ?? path ?? undefined, znodeType: znodeType(flags) };
      }
      case OpCode.setACL: {
        const { path, acl } = decodeSetAcl(r);
        return { znode: path ?? undefined, acl: aclText(acl ?? []) };
      }
      default:
        return { znode: r.string() ?? undefined };
    }
  } catch (e) {
    if (!(e instanceof DecodeError)) throw e;
    return {};
  }
}

/** The parts of a multi that change nodes; of one that failed, only that it did. */
function partsOf(write: PendingWrite, error: number, entry: Buffer): Part[] {
  const failed: Part[] = [{ operation: 'multiOperation', result: 'failure' }];
  if (error !== ErrorCode.Ok) return failed;
  const requests = decodeMulti(readerOf(write));
  const parts: Part[] = [];
  // MultiTxn: vector<Txn>, Txn: int type, buffer body
  const r = new JuteReader(entry, TXN_HEADER_SIZE, entry.length, entry.length);
  const count = r.int();
  for (let i = 0; i < count; i++) {
    const type = r.int();
    const length = r.int();
    const znode = type === OpCode.error ? undefined : pathOf(entry, r.pos);
    r.pos += length;
    if (type === OpCode.error) return failed;
    const operation = OPERATIONS.get(type);
    const request = requests[i];
    if (operation === undefined) continue; // a check
    const flags = request !== undefined && 'flags' in request ? request.flags : -1;
    parts.push({ operation, znode, znodeType: znodeType(flags), result: 'success' });
  }
  return parts;
}

/** The write's request, which was judged by its lengths before. */
function readerOf({ request }: PendingWrite): JuteReader {
  const buf = request ?? Buffer.alloc(0);
  return new JuteReader(buf, 0, buf.length, buf.length);
}

/** The path with which the transaction at `at` begins. */
function pathOf(entry: Buffer, at: number): string | undefined {
  return new JuteReader(entry, at, entry.length, entry.length).string() ?? undefined;
}

/** Writes a line for what the server does and what its clients do. */
export class Audit {
  private readonly sink: AuditSink;

  constructor(logger: Logger) {
    this.sink = createAuditSink(logger);
  }

  /** A write was decided; `entry` is its log entry. */
  write(write: PendingWrite, error: number, entry: Buffer): void {
    for (const event of eventsOfWrite(write, error, entry)) this.sink.record(event);
  }

  /** A node went with its session. */
  ephemeralDeleted(session: bigint, znode: string): void {
    const operation = 'ephemeralZNodeDeletionOnSessionCloseOrExpire';
    this.sink.record({ session, user: serverUser(), operation, znode, result: 'success' });
  }

  started(result: 'success' | 'failure'): void {
    this.sink.record({ user: serverUser(), operation: 'serverStart', result });
  }

  stopping(): void {
    this.sink.record({ user: serverUser(), operation: 'serverStop', result: 'invoked' });
  }
}
