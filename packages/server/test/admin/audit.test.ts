// The audit log: lines as Apache's server writes them, and who writes which.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Acl, type JuteWriter, OpCode, writeAclList } from '@nodekeeper/protocol';
import { type AuditEvent, aclText, auditLine, createAuditSink, serverUser, znodeType } from '../../dist/admin/audit.js';
import { Ensemble } from '../ensemble/ensemble.js';
import { RawClient, serve } from '../server/raw-client.js';

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
  warn(_fields: object, message: string): void {
    this.lines.push(`warn ${message}`);
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

test("every operation of clients is told as Apache's server tells it", async (t) => {
  const log = new MemoryLog();
  const { clientPort } = await serve(
    t,
    { 'audit.enable': true, extendedTypesEnabled: true, 'znode.container.checkIntervalMs': 20 },
    { logger: log },
  );
  const a = await RawClient.open(t, clientPort);
  const world = { scheme: 'world', id: 'anyone', perms: 31 };
  const node = (path: string, flags: number, acl: readonly Acl[] = [world]) => {
    return (w: JuteWriter): JuteWriter => {
      w.string(path).buffer(Buffer.from('d'));
      writeAclList(w, acl);
      return w.int(flags);
    };
  };
  const part = (w: JuteWriter, type: number, body: (w: JuteWriter) => void): void => {
    w.int(type).bool(false).int(-1);
    body(w);
  };
  await a.request(OpCode.create, node('/a', 0));
  await a.request(OpCode.create2, node('/a/s-', 2));
  await a.request(OpCode.createTTL, (w) => node('/t', 5)(w).long53(100_000));
  await a.request(OpCode.create, node('/no/a', 2));
  await a.request(OpCode.create, (w) => w.string('/cut'));
  await a.request(OpCode.setData, (w) => w.string('/a').buffer(null).int(77));
  await a.request(OpCode.setACL, (w) => {
    w.string('/a');
    writeAclList(w, [world, { scheme: 'digest', id: 'x:y', perms: 5 }]);
    w.int(-1);
  });
  await a.request(OpCode.delete, (w) => w.string('/a/s-0000000000').int(-1));
  await a.request(OpCode.multi, (w) => {
    part(w, OpCode.create, node('/m', 0));
    part(w, OpCode.create, node('/m/s-', 2));
    part(w, OpCode.check, (x) => x.string('/m').int(-1));
    part(w, OpCode.setData, (x) => x.string('/m').buffer(null).int(-1));
    part(w, OpCode.delete, (x) => x.string('/m/s-0000000000').int(-1));
    w.int(-1).bool(true).int(-1);
  });
  await a.request(OpCode.multi, (w) => {
    part(w, OpCode.create, node('/f', 0));
    part(w, OpCode.delete, (x) => x.string('/none').int(-1));
    w.int(-1).bool(true).int(-1);
  });
  await a.request(OpCode.createContainer, node('/c', 4));
  await a.request(OpCode.create, node('/c/x', 1));
  await a.request(OpCode.exists, (w) => w.string('/c').bool(true));
  await a.request(OpCode.delete, (w) => w.string('/c/x').int(-1));
  while (a.events.length === 0) await a.ping();
  await a.create('/e', '', 1);
  await a.request(OpCode.closeSession);
  await a.closed();

  const session = `session=0x${a.id.toString(16)}`;
  const ours = serverUser();
  const told = log.lines
    .filter((line) => line.includes('operation='))
    .map((line) =>
      line
        .replaceAll('\t', ' ')
        .replace(`${session} user=127.0.0.1 ip=127.0.0.1 `, '')
        .replace(session, 'S')
        .replace(`user=${ours} `, 'user=us '),
    );
  assert.deepEqual(told, [
    'info user=us operation=serverStart result=success',
    'info operation=create znode=/a znode_type=persistent result=success',
    'info operation=create znode=/a/s-0000000000 znode_type=persistent_sequential result=success',
    'info operation=create znode=/t znode_type=persistent_with_ttl result=success',
    'error operation=create znode=/no/a znode_type=persistent_sequential result=failure',
    'error operation=create result=failure',
    'error operation=setData znode=/a result=failure',
    'info operation=setAcl znode=/a acl=world:anyone:cdrwadigest:x:y:cr result=success',
    'info operation=delete znode=/a/s-0000000000 result=success',
    'info operation=create znode=/m znode_type=persistent result=success',
    'info operation=create znode=/m/s-0000000000 znode_type=persistent_sequential result=success',
    'info operation=setData znode=/m result=success',
    'info operation=delete znode=/m/s-0000000000 result=success',
    'error operation=multiOperation result=failure',
    'info operation=create znode=/c znode_type=container result=success',
    'info operation=create znode=/c/x znode_type=ephemeral result=success',
    'info operation=delete znode=/c/x result=success',
    'info user=us operation=delete znode=/c result=success',
    'info operation=create znode=/e znode_type=ephemeral result=success',
    'info S user=us operation=ephemeralZNodeDeletionOnSessionCloseOrExpire znode=/e result=success',
  ]);
});

test('a write through a follower is told there, and by nobody else', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { 'audit.enable': true });
  const follower = await ensemble.follower();
  const client = await ensemble.client(follower);
  await client.create('/s-', '', 2);
  await client.create('/e', '', 1);
  await client.request(OpCode.closeSession);
  await ensemble.level();
  for (const id of [1, 2, 3]) {
    const told = (ensemble.lines.get(id) ?? []).map(({ message }) => message.replaceAll('\t', ' '));
    const creates = told.filter((line) => line.includes('operation=create'));
    const ends = told.filter((line) => line.includes('operation=ephemeral'));
    assert.equal(creates.length, id === follower ? 2 : 0, `server ${id}`);
    assert.equal(ends.length, 1, 'each deletes the ephemeral node');
    if (id === follower)
      assert.match(creates[0] ?? '', /znode=\/s-0000000000 znode_type=persistent_sequential result=success/);
  }
});

test('a stop and a start that fails are told', async (t) => {
  const log = new MemoryLog();
  const settings = { 'audit.enable': true };
  const running = await serve(t, settings, { logger: log });
  const clientPort = running.clientPort;
  await assert.rejects(serve(t, { ...settings, clientPort }, { logger: log }), /EADDRINUSE/);
  await running.close();
  const told = log.lines.filter((line) => line.includes('operation=')).map((line) => line.replace(/.*operation=/, ''));
  assert.deepEqual(told, ['serverStart\tresult=success', 'serverStart\tresult=failure', 'serverStop\tresult=invoked']);
});
