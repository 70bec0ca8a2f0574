import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorCode, OpCode } from '@nodekeeper/protocol';
import {
  type AuditEvent,
  aclText,
  auditLine,
  createAudit,
  createAuditSink,
  serverUser,
  znodeType,
} from '../../dist/admin/audit.js';
import { PendingWrite } from '../../dist/request/fifo.js';

const SESSION = 0x100007165a70000n;
const CLIENT = { session: SESSION, user: '127.0.0.1', ip: '127.0.0.1' };

// Lines of Apache's server 3.8.0.
const LINES: readonly (readonly [AuditEvent, string])[] = [
  [{ user: 'root', operation: 'serverStart', result: 'success' }, 'user=root\toperation=serverStart\tresult=success'],
  [{ user: 'root', operation: 'serverStop', result: 'invoked' }, 'user=root\toperation=serverStop\tresult=invoked'],
  [
    { ...CLIENT, operation: 'create', znode: '/p/s0000000000', znodeType: 'persistent_sequential', result: 'success' },
    'session=0x100007165a70000\tuser=127.0.0.1\tip=127.0.0.1\toperation=create\tznode=/p/s0000000000\tznode_type=persistent_sequential\tresult=success',
  ],
  [
    {
      ...CLIENT,
      operation: 'setAcl',
      znode: '/p',
      acl: aclText([
        { scheme: 'digest', id: 'bob:ikIaKsbtGweaHnb/jKn7OHqbunM=', perms: 3 },
        { scheme: 'world', id: 'anyone', perms: 31 },
      ]),
      result: 'success',
    },
    'session=0x100007165a70000\tuser=127.0.0.1\tip=127.0.0.1\toperation=setAcl\tznode=/p\tacl=digest:bob:ikIaKsbtGweaHnb/jKn7OHqbunM=:rwworld:anyone:cdrwa\tresult=success',
  ],
  [
    { ...CLIENT, user: 'bob,127.0.0.1,eve', operation: 'multiOperation', result: 'failure' },
    'session=0x100007165a70000\tuser=bob,127.0.0.1,eve\tip=127.0.0.1\toperation=multiOperation\tresult=failure',
  ],
  [
    {
      session: SESSION,
      user: 'root',
      operation: 'ephemeralZNodeDeletionOnSessionCloseOrExpire',
      znode: '/p/e',
      result: 'success',
    },
    'session=0x100007165a70000\tuser=root\toperation=ephemeralZNodeDeletionOnSessionCloseOrExpire\tznode=/p/e\tresult=success',
  ],
];

for (const [event, line] of LINES) {
  test(`${event.operation} is told as Apache's server tells it`, () => assert.equal(auditLine(event), line));
}

test('permissions are told in the order c, d, r, w, a', () => {
  assert.equal(
    aclText([
      { scheme: 'ip', id: '127.0.0.1', perms: 20 },
      { scheme: 'world', id: 'anyone', perms: 9 },
    ]),
    'ip:127.0.0.1:caworld:anyone:dr',
  );
  assert.equal(aclText([]), '');
});

test('types of nodes have the names of their create modes', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6, 7, -1].map((flags) => znodeType(flags)),
    [
      ...['persistent', 'ephemeral', 'persistent_sequential', 'ephemeral_sequential', 'container'],
      ...['persistent_with_ttl', 'persistent_sequential_with_ttl', undefined, undefined],
    ],
  );
});

test('no value can end its field or line', () => {
  const line = auditLine({ user: 'eve\tresult=success\nuser=root', operation: 'delete', result: 'failure' });
  assert.equal(line, 'user=eve\\u0009result=success\\u000auser=root\toperation=delete\tresult=failure');
});

class MemoryLog {
  readonly lines: string[] = [];
  info(_fields: object, message: string): void {
    this.lines.push(`info ${message}`);
  }
  warn(): void {
    throw new Error('audit lines are information or errors');
  }
  error(_fields: object, message: string): void {
    this.lines.push(`error ${message}`);
  }
}

test('failures are logged as errors, all else as information', () => {
  const log = new MemoryLog();
  const sink = createAuditSink(log);
  sink.record({ operation: 'delete', result: 'failure' });
  sink.record({ operation: 'delete', result: 'success' });
  sink.record({ operation: 'serverStop', result: 'invoked' });
  assert.deepEqual(
    log.lines.map((line) => line.split(' ')[0]),
    ['error', 'info', 'info'],
  );
});

test("writes are told with their path; the server's own are its user's, others are not audited", () => {
  const log = new MemoryLog();
  const audit = createAudit(log);
  const write = (op: number, path: string | null): PendingWrite => {
    const pending = new PendingWrite(null, 1, op, 5, ErrorCode.Ok, 0);
    pending.path = path;
    return pending;
  };
  audit(write(OpCode.deleteContainer, '/c'), ErrorCode.Ok);
  audit(write(OpCode.setData, '/d'), ErrorCode.BadVersion);
  audit(write(OpCode.multi, '/x'), ErrorCode.NoNode);
  audit(write(OpCode.closeSession, null), ErrorCode.Ok);
  const user = serverUser();
  assert.deepEqual(log.lines, [
    `info user=${user}\toperation=delete\tznode=/c\tresult=success`,
    `error user=${user}\toperation=setData\tznode=/d\tresult=failure`,
    `error user=${user}\toperation=multiOperation\tresult=failure`,
  ]);
});
