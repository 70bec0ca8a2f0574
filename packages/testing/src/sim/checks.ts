// What is checked when a run is over: every answer against the plain model at the zxid that the answer shows.

import { isDeepStrictEqual } from 'node:util';
import { ErrorCode } from '@nodekeeper/protocol';
import type { Call, History } from './history.js';
import { Model, ModelError, type WriteOp } from './model.js';
import { isSingleWrite, isWrite, tellOperation } from './operations.js';
import { checkSessions } from './session-checks.js';
import { EPOCH, type Truth } from './truth.js';
import { quote, type Txn } from './txn.js';
import { checkWatches } from './watch-checks.js';

export interface Finding {
  readonly kind: string;
  readonly message: string;
}

/** Answers that say nothing about the tree. */
const SESSION_ERRORS: ReadonlySet<number> = new Set([ErrorCode.SessionExpired, ErrorCode.SessionMoved]);

/** @param localSessions whether sessions begin as their server's own */
export function* checkHistory(history: History, truth: Truth, localSessions: boolean): Generator<Finding> {
  yield* checkOrder(history);
  let sound = true;
  for (const finding of checkAnswers(history, truth)) {
    if (finding.kind === 'transactions') sound = false;
    yield finding;
  }
  if (sound) {
    yield* checkWatches(history, truth);
    yield* checkSessions(history, truth, localSessions);
  }
}

/** Writes in the order of real time have rising zxids; so has what a client sees after a sync. */
function* checkOrder(history: History): Generator<Finding> {
  const answered = history.calls.filter((call) => call.reply !== undefined);
  const moments: { order: number; call: Call; sent: boolean }[] = [];
  for (const call of answered) {
    moments.push({ order: call.sentOrder, call, sent: true });
    moments.push({ order: call.reply?.order ?? 0, call, sent: false });
  }
  moments.sort((a, b) => a.order - b.order);
  let written = 0;
  const floor = new Map<Call, number>();
  for (const { call, sent } of moments) {
    const zxid = call.reply?.zxid ?? 0;
    const ordered = isWrite(call.op);
    if (sent) {
      if (ordered || call.op.kind === 'sync') floor.set(call, written);
      continue;
    }
    const least = floor.get(call);
    // A leader that does not know yet that it was deposed answers syncs: that is known of ZooKeeper.
    const deposed = !ordered && Math.floor(zxid / EPOCH) < Math.floor((least ?? 0) / EPOCH);
    if (least !== undefined && zxid > 0 && !deposed && (ordered ? zxid <= least : zxid < least)) {
      yield {
        kind: 'linearizability',
        message: `${call.client}: ${tellOperation(call.op)} at 0x${zxid.toString(16)} was asked for after 0x${least.toString(16)} was answered`,
      };
    }
    if (ordered && zxid > written) written = zxid;
  }
}

function* checkAnswers(history: History, truth: Truth): Generator<Finding> {
  const writes = new Map<number, Call>();
  const reads: Call[] = [];
  for (const call of history.calls) {
    if (call.reply === undefined) continue;
    if (isWrite(call.op)) {
      const other = writes.get(call.reply.zxid);
      if (other !== undefined)
        yield { kind: 'order', message: `two writes are answered with zxid 0x${call.reply.zxid.toString(16)}` };
      writes.set(call.reply.zxid, call);
    } else if (call.op.kind !== 'closeSession' && call.op.kind !== 'sync') reads.push(call);
  }
  reads.sort((a, b) => (a.reply?.zxid ?? 0) - (b.reply?.zxid ?? 0));
  const model = new Model();
  let next = 0;
  const readUpTo = function* (zxid: number): Generator<Finding> {
    for (; next < reads.length; next++) {
      const call = reads[next] as Call;
      if ((call.reply?.zxid ?? 0) >= zxid) return;
      yield* checkRead(model, call);
    }
  };
  const seen = new Set<string>();
  const lastCxid = new Map<bigint, number>();
  for (const txn of truth.history()) {
    yield* readUpTo(txn.zxid);
    const call = writes.get(txn.zxid);
    writes.delete(txn.zxid);
    if (call !== undefined) yield* checkWrite(model, call, txn);
    const refused = txn.change.kind === 'error' && SESSION_ERRORS.has(txn.change.code);
    if (txn.cxid > 0 && !refused) {
      const name = `${txn.session}/${txn.cxid}`;
      if (seen.has(name))
        yield {
          kind: 'order',
          message: `request ${txn.cxid} of session 0x${txn.session.toString(16)} took effect twice`,
        };
      seen.add(name);
      const last = lastCxid.get(txn.session) ?? 0;
      if (txn.cxid < last)
        yield {
          kind: 'fifo',
          message: `request ${txn.cxid} of session 0x${txn.session.toString(16)} took effect after ${last}`,
        };
      lastCxid.set(txn.session, txn.cxid);
    }
    try {
      model.apply(txn);
    } catch (e) {
      if (!(e instanceof ModelError)) throw e;
      yield { kind: 'transactions', message: `0x${txn.zxid.toString(16)}: ${e.message}` };
      return;
    }
  }
  yield* readUpTo(Number.POSITIVE_INFINITY);
  for (const [zxid, call] of writes) {
    yield {
      kind: 'durability',
      message: `${call.client}: ${tellOperation(call.op)} was answered with 0x${zxid.toString(16)}, which is nowhere`,
    };
  }
}

function* checkWrite(model: Model, call: Call, txn: Txn): Generator<Finding> {
  const { op, reply } = call;
  if (reply === undefined) return;
  const wrong = (why: string): Finding => ({
    kind: 'answers',
    message: `${call.client}: ${tellOperation(op)}, answered ${reply.error} at 0x${txn.zxid.toString(16)}: ${why}`,
  });
  if (txn.session !== call.session.id || txn.cxid !== call.xid) {
    yield wrong(`that zxid is request ${txn.cxid} of session 0x${txn.session.toString(16)}`);
    return;
  }
  if (SESSION_ERRORS.has(reply.error)) return;
  if (op.kind === 'multi') {
    yield* checkMulti(model, op.ops, call, txn, wrong);
    return;
  }
  if (op.kind === 'reconfig') {
    if (reply.error === ErrorCode.Ok && txn.change.kind !== 'reconfig') yield wrong(`the log has ${txn.change.kind}`);
    if (reply.error !== ErrorCode.Ok && txn.change.kind !== 'error') yield wrong(`the log has ${txn.change.kind}`);
    return;
  }
  if (!isSingleWrite(op)) return;
  const verdict = model.verdict(op);
  if (verdict !== reply.error) {
    yield wrong(`${verdict} is due`);
    return;
  }
  if (reply.error !== ErrorCode.Ok) {
    if (txn.change.kind !== 'error' || txn.change.code !== reply.error) yield wrong('the log has something else');
    return;
  }
  const difference = mismatch(model, op, txn.change);
  if (difference !== undefined) yield wrong(difference);
  if (op.kind === 'create' && reply.answer.path !== model.createdPath(op))
    yield wrong(`path ${reply.answer.path}, due is ${model.createdPath(op)}`);
}

/** How a transaction differs from what was asked for. */
function mismatch(model: Model, op: WriteOp, change: Txn['change']): string | undefined {
  const fine =
    (op.kind === 'create' &&
      change.kind === 'create' &&
      change.path === model.createdPath(op) &&
      change.data.toString() === op.data &&
      (change.owner === 'session') === op.ephemeral) ||
    (op.kind === 'set' && change.kind === 'setData' && change.path === op.path && change.data.toString() === op.data) ||
    (op.kind === 'delete' && change.kind === 'delete' && change.path === op.path);
  return fine ? undefined : `the log has ${change.kind}`;
}

function* checkMulti(
  model: Model,
  ops: readonly WriteOp[],
  call: Call,
  txn: Txn,
  wrong: (why: string) => Finding,
): Generator<Finding> {
  const { reply } = call;
  if (txn.change.kind !== 'multi' || reply === undefined) {
    yield wrong(`the log has ${txn.change.kind}`);
    return;
  }
  const trial = model.copy();
  const due: number[] = [];
  let failed = false;
  for (const op of ops) {
    if (failed) {
      due.push(ErrorCode.RuntimeInconsistency);
      continue;
    }
    const verdict = trial.verdict(op);
    due.push(verdict);
    if (verdict === ErrorCode.Ok) trial.apply(asTxn(trial, op, txn));
    else failed = true;
  }
  // What succeeded in front of a failure is told as 0, and was not done.
  const codes = reply.answer.codes ?? [];
  if (!isDeepStrictEqual(codes, due)) yield wrong(`parts answered ${codes.join(' ')}, due are ${due.join(' ')}`);
}

function asTxn(model: Model, op: WriteOp, { session, cxid, zxid, time }: Txn): Txn {
  const head = { session, cxid, zxid, time };
  switch (op.kind) {
    case 'create':
      return {
        ...head,
        change: {
          kind: 'create',
          path: model.createdPath(op),
          data: Buffer.from(op.data),
          owner: op.ephemeral ? 'session' : 'none',
        },
      };
    case 'delete':
      return { ...head, change: { kind: 'delete', path: op.path } };
    case 'set': {
      const version = (model.nodes.get(op.path)?.version ?? 0) + 1;
      return { ...head, change: { kind: 'setData', path: op.path, data: Buffer.from(op.data), version } };
    }
  }
}

function* checkRead(model: Model, call: Call): Generator<Finding> {
  const { op, reply } = call;
  if (reply === undefined || (op.kind !== 'get' && op.kind !== 'exists' && op.kind !== 'children')) return;
  if (SESSION_ERRORS.has(reply.error)) return;
  const wrong = (what: string): Finding => ({
    kind: 'answers',
    message: `${call.client} by ${call.server}: ${tellOperation(op)} at 0x${reply.zxid.toString(16)} is answered ${what}`,
  });
  const node = model.nodes.get(op.path);
  if (node === undefined) {
    if (reply.error !== ErrorCode.NoNode) yield wrong(`${reply.error}, but it is not there`);
    return;
  }
  if (reply.error !== ErrorCode.Ok) {
    yield wrong(`${reply.error}, but it is there`);
    return;
  }
  const { stat, data, children } = reply.answer;
  const due = model.stat(op.path);
  if (!isDeepStrictEqual(stat, due)) yield wrong(`${words(stat)}, due is ${words(due)}`);
  if (data !== undefined && !data.equals(node.data)) yield wrong(`${quote(data)}, due is ${quote(node.data)}`);
  if (children !== undefined && !isDeepStrictEqual([...children].sort(), [...node.children].sort()))
    yield wrong(`${children.join(' ')}, due are ${[...node.children].join(' ')}`);
}

function words(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? `0x${part.toString(16)}` : part));
}
