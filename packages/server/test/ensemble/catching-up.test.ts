// Learners that have to be brought up to date under awkward conditions.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { OpCode } from '@nodekeeper/protocol';
import { PacketType } from '../../dist/broadcast/packet.js';
import type { Disk } from '../../dist/storage/disk.js';
import { sortedLogs } from '../../dist/storage/file-names.js';
import { LogCursor } from '../../dist/storage/log-cursor.js';
import { nodeDisk } from '../../dist/storage/node-disk.js';
import { LogBatch } from '../../dist/storage/txn-log.js';
import { dataDir, type RawClient } from '../server/raw-client.js';
import { recoverDir } from '../storage/fixtures.js';
import { Ensemble, writeLog } from './ensemble.js';
import { createEntry, setDataEntry } from './raw-leader.js';
import { learnerInfo, RawLearner } from './raw-learner.js';

async function write(client: RawClient, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const reply = await client.request(OpCode.setData, (w) =>
      w
        .string('/n')
        .buffer(Buffer.from(`${i}`))
        .int(-1),
    );
    assert.equal(reply.error, 0);
  }
}

test('a leader that began from a snapshot with nothing behind it brings others up to date', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const leader = await ensemble.settled();
  const [behind = 0, other = 0] = [1, 2, 3].filter((id) => id !== leader);
  const client = await ensemble.client(leader);
  await client.create('/n');
  await ensemble.level();
  await ensemble.stop(behind);
  await write(client, 20);
  await ensemble.level();
  await ensemble.server(leader).takeSnapshot();
  await ensemble.stop(other);
  await ensemble.stop(leader);
  await ensemble.start(leader);
  await ensemble.start(behind);
  assert.equal(await ensemble.settled(), leader);
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1);
  assert.equal(await (await ensemble.client(behind)).getData('/n'), '19');
  assert.equal(ensemble.said(leader, /is gone: .*log/), false);
});

/** Takes the records of some transactions out of a log, as if they had come by a snapshot. */
function leaveOut(path: string, from: number, to: number): void {
  const bytes = readFileSync(path);
  const kept = [bytes.subarray(0, 16)];
  for (let at = 16; bytes.readInt32BE(at + 8) > 0; ) {
    const end = at + 12 + bytes.readInt32BE(at + 8) + 1;
    const zxid = Number(bytes.readBigInt64BE(at + 12 + 12));
    if (zxid < from || zxid > to) kept.push(bytes.subarray(at, end));
    at = end;
    if (at + 12 > bytes.length) break;
  }
  writeFileSync(path, Buffer.concat(kept));
}

/** Three servers that are stopped: one is far behind, and the logs of the others lack some of what it needs. */
async function withGaps(t: TestContext, settings: Record<string, number> = {}) {
  const ensemble = await Ensemble.ofThree(t, { commitLogCount: 5, snapshotSizeFactor: 1000, ...settings });
  const leader = await ensemble.settled();
  const [behind = 0, other = 0] = [1, 2, 3].filter((id) => id !== leader);
  const client = await ensemble.client(leader);
  await client.create('/n');
  await ensemble.level();
  await ensemble.stop(behind);
  await write(client, 40);
  await ensemble.level();
  const last = ensemble.server(leader).lastZxid;
  for (const id of [leader, other]) await ensemble.server(id).takeSnapshot();
  for (const id of [leader, other]) await ensemble.stop(id);
  for (const id of [leader, other]) {
    const dir = join(ensemble.dataDirOf(id), 'version-2');
    for (const name of readdirSync(dir)) if (name.startsWith('log.')) leaveOut(join(dir, name), last - 20, last - 10);
  }
  return { ensemble, leader, behind, other };
}

test('a learner that the log on disk cannot serve, as it has a gap, gets a snapshot when it comes again', async (t) => {
  const { ensemble, leader, behind, other } = await withGaps(t);
  for (const id of [leader, other]) await ensemble.start(id);
  const next = await ensemble.settled();
  await write(await ensemble.client(next), 10);
  await ensemble.start(behind);
  await ensemble.settled();
  await ensemble.level();
  assert.ok(ensemble.said(next, new RegExp(`server ${behind} is gone: .*missing in the log`)));
  assert.ok(ensemble.said(next, new RegExp(`server ${behind} .*by a snapshot`)));
  assert.equal(ensemble.digests().size, 1);
});

/** The real disk, with something done before each read of a file. */
function diskWithReads(before: (path: string) => void): Disk {
  return {
    ...nodeDisk,
    open: (path) => {
      const file = nodeDisk.open(path);
      return {
        ...file,
        read: (...to) => {
          before(path);
          return file.read(...to);
        },
      };
    },
  };
}

test('a leader that cannot read its log goes on leading, and the learner gets a snapshot', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant'], { commitLogCount: 5 });
  const unreadable = new Set<string>();
  const refuse = (path: string, what: string): void => {
    if (unreadable.has(what) && /log\.\w+$|version-2$/.test(path))
      throw Object.assign(new Error(`EIO: i/o error, ${what} '${path}'`), { code: 'EIO' });
  };
  const disk: Disk = {
    ...diskWithReads((path) => refuse(path, 'read')),
    list: (dir) => {
      refuse(dir, 'scandir');
      return nodeDisk.list(dir);
    },
  };
  await Promise.all([1, 2, 3].map((id) => ensemble.start(id, {}, { disk })));
  const leader = await ensemble.settled();
  const behind = leader === 1 ? 2 : 1;
  const client = await ensemble.client(leader);
  await client.create('/n');
  for (const what of ['read', 'scandir']) {
    await ensemble.level();
    await ensemble.stop(behind);
    await write(client, 20);
    unreadable.add(what);
    await ensemble.start(behind);
    await ensemble.level();
    unreadable.clear();
    assert.equal(await ensemble.settled(), leader);
    assert.equal(ensemble.digests().size, 1);
    assert.ok(ensemble.said(leader, new RegExp(`cannot be read.*EIO: i/o error, ${what}`)));
  }
});

test('a leader that looks for the place in a long log lets others have their turns', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant'], { commitLogCount: 5 });
  let reads = 0;
  let most = 0;
  const disk = diskWithReads(() => {
    most = Math.max(most, ++reads);
  });
  await Promise.all([1, 2, 3].map((id) => ensemble.start(id, {}, { disk })));
  const leader = await ensemble.settled();
  const behind = leader === 1 ? 2 : 1;
  const client = await ensemble.client(leader);
  await client.create('/n');
  await write(client, 1000);
  await ensemble.level();
  await ensemble.stop(behind);
  await write(client, 20);
  most = 0;
  const turns = setInterval(() => {}, 1);
  const turn = (): void => {
    reads = 0;
    if (turns.hasRef()) setImmediate(turn);
  };
  turn();
  await ensemble.start(behind);
  await ensemble.level();
  turns.unref();
  clearInterval(turns);
  assert.ok(ensemble.said(leader, new RegExp(`server ${behind} .*from the log on disk`)));
  assert.ok(most < 100, `${most} reads in a turn`);
});

test('what ended an epoch and is in a snapshot only is not left out', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { snapshotSizeFactor: 1000 });
  const client = await ensemble.client(await ensemble.settled());
  await client.create('/n');
  await write(client, 10);
  await ensemble.level();
  const last = ensemble.server(1).lastZxid;
  for (const id of [1, 2, 3]) await ensemble.server(id).takeSnapshot();
  for (const id of [1, 2, 3]) await ensemble.stop(id);
  // As on one of Apache's servers that got the snapshot from its leader.
  for (const id of [1, 2, 3]) leaveOut(join(ensemble.dataDirOf(id), 'version-2', 'log.100000001'), last - 4, last);
  await Promise.all([1, 2, 3].map((id) => ensemble.start(id)));
  await write(await ensemble.client(await ensemble.settled()), 1);
  await ensemble.level();
  for (const id of [1, 2, 3]) await ensemble.stop(id);
  await Promise.all([1, 2, 3].map((id) => ensemble.start(id)));
  const port = ensemble.quorumPortOf(await ensemble.settled());
  const learner = await RawLearner.dial(t, port);
  await assert.rejects(learner.follow(9, last - 5), /closed before packet/);
  const again = await RawLearner.dial(t, port);
  again.send(PacketType.followerInfo, 0, learnerInfo(9));
  await again.until(PacketType.leaderInfo);
  again.send(PacketType.ackEpoch, last - 5, Buffer.alloc(4));
  assert.equal((await again.next())?.type, PacketType.snap);
});

test('a learner without which there is no quorum gets its snapshot though the log has a gap', async (t) => {
  const { ensemble, leader, behind } = await withGaps(t, { initLimit: 5 });
  await Promise.all([leader, behind].map((id) => ensemble.start(id)));
  await ensemble.settled();
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1);
});

test('a learner without which there is no quorum gets a snapshot where its log cannot be cut', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant'], { initLimit: 5 });
  const onDisk = (id: number): string => join(ensemble.dataDirOf(id), 'version-2');
  await Promise.all([2, 3].map((id) => ensemble.start(id)));
  await (await ensemble.client(await ensemble.settled())).create('/n', 'a');
  await ensemble.level();
  for (const id of [2, 3]) await ensemble.stop(id);
  await Promise.all([2, 3].map((id) => ensemble.start(id)));
  const leader = await ensemble.settled();
  await ensemble.start(1); // it gets a snapshot of the epoch's very beginning
  await ensemble.settled();
  await (await ensemble.client(leader)).create('/uncommitted', 'b');
  await ensemble.level();
  for (const id of [1, 2, 3]) await ensemble.stop(id);
  // As if the others had never logged what was written in this epoch.
  for (const id of [2, 3])
    for (const name of readdirSync(onDisk(id)))
      if (/^((log|snapshot)\.2|synced$)/.test(name)) rmSync(join(onDisk(id), name));
  await Promise.all([2, 3].map((id) => ensemble.start(id)));
  await ensemble.settled();
  await ensemble.stop(3);
  await ensemble.start(1);
  await ensemble.settled();
  await ensemble.level();
  const client = await ensemble.client(1);
  assert.equal(await client.getData('/n'), 'a');
  assert.equal(await client.getData('/uncommitted'), undefined);
});

test('a record that is damaged before an epoch’s end is missed, though the next epoch follows', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  for (const path of ['/in the first epoch', '/in the second']) {
    await (await ensemble.client(await ensemble.settled())).create(path);
    await ensemble.level();
    for (const id of [1, 2, 3]) await ensemble.stop(id);
    if (path.endsWith('first epoch')) await Promise.all([1, 2, 3].map((id) => ensemble.start(id)));
  }
  const dir = join(ensemble.dataDirOf(1), 'version-2');
  for (const name of readdirSync(dir)) if (name.startsWith('snapshot.2')) rmSync(join(dir, name));
  const path = join(dir, readdirSync(dir).find((name) => name.startsWith('log.1')) ?? '');
  const bytes = readFileSync(path);
  let last = 16;
  for (let at = 16; at + 12 < bytes.length && bytes.readInt32BE(at + 8) > 0; at += 13 + bytes.readInt32BE(at + 8))
    last = at;
  bytes.fill(0, last); // as if it had never been written
  writeFileSync(path, bytes);
  rmSync(join(dir, 'synced'));
  await assert.rejects(recoverDir(ensemble.dataDirOf(1)), /goes on from another tree: transactions are missing/);
  await Promise.all([1, 2, 3].map((id) => ensemble.start(id)));
  await ensemble.settled();
  await ensemble.level();
  assert.notEqual(await (await ensemble.client(1)).getData('/in the first epoch'), undefined);
});

test('a member whose only snapshot was cut short elects nobody before it has everything again', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant']);
  await Promise.all([2, 3].map((id) => ensemble.start(id)));
  await (await ensemble.client(await ensemble.settled())).create('/n', 'precious');
  await ensemble.level();
  await ensemble.start(1);
  await ensemble.settled();
  await ensemble.level();
  const dir = join(ensemble.dataDirOf(1), 'version-2');
  await ensemble.server(1).takeSnapshot();
  await ensemble.stop(1);
  const names = readdirSync(dir).filter((name) => /^(log|snapshot)\./.test(name));
  const newest =
    names
      .filter((name) => name.startsWith('snapshot'))
      .sort()
      .at(-1) ?? '';
  for (const name of names) if (name !== newest) rmSync(join(dir, name));
  const path = join(dir, newest);
  writeFileSync(path, readFileSync(path).subarray(0, -20));
  for (const id of ensemble.running) await ensemble.stop(id);
  await ensemble.start(1);
  assert.equal(ensemble.server(1).historyEnd, -1);
  await Promise.all([2, 3].map((id) => ensemble.start(id)));
  await ensemble.settled();
  await ensemble.level();
  assert.equal(await (await ensemble.client(1)).getData('/n'), 'precious');
});

test('a log that is purged or goes on in another file while it is read ends where it ends', (t) => {
  const dir = dataDir(t);
  const put = (name: string, zxids: readonly number[]): void => {
    const batch = new LogBatch();
    for (const zxid of zxids) {
      const entry = Buffer.alloc(40);
      entry.writeBigInt64BE(BigInt(zxid), 12);
      batch.append(entry, zxid);
    }
    writeFileSync(join(dir, name), Buffer.concat([Buffer.alloc(16), batch.buf.subarray(0, batch.used)]));
  };
  put('log.1', [1, 2]);
  put('log.3', [3, 4]);
  put('log.5', [5]);
  const read = (cursor: LogCursor | undefined): number | undefined => cursor?.next()?.zxid;
  const purged = LogCursor.open(nodeDisk, dir, 1, 1e6);
  const rolled = LogCursor.open(nodeDisk, dir, 3, 1e6);
  assert.deepEqual([read(purged), read(purged)], [1, 2]);
  assert.deepEqual([read(rolled), read(rolled), read(rolled), read(rolled)], [3, 4, 5, undefined]);
  put('log.5', [5, 6]);
  put('log.7', [7]);
  assert.deepEqual([read(rolled), read(rolled), read(rolled)], [6, 7, undefined]);
  unlinkSync(join(dir, 'log.3'));
  assert.equal(read(purged), undefined);
});

test('a server whose data was emptied helps to elect again once it has everything', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant']);
  await Promise.all([1, 2].map((id) => ensemble.start(id)));
  assert.equal(await ensemble.settled(), 2);
  const client = await ensemble.client(1);
  await client.create('/n');
  await write(client, 5);
  await ensemble.start(3, { 'db.autocreate': false });
  await ensemble.settled();
  await ensemble.level();
  await ensemble.stop(2);
  await ensemble.settled();
  assert.equal(await (await ensemble.client(3)).getData('/n'), '4');
});

test('a member that has lost its snapshots and logs, but not its epochs, elects nobody before it has everything again', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  await ensemble.level();
  await ensemble.stop(2);
  const client = await ensemble.client(await ensemble.settled());
  await client.create('/n');
  await write(client, 5);
  await ensemble.level();
  for (const id of ensemble.running) await ensemble.stop(id);
  const data = join(ensemble.dataDirOf(1), 'version-2');
  const lose = (): void => {
    for (const name of readdirSync(data)) if (/^(snapshot|log)\./.test(name)) rmSync(join(data, name));
  };
  lose();
  for (const id of [1, 2]) await ensemble.start(id);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.deepEqual(
    [1, 2].map((id) => ensemble.server(id).mode),
    ['looking', 'looking'],
    'what only servers 1 and 3 had is not voted away',
  );
  assert.ok(ensemble.said(1, /has neither snapshots nor logs, but has followed in epoch \d+/));
  await ensemble.start(3);
  await ensemble.settled();
  await ensemble.level();
  for (const id of [1, 2, 3]) assert.equal(await (await ensemble.client(id)).getData('/n'), '4');

  for (const id of [1, 2, 3]) await ensemble.stop(id);
  lose();
  await ensemble.start(1);
  assert.equal(ensemble.server(1).historyEnd, -1);
  await ensemble.stop(1);
  writeFileSync(join(ensemble.dataDirOf(1), 'initialize'), '');
  await ensemble.start(1);
  assert.equal(ensemble.server(1).historyEnd, 0, 'its operator says that it may begin anew');
});

test('a member that an operator gave an old backup and marked elects nobody before it has caught up', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const client = await ensemble.client(await ensemble.settled());
  await client.create('/n');
  await ensemble.level();
  const id = await ensemble.follower();
  const data = join(ensemble.dataDirOf(id), 'version-2');
  const backup = join(ensemble.dir, 'backup');
  await ensemble.stop(id);
  cpSync(data, backup, { recursive: true });
  await ensemble.start(id);
  await ensemble.settled();
  await write(client, 20);
  await ensemble.level();
  await ensemble.stop(id);
  rmSync(data, { recursive: true });
  cpSync(backup, data, { recursive: true });
  const marker = join(data, 'must-rejoin');
  writeFileSync(marker, 'an old backup');
  for (const other of ensemble.running) await ensemble.stop(other);
  await ensemble.start(id);
  assert.equal(ensemble.server(id).historyEnd, -1, 'it claims no history');
  for (const other of [1, 2, 3]) if (other !== id) await ensemble.start(other);
  assert.notEqual(await ensemble.settled(), id);
  await ensemble.level();
  assert.equal(await (await ensemble.client(id)).getData('/n'), '19');
  assert.equal(existsSync(marker), false);
});

test('a member whose newest log was taken away elects nobody without those who have what it lost', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const leader = await ensemble.settled();
  const client = await ensemble.client(leader);
  await client.create('/n');
  await ensemble.level();
  const [late = 0, loser = 0] = ensemble.running.filter((id) => id !== leader);
  await ensemble.stop(late);
  await write(client, 20);
  await ensemble.level();
  for (const id of ensemble.running) await ensemble.stop(id);
  const dir = join(ensemble.dataDirOf(loser), 'version-2');
  const [newest = ''] = sortedLogs(readdirSync(dir))
    .map(({ file }) => file)
    .reverse();
  rmSync(join(dir, newest));
  await ensemble.start(loser);
  assert.equal(ensemble.server(loser).historyEnd, -1, 'it claims no history');
  await ensemble.start(late);
  await ensemble.start(leader);
  assert.equal(await ensemble.settled(), leader);
  await ensemble.level();
  assert.equal(await (await ensemble.client(loser)).getData('/n'), '19');
});

test('what stood in the log of a server that got a snapshot instead does not come back', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { forceSnapshotSync: true });
  const leader = await ensemble.settled();
  const client = await ensemble.client(leader);
  await client.create('/n');
  await write(client, 3);
  await ensemble.level();
  const ids = [1, 2, 3];
  const last = ensemble.server(leader).lastZxid;
  for (const id of ids) await ensemble.stop(id);
  const [odd = 0, ...others] = ids;
  const dir = join(ensemble.dataDirOf(odd), 'version-2');
  writeLog(dir, [{ zxid: last + 1, entry: setDataEntry(last + 1, '/n', 99) }]);
  for (const id of others) await ensemble.start(id);
  await ensemble.settled();
  await ensemble.start(odd);
  await ensemble.settled();
  assert.ok(ensemble.said(odd, /the leader sends a snapshot/));
  const files = readdirSync(dir).filter((name) => /^(log|snapshot)\./.test(name));
  assert.match(files.join(' '), /^snapshot\.\w+$/);
  await ensemble.stop(odd);
  await ensemble.start(odd);
  await ensemble.settled();
  assert.equal(await (await ensemble.client(odd)).getData('/n'), '2');
});

/** Three members, of which server 1 was a server alone that had these nodes. */
async function extended(t: TestContext): Promise<Ensemble> {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant'], {
    'snapshot.trust.empty': true,
  });
  const dir = join(ensemble.dataDirOf(1), 'version-2');
  mkdirSync(dir, { recursive: true });
  writeLog(
    dir,
    ['/a', '/b', '/c'].map((path, i) => ({ zxid: i + 1, entry: createEntry(i + 1, path) })),
  );
  return ensemble;
}

test('a server that was alone keeps its data where empty ones have elected a leader without it', async (t) => {
  const ensemble = await extended(t);
  await Promise.all([2, 3].map((id) => ensemble.start(id)));
  await (await ensemble.client(await ensemble.settled())).create('/new');
  let failed: (error: Error) => void = () => {};
  const failure = new Promise<Error>((resolve) => {
    failed = resolve;
  });
  await ensemble.start(1, {}, { onFatal: (error) => failed(error) });
  assert.match((await failure).message, /a server that was alone, and the leader of the ensemble has nothing of them/);
  await ensemble.stop(1);
  const dir = join(ensemble.dataDirOf(1), 'version-2');
  assert.ok(readdirSync(dir).includes('log.1'));
  writeFileSync(join(dir, 'must-rejoin'), '');
  await ensemble.start(1);
  await ensemble.settled();
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1, 'where it is not to count');
});

test('the data of a server that was alone are those of the ensemble where it is among the first', async (t) => {
  const ensemble = await extended(t);
  await Promise.all([1, 2].map((id) => ensemble.start(id)));
  await ensemble.settled();
  await ensemble.start(3);
  await ensemble.settled();
  await ensemble.level();
  for (const id of [1, 2, 3]) assert.notEqual(await (await ensemble.client(id)).getData('/c'), undefined);
});
