// Transactions as they stand in logs, read by code of the simulator's own: what the checkers hold the servers to.
// Layout: docs/protocol.md, "Logs".

import { JuteReader, OpCode, readAclList } from '@nodekeeper/protocol';

export type Change =
  | {
      readonly kind: 'create';
      readonly path: string;
      readonly data: Buffer;
      readonly owner: 'none' | 'session' | 'container' | 'ttl';
    }
  | { readonly kind: 'delete'; readonly path: string }
  | { readonly kind: 'setData'; readonly path: string; readonly data: Buffer; readonly version: number }
  | { readonly kind: 'setAcl'; readonly path: string; readonly version: number }
  | { readonly kind: 'check'; readonly path: string }
  | { readonly kind: 'reconfig'; readonly path: string; readonly data: Buffer }
  | { readonly kind: 'createSession'; readonly timeout: number }
  | { readonly kind: 'closeSession'; readonly paths: readonly string[] }
  | { readonly kind: 'error'; readonly code: number }
  | { readonly kind: 'multi'; readonly changes: readonly Change[] };

export interface Txn {
  readonly session: bigint;
  readonly cxid: number;
  readonly zxid: number;
  readonly time: number;
  readonly change: Change;
}

/** @throws Error for what is no transaction */
export function readTxn(entry: Buffer): Txn {
  const r = new JuteReader(entry);
  const session = r.long();
  const cxid = r.int();
  const zxid = r.long53();
  const time = r.long53();
  const change = readChange(r.int(), r);
  return { session, cxid, zxid, time, change };
}

function readChange(type: number, r: JuteReader): Change {
  const path = (): string => r.string() ?? '';
  const data = (): Buffer => Buffer.from(r.buffer() ?? []);
  switch (type) {
    case OpCode.create:
    case OpCode.create2: {
      const head = { kind: 'create', path: path(), data: data() } as const;
      readAclList(r);
      return { ...head, owner: r.bool() ? 'session' : 'none' };
    }
    case OpCode.createContainer:
    case OpCode.createTTL: {
      const head = { kind: 'create', path: path(), data: data() } as const;
      readAclList(r);
      return { ...head, owner: type === OpCode.createTTL ? 'ttl' : 'container' };
    }
    case OpCode.delete:
    case OpCode.deleteContainer:
      return { kind: 'delete', path: path() };
    case OpCode.setData:
      return { kind: 'setData', path: path(), data: data(), version: r.int() };
    case OpCode.reconfig:
      return { kind: 'reconfig', path: path(), data: data() };
    case OpCode.setACL: {
      const at = path();
      readAclList(r);
      return { kind: 'setAcl', path: at, version: r.int() };
    }
    case OpCode.check:
      return { kind: 'check', path: path() };
    case OpCode.createSession:
      return { kind: 'createSession', timeout: r.int() };
    case OpCode.closeSession:
      return { kind: 'closeSession', paths: r.vector(path) ?? [] };
    case OpCode.error:
      return { kind: 'error', code: r.int() };
    case OpCode.multi: {
      const changes = r.vector((part) => {
        const one = part.int();
        return readChange(one, new JuteReader(part.buffer() ?? Buffer.alloc(0)));
      });
      return { kind: 'multi', changes: changes ?? [] };
    }
    default:
      throw new Error(`a transaction of type ${type}`);
  }
}

/** Visits the records in what is written to a log. */
export function* records(bytes: Buffer, position: number): Generator<Buffer> {
  const HEADER = 16;
  const RECORD_HEAD = 12;
  let at = position === 0 ? HEADER : 0;
  while (at + RECORD_HEAD < bytes.length) {
    const length = bytes.readInt32BE(at + 8);
    if (length <= 0) return;
    yield bytes.subarray(at + RECORD_HEAD, at + RECORD_HEAD + length);
    at += RECORD_HEAD + length + 1;
  }
}

/** Data as a line shows them: all of them if they are short. */
export function quote(data: Buffer | string): string {
  return data.length <= 20 ? `'${data}'` : `'${data.toString().slice(0, 6)}…' of ${data.length} bytes`;
}

/** A transaction in words. */
export function tell({ session, cxid, change }: Txn): string {
  return `${tellChange(change)} by 0x${session.toString(16)}/${cxid}`;
}

function tellChange(change: Change): string {
  switch (change.kind) {
    case 'create':
      return `create ${change.path} ${quote(change.data)}${change.owner === 'none' ? '' : ` (${change.owner})`}`;
    case 'setData':
      return `set ${change.path} ${quote(change.data)} v${change.version}`;
    case 'reconfig':
      return 'reconfig';
    case 'delete':
    case 'setAcl':
    case 'check':
      return `${change.kind} ${change.path}`;
    case 'createSession':
      return `create session of ${change.timeout} ms`;
    case 'closeSession':
      return `close session with ${change.paths.join(' ') || 'nothing'}`;
    case 'error':
      return `error ${change.code}`;
    case 'multi':
      return `multi [${change.changes.map(tellChange).join(', ')}]`;
  }
}
