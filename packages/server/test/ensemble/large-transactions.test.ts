// Transactions that would become larger than servers take from each other and from their logs: such a one would be sent, refused and
// sent again after every election, and no server would start on its log.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JuteWriter, OPEN_ACL_UNSAFE, OpCode, writeAclList } from '@nodekeeper/protocol';
import { dataDir, RawClient as Raw, type RawClient, serve } from '../server/raw-client.js';
import { until } from '../server/until.js';
import { Ensemble } from './ensemble.js';

const EPHEMERAL = 1;

async function creates(
  client: RawClient,
  paths: readonly string[],
  flags: number,
  acl = OPEN_ACL_UNSAFE,
): Promise<number> {
  const reply = await client.request(OpCode.multi, (w) => {
    for (const path of paths) {
      w.int(OpCode.create).bool(false).int(-1).string(path).buffer(Buffer.alloc(0));
      writeAclList(w, acl);
      w.int(flags);
    }
    w.int(-1).bool(true).int(-1);
  });
  return reply.error;
}

async function authenticate(client: RawClient, user: string): Promise<void> {
  client.send(
    OpCode.auth,
    (w: JuteWriter) =>
      w
        .int(0)
        .string('digest')
        .buffer(Buffer.from(`${user}:x`)),
    -4,
  );
  assert.equal((await client.reply()).error, 0);
}

const AUTH = [{ perms: 31, scheme: 'auth', id: '' }];
const names = (count: number, length: number): string[] =>
  Array.from({ length: count }, (_, i) => `/${String(i).padStart(length, 'x')}`);

const LARGE = { 'jute.maxbuffer': 100_000 };

/** More than 3 MB of paths. */
async function manyEphemerals(client: RawClient): Promise<void> {
  const paths = names(3600, 900);
  for (let i = 0; i < paths.length; i += 900)
    assert.equal(await creates(client, paths.slice(i, i + 900), EPHEMERAL), 0);
}

for (const where of ['the leader', 'a follower']) {
  test(`a session with very many ephemerals is closed on all servers, asked for at ${where}`, async (t) => {
    const ensemble = await Ensemble.ofThree(t);
    const leader = await ensemble.settled();
    const id = where === 'the leader' ? leader : await ensemble.follower();
    const client = await ensemble.client(id);
    await manyEphemerals(client);
    assert.equal((await client.request(OpCode.closeSession)).error, 0);
    const other = await ensemble.client(id);
    assert.equal((await other.create('/n')).error, 0);
    assert.equal(await ensemble.settled(), leader, 'the leader is the one that it was');
    await ensemble.level();
    assert.equal(ensemble.digests().size, 1);
    assert.equal(ensemble.server(id).database.tree.ephemeralCount, 0);
    assert.equal(ensemble.server(leader).database.tree.digestMismatches, 0);
  });

  test(`a request that grows too large by its ACLs is refused, asked for at ${where}`, async (t) => {
    const ensemble = await Ensemble.ofThree(t);
    const leader = await ensemble.settled();
    const id = where === 'the leader' ? leader : await ensemble.follower();
    const client = await ensemble.client(id);
    for (let i = 0; i < 20; i++) await authenticate(client, `${i}`.padStart(10_000, 'u'));
    assert.equal(await creates(client, names(30, 10), 0, AUTH), -8);
    assert.equal(await creates(client, names(2, 10), 0, AUTH), 0, 'none of it was done');
    assert.equal(await ensemble.settled(), leader);
    await ensemble.level();
    assert.equal(ensemble.digests().size, 1);
    assert.equal(ensemble.server(leader).database.tree.digestMismatches, 0);
  });
}

test('a server starts on a log with the end of a session that had very many ephemerals', async (t) => {
  const dir = dataDir(t);
  const first = await serve(t, { dataDir: dir });
  const client = await Raw.open(t, first.clientPort);
  await manyEphemerals(client);
  assert.equal((await client.request(OpCode.closeSession)).error, 0);
  await first.close();
  const second = await serve(t, { dataDir: dir });
  const again = await Raw.open(t, second.clientPort);
  assert.equal(await again.getData(names(1, 900)[0] ?? ''), undefined);
});

test('an identity more than a leader takes costs the client its request, and its server nothing', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant']);
  await Promise.all([1, 2, 3].map((id) => ensemble.start(id, LARGE)));
  const follower = await ensemble.follower();
  const client = await ensemble.client(follower);
  for (let i = 0; i < 3; i++) await authenticate(client, `${i}`.padStart(70_000, 'u'));
  assert.equal((await client.create('/n')).error, -8);
  const other = await ensemble.client(follower);
  assert.equal((await other.create('/n')).error, 0);
  assert.equal(ensemble.said(await ensemble.settled(), /identit/), false);
});

test('a request that is larger than the leader takes fails alone', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant']);
  // So that 3 leads.
  await Promise.all([2, 3].map((id) => ensemble.start(id, id === 3 ? SMALL : { 'jute.maxbuffer': 3_000_000 })));
  assert.equal(await ensemble.settled(), 3);
  const [client, other] = [await ensemble.client(2), await ensemble.client(2)];
  const creating = [createLarge(client, 2_000_000), client.create('/behind')];
  assert.equal((await other.create('/n')).error, 0);
  assert.deepEqual(
    (await Promise.all(creating)).map(({ error }) => error),
    [-5, 0],
  );
  assert.ok(ensemble.said(3, /a request of 2\d{6} bytes through server 2 fails.*set jute\.maxbuffer as high/));
  assert.equal(ensemble.said(2, /no longer follower/), false);
});

function createLarge(client: RawClient, bytes = 50_000): Promise<{ readonly error: number }> {
  return client.request(OpCode.create, (w) => {
    w.string('/large').buffer(Buffer.alloc(bytes));
    writeAclList(w, OPEN_ACL_UNSAFE);
    w.int(0);
  });
}

const SMALL = { 'jute.maxbuffer': 10_000 };

test('a member whose jute.maxbuffer has become too small for its log does not start, and sets nothing aside', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant']);
  await Promise.all([1, 2, 3].map((id) => ensemble.start(id, LARGE)));
  const client = await ensemble.client(await ensemble.settled());
  assert.equal((await createLarge(client)).error, 0);
  await ensemble.level();
  await Promise.all([1, 2, 3].map((id) => ensemble.stop(id)));
  for (const id of [1, 2, 3]) await assert.rejects(ensemble.start(id, SMALL), /Set jute\.maxbuffer at least as high/);
  await Promise.all([1, 2, 3].map((id) => ensemble.start(id, LARGE)));
  const again = await ensemble.client(await ensemble.settled());
  assert.equal((await again.getData('/large'))?.length, 50_000);
});

test('a follower does not acknowledge what is too large for its own jute.maxbuffer', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant']);
  // So that 3 leads.
  await Promise.all([2, 3].map((id) => ensemble.start(id, id === 3 ? LARGE : SMALL)));
  assert.equal(await ensemble.settled(), 3);
  await ensemble.start(1, SMALL);
  await ensemble.settled();
  const client = await ensemble.client(3);
  let answered = false;
  const creating = createLarge(client).then(
    () => {
      answered = true;
    },
    () => {}, // the leader lost its quorum
  );
  for (const id of [1, 2]) await until(() => ensemble.said(id, /no longer follower.*set jute\.maxbuffer as high/));
  assert.equal(answered, false, 'not committed');
  for (const id of [1, 2]) {
    await ensemble.stop(id);
    await ensemble.start(id, LARGE);
  }
  await ensemble.settled();
  await creating;
  await ensemble.level();
  const again = await ensemble.client(1);
  assert.equal((await again.getData('/large'))?.length, 50_000);
});

test('a follower whom the leader has more to send than it takes says what to set, and is in no hurry to be sent it again', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant']);
  const most = { 'jute.maxbuffer': 2_000_000 };
  await Promise.all([2, 3].map((id) => ensemble.start(id, most)));
  const leader = await ensemble.settled();
  await ensemble.start(1, { ...SMALL, tickTime: 4000 });
  await ensemble.settled();
  const client = await ensemble.client(leader);
  assert.equal((await createLarge(client, 1_500_000)).error, 0);
  await until(() => ensemble.said(1, /no longer follower.*set jute\.maxbuffer as high/));
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(ensemble.timesSaid(1, /no longer follower/), 1);
  await ensemble.stop(1);
  await ensemble.start(1, most);
  await ensemble.settled();
  await ensemble.level();
});
