// Transactions of a log as text, as Apache's TxnLogToolkit prints them, and as values for JSON.

import { type Acl, decodeUtf8, JuteReader, OpCode, readAclList } from '@nodekeeper/protocol';
import { bareHex } from '@nodekeeper/server/java-text';
import { aclText } from '../../shell/texts.js';

export interface Txn {
  readonly sessionId: bigint;
  readonly cxid: number;
  readonly zxid: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly type: number;
  /** What stands behind the header. */
  readonly body: Body;
}

type Body =
  | {
      readonly kind: 'create';
      readonly path: string | null;
      readonly data: Buffer | null;
      readonly acl: Acl[] | null;
      readonly more: readonly (number | bigint | boolean)[];
    }
  | { readonly kind: 'setData'; readonly path: string | null; readonly data: Buffer | null; readonly version: number }
  | { readonly kind: 'setACL'; readonly path: string | null; readonly acl: Acl[] | null; readonly version: number }
  | { readonly kind: 'path'; readonly path: string | null }
  | { readonly kind: 'check'; readonly path: string | null; readonly version: number }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'paths'; readonly paths: (string | null)[] | null }
  | { readonly kind: 'multi'; readonly txns: { readonly type: number; readonly data: Buffer | null }[] }
  | { readonly kind: 'none' };

const NAMES = new Map<number, string>(Object.entries(OpCode).map(([name, code]) => [code, name]));

export function typeName(type: number): string {
  // As Apache's toolkit spells it.
  if (type === OpCode.createTTL) return 'createTtl';
  return NAMES.get(type) ?? `unknown ${type}`;
}

/** Decodes an entry of a log. @throws DecodeError if it does not hold what its type demands */
export function readTxn(entry: Buffer): Txn {
  const r = new JuteReader(entry, 0, entry.length, entry.length);
  const sessionId = r.long();
  const cxid = r.int();
  const zxid = r.long53();
  const time = r.long53();
  const type = r.int();
  return { sessionId, cxid, zxid, time, type, body: readBody(r, type) };
}

function readBody(r: JuteReader, type: number): Body {
  switch (type) {
    case OpCode.create:
    case OpCode.create2: {
      // Versions before 3.4 wrote no version of the parent.
      const node = { path: r.string(), data: r.buffer(), acl: readAclList(r) };
      const isEphemeral = r.bool();
      return { kind: 'create', ...node, more: [isEphemeral, r.remaining >= 4 ? r.int() : -1] };
    }
    case OpCode.createContainer:
      return { kind: 'create', path: r.string(), data: r.buffer(), acl: readAclList(r), more: [r.int()] };
    case OpCode.createTTL:
      return { kind: 'create', path: r.string(), data: r.buffer(), acl: readAclList(r), more: [r.int(), r.long()] };
    case OpCode.setData:
    case OpCode.reconfig:
      return { kind: 'setData', path: r.string(), data: r.buffer(), version: r.int() };
    case OpCode.setACL:
      return { kind: 'setACL', path: r.string(), acl: readAclList(r), version: r.int() };
    case OpCode.delete:
    case OpCode.deleteContainer:
      return { kind: 'path', path: r.string() };
    case OpCode.check:
      return { kind: 'check', path: r.string(), version: r.int() };
    case OpCode.createSession:
    case OpCode.error:
      return { kind: 'number', value: r.int() };
    case OpCode.closeSession:
      // Versions before 3.6 wrote none.
      return r.remaining < 4 ? { kind: 'none' } : { kind: 'paths', paths: r.vector((item) => item.string()) };
    case OpCode.multi:
      return { kind: 'multi', txns: r.vector((item) => ({ type: item.int(), data: item.buffer() })) ?? [] };
    default:
      return { kind: 'none' };
  }
}

/** `session 0x… cxid 0x… zxid 0x… create /a,…`, without the date before it. */
export function txnText(txn: Txn): string {
  const { sessionId, cxid, zxid, type, body } = txn;
  const ids = `session 0x${bareHex(sessionId)} cxid 0x${bareHex(cxid)} zxid 0x${bareHex(zxid)}`;
  return `${ids} ${typeName(type)} ${bodyText(body)}`;
}

function bodyText(body: Body): string {
  switch (body.kind) {
    case 'create':
      return `${body.path},${plain(body.data)},${aclVector(body.acl)},${body.more.join(',')}`;
    case 'setData':
      return `${body.path},${plain(body.data)},${body.version}`;
    case 'setACL':
      return `${csv(body.path)},v{${(body.acl ?? []).map((one) => `s{${aclCsv(one)}}`).join(',')}},${body.version}\n`;
    case 'path':
      return `${csv(body.path)}\n`;
    case 'check':
      return `${csv(body.path)},${body.version}\n`;
    case 'number':
      return `${body.value}\n`;
    case 'paths':
      return `v{${(body.paths ?? []).map(csv).join(',')}}\n`;
    case 'multi':
      return body.txns.map(({ type, data }) => `${typeName(type)}:${plain(data)}`).join(';');
    case 'none':
      return '';
  }
}

function plain(data: Buffer | null): string {
  return data === null ? '' : decodeUtf8(data, 0, data.length);
}

/** A list of records, each with the line break that Java's records end with. */
function aclVector(acl: readonly Acl[] | null): string {
  return acl === null ? 'null' : `[${acl.map((one) => `${aclCsv(one)}\n`).join(', ')}]`;
}

function aclCsv({ perms, scheme, id }: Acl): string {
  return `${perms},s{${csv(scheme)},${csv(id)}}`;
}

/** A string in Jute's CSV form. */
function csv(text: string | null): string {
  if (text === null) return '';
  const escaped = text.replace(
    /[\0\n\r,}%]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
  return `'${escaped}`;
}

/** The transaction for JSON. */
export function txnJson(txn: Txn): Record<string, unknown> {
  const { sessionId, cxid, zxid, time, type, body } = txn;
  return {
    zxid: `0x${bareHex(zxid)}`,
    time: new Date(time).toISOString(),
    session: `0x${bareHex(sessionId)}`,
    cxid,
    type: typeName(type),
    ...bodyJson(body),
  };
}

function bodyJson(body: Body): Record<string, unknown> {
  switch (body.kind) {
    case 'create':
      return { path: body.path, data: body.data?.toString('base64') ?? null, acl: aclText(body.acl ?? []) };
    case 'setData':
      return { path: body.path, data: body.data?.toString('base64') ?? null, version: body.version };
    case 'setACL':
      return { path: body.path, acl: aclText(body.acl ?? []), version: body.version };
    case 'path':
      return { path: body.path };
    case 'check':
      return { path: body.path, version: body.version };
    case 'number':
      return { value: body.value };
    case 'paths':
      return { paths: body.paths };
    case 'multi':
      return {
        txns: body.txns.map(({ type, data }) => {
          const part =
            data === null
              ? { kind: 'none' as const }
              : readBody(new JuteReader(data, 0, data.length, data.length), type);
          return { type: typeName(type), ...bodyJson(part) };
        }),
      };
    case 'none':
      return {};
  }
}
