// What simulated clients ask for, and how it is written and read on the wire.

import { AddWatchMode, type JuteReader, JuteWriter, OpCode, readStat, type Stat } from '@nodekeeper/protocol';
import type { WriteOp } from './model.js';
import { quote } from './txn.js';

export type ReadOp =
  | { readonly kind: 'get' | 'exists' | 'children'; readonly path: string; readonly watch: boolean }
  | { readonly kind: 'addWatch'; readonly path: string; readonly recursive: boolean }
  | { readonly kind: 'sync'; readonly path: string };

export type Operation =
  | WriteOp
  | ReadOp
  | { readonly kind: 'multi'; readonly ops: readonly WriteOp[] }
  | {
      readonly kind: 'reconfig';
      readonly joining: string | null;
      readonly leaving: string | null;
      /** All of them, a line each, instead of who joins and leaves. */
      readonly members: string | null;
    }
  | { readonly kind: 'closeSession' };

/** What a successful answer holds, each where the operation has it. */
export interface Answer {
  readonly path?: string;
  readonly data?: Buffer;
  readonly stat?: Stat;
  readonly children?: readonly string[];
  /** Of the parts of a multi: error codes. */
  readonly codes?: readonly number[];
  /** Of the parts of a multi: paths of what was created. */
  readonly paths?: readonly string[];
}

export function tellOperation(op: Operation): string {
  switch (op.kind) {
    case 'create':
      return `create ${op.path}${op.sequential ? '#' : ''} ${quote(op.data)}${op.ephemeral ? ' ephemeral' : ''}`;
    case 'delete':
      return `delete ${op.path}${op.version === -1 ? '' : ` v${op.version}`}`;
    case 'set':
      return `set ${op.path} ${quote(op.data)}${op.version === -1 ? '' : ` v${op.version}`}`;
    case 'sync':
      return 'sync';
    case 'addWatch':
      return `watch ${op.path}${op.recursive ? ' and below' : ''} persistently`;
    case 'closeSession':
      return 'close session';
    case 'reconfig':
      if (op.members !== null) return `reconfig =${op.members.replaceAll('\n', ' ')}`;
      return `reconfig ${op.joining === null ? '' : `+${op.joining}`}${op.leaving === null ? '' : `-${op.leaving}`}`;
    case 'multi':
      return `multi [${op.ops.map(tellOperation).join(', ')}]`;
    default:
      return `${op.kind} ${op.path}${op.watch ? ' watched' : ''}`;
  }
}

/** What becomes a transaction, and is answered with its zxid. */
export function isWrite(op: Operation): op is WriteOp | Extract<Operation, { kind: 'multi' | 'reconfig' }> {
  return op.kind === 'multi' || op.kind === 'reconfig' || isSingleWrite(op);
}

export function isSingleWrite(op: Operation): op is WriteOp {
  return op.kind === 'create' || op.kind === 'delete' || op.kind === 'set';
}

function codeOf(op: Operation): number {
  switch (op.kind) {
    case 'create':
      return OpCode.create2;
    case 'delete':
      return OpCode.delete;
    case 'set':
      return OpCode.setData;
    case 'get':
      return OpCode.getData;
    case 'exists':
      return OpCode.exists;
    case 'children':
      return OpCode.getChildren2;
    case 'sync':
      return OpCode.sync;
    case 'addWatch':
      return OpCode.addWatch;
    case 'multi':
      return OpCode.multi;
    case 'reconfig':
      return OpCode.reconfig;
    case 'closeSession':
      return OpCode.closeSession;
  }
}

/** A request with its header. */
export function encode(op: Operation, xid: number): Buffer {
  const w = new JuteWriter();
  w.int(xid).int(codeOf(op));
  body(w, op);
  return w.bytes();
}

function body(w: JuteWriter, op: Operation): void {
  switch (op.kind) {
    case 'create':
      w.string(op.path).buffer(Buffer.from(op.data));
      w.int(1).int(31).string('world').string('anyone');
      w.int((op.ephemeral ? 1 : 0) + (op.sequential ? 2 : 0));
      break;
    case 'delete':
      w.string(op.path).int(op.version);
      break;
    case 'set':
      w.string(op.path).buffer(Buffer.from(op.data)).int(op.version);
      break;
    case 'get':
    case 'exists':
    case 'children':
      w.string(op.path).bool(op.watch);
      break;
    case 'sync':
      w.string(op.path);
      break;
    case 'addWatch':
      w.string(op.path).int(op.recursive ? AddWatchMode.persistentRecursive : AddWatchMode.persistent);
      break;
    case 'multi':
      for (const part of op.ops) {
        w.int(codeOf(part)).bool(false).int(-1);
        body(w, part);
      }
      w.int(-1).bool(true).int(-1);
      break;
    case 'reconfig':
      w.string(op.joining).string(op.leaving).string(op.members).long53(-1);
      break;
    case 'closeSession':
      break;
  }
}

/** Reads what follows the header of a reply; `error` is the header's. */
export function decode(op: Operation, error: number, r: JuteReader): Answer {
  if (error !== 0 && op.kind !== 'multi') return {};
  switch (op.kind) {
    case 'create':
      return { path: r.string() ?? '', stat: readStat(r) };
    case 'set':
    case 'exists':
      return { stat: readStat(r) };
    case 'get':
    case 'reconfig':
      return { data: Buffer.from(r.buffer() ?? []), stat: readStat(r) };
    case 'children':
      return { children: r.vector((x) => x.string() ?? '') ?? [], stat: readStat(r) };
    case 'sync':
      return { path: r.string() ?? '' };
    case 'multi':
      return r.remaining === 0 ? {} : decodeMulti(r);
    default:
      return {};
  }
}

function decodeMulti(r: JuteReader): Answer {
  const codes: number[] = [];
  const paths: string[] = [];
  for (;;) {
    const type = r.int();
    const done = r.bool();
    r.int();
    if (done) return { codes, paths };
    switch (type) {
      case OpCode.error:
        codes.push(r.int());
        break;
      case OpCode.create:
      case OpCode.create2:
        codes.push(0);
        paths.push(r.string() ?? '');
        if (type === OpCode.create2) readStat(r);
        break;
      case OpCode.setData:
        codes.push(0);
        readStat(r);
        break;
      default:
        codes.push(0);
    }
  }
}
