// The audit log: a line per write with who, from where, what and the result. Fields, order and texts are those of Apache ZooKeeper's
// AuditEvent and Slf4jAuditLogger.

import { userInfo } from 'node:os';
import { type Acl, ErrorCode, OpCode } from '@nodekeeper/protocol';
import type { Logger } from '../log.js';
import type { PendingWrite } from '../request/fifo.js';
import { userName } from '../request/identity.js';
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
  return userInfo().username;
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

/** The event of a decided write, as far as the write tells; undefined if it is not audited. */
export function eventOfWrite(write: PendingWrite, error: number): AuditEvent | undefined {
  const operation = OPERATIONS.get(write.op);
  if (operation === undefined) return undefined;
  const { client } = write;
  return {
    session: client?.session?.id,
    user: client === null ? serverUser() : auditUser(write.identities),
    ip: client?.remoteAddress,
    operation,
    znode: operation === 'multiOperation' ? undefined : (write.path ?? undefined),
    result: error === ErrorCode.Ok ? 'success' : 'failure',
  };
}

/** A function for the server's hook that writes a line for each decided write. */
export function createAudit(logger: Logger): (write: PendingWrite, error: number) => void {
  const sink = createAuditSink(logger);
  return (write, error) => {
    const event = eventOfWrite(write, error);
    if (event !== undefined) sink.record(event);
  };
}
