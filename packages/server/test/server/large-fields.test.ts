// With a raised jute.maxbuffer every field of a request may be as long as the request: what is taken in is applied, and read again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JuteReader, type JuteWriter, OpCode, Perms, readAclList, writeAclList } from '@nodekeeper/protocol';
import { configIn } from '../../dist/broadcast/reconfig-entry.js';
import { TXN_HEADER_SIZE } from '../../dist/tree/txn-types.js';
import { Ensemble } from '../ensemble/ensemble.js';
import { dataDir, RawClient, serve } from './raw-client.js';

/** More than Apache's default for jute.maxbuffer and its extrasize allow. */
const LENGTH = 3_000_000;
const SETTINGS = { 'jute.maxbuffer': 10_000_000 };
const NAME = `u:${'x'.repeat(LENGTH)}`;
const PATH = `/${'n'.repeat(LENGTH)}`;
const ANYONE = { perms: Perms.all, scheme: 'world', id: 'anyone' };

function createWithAcl(w: JuteWriter): void {
  w.string('/acl').buffer(Buffer.from('x'));
  writeAclList(w, [{ perms: Perms.all, scheme: 'digest', id: NAME }, ANYONE]);
  w.int(0);
}

function setAcl(w: JuteWriter): void {
  w.string('/acl');
  writeAclList(w, [ANYONE, { perms: Perms.read, scheme: 'digest', id: NAME }]);
  w.int(-1);
}

function createAndCheck(w: JuteWriter): void {
  w.int(OpCode.create).bool(false).int(-1).string(PATH).buffer(Buffer.alloc(LENGTH));
  writeAclList(w, [ANYONE]);
  w.int(0);
  w.int(OpCode.check).bool(false).int(-1).string(PATH).int(-1);
  w.int(-1).bool(true).int(-1);
}

async function write(client: RawClient): Promise<void> {
  assert.equal((await client.request(OpCode.create, createWithAcl)).error, 0);
  assert.equal((await client.request(OpCode.setACL, setAcl)).error, 0);
  assert.equal((await client.request(OpCode.multi, createAndCheck)).error, 0);
}

async function read(client: RawClient): Promise<void> {
  const { body } = await client.request(OpCode.getACL, (w) => w.string('/acl'));
  assert.deepEqual(
    readAclList(new JuteReader(body.buf, body.pos, body.end, body.end))?.map(({ id }) => id?.length),
    ['anyone'.length, NAME.length],
  );
  assert.equal((await client.request(OpCode.exists, (w) => w.string(PATH).bool(false))).error, 0);
}

for (const audit of [false, true]) {
  test(`a server alone, ${audit ? 'with' : 'without'} an audit log`, async (t) => {
    const dir = dataDir(t);
    const first = await serve(t, { ...SETTINGS, dataDir: dir, 'audit.enable': audit });
    const client = await RawClient.open(t, first.clientPort);
    await write(client);
    await read(client);
    await first.close();
    const again = await serve(t, { ...SETTINGS, dataDir: dir });
    await read(await RawClient.open(t, again.clientPort));
  });
}

test('what a client proves who it is with', async (t) => {
  const { clientPort } = await serve(t, SETTINGS);
  const client = await RawClient.open(t, clientPort);
  const password = Buffer.from(`u:${'p'.repeat(LENGTH)}`);
  assert.equal((await client.request(OpCode.auth, (w) => w.int(0).string('digest').buffer(password))).error, 0);
  assert.equal((await client.request(OpCode.sasl, (w) => w.buffer(password))).error, 0);
});

test('members of an ensemble', async (t) => {
  const ensemble = await Ensemble.ofThree(t, SETTINGS);
  const follower = await ensemble.follower();
  await write(await ensemble.client(follower));
  await ensemble.level();
  for (const id of [1, 2, 3]) await read(await ensemble.client(id));
});

test('the members in a reconfiguration', () => {
  const lines: string[] = [];
  for (let length = 0, id = 1; length < LENGTH; length += (lines.at(-1) as string).length, id++)
    lines.push(`server.${id}=10.${id >> 16}.${(id >> 8) & 255}.${id & 255}:2888:3888:observer;0.0.0.0:2181`);
  const path = '/zookeeper/config';
  const text = Buffer.from(`${lines.join('\n')}\nversion=100000001`);
  const entry = Buffer.alloc(TXN_HEADER_SIZE + 4 + path.length + 4 + text.length + 4);
  let at = entry.writeInt32BE(path.length, TXN_HEADER_SIZE);
  at += entry.write(path, at);
  at = entry.writeInt32BE(text.length, at);
  text.copy(entry, at);
  assert.equal(configIn(entry).members.size, lines.length);
});
