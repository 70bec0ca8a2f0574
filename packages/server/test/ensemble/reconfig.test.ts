// Reconfiguration: servers join, leave, change roles and places, under writes, and the files say so afterwards.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { ErrorCode, OpCode } from '@nodekeeper/protocol';
import { loadConfig, startServer } from '../../dist/index.js';
import { formatConfig, parseConfig } from '../../dist/quorum/quorum-config.js';
import { reconfigured } from '../../dist/quorum/reconfigure.js';
import { RawClient, type Reply } from '../server/raw-client.js';
import { until } from '../server/until.js';
import { Ensemble, freePorts, writeLog } from './ensemble.js';
import { RawLearner } from './raw-learner.js';

const SETTINGS = { reconfigEnabled: true, skipACL: 'yes', standaloneEnabled: false };

interface Change {
  readonly joining?: string;
  readonly leaving?: string;
  readonly members?: string;
  readonly expected?: number;
}

async function reconfig(client: RawClient, change: Change): Promise<{ reply: Reply; text: string }> {
  const reply = await client.request(OpCode.reconfig, (w) => {
    w.string(change.joining ?? null)
      .string(change.leaving ?? null)
      .string(change.members ?? null)
      .long53(change.expected ?? -1);
  });
  return { reply, text: reply.error === 0 ? (reply.body.buffer() ?? '').toString() : '' };
}

async function writes(client: RawClient, count: number): Promise<void> {
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

/** The lines of members `ids` as a reconfiguration names them. */
function lines(ensemble: Ensemble, ids: readonly number[]): string {
  return ids.map((id) => `server.${id}=${ensemble.fullLine(id)}`).join(',');
}

test('the first leader gives the members its epoch as their version, on every server', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 3, [1, 2, 3], SETTINGS);
  await ensemble.settled();
  for (const id of [1, 2, 3]) {
    const client = await ensemble.client(id);
    assert.match((await client.getData('/zookeeper/config')) ?? '', /version=100000000$/);
    const text = readFileSync(ensemble.configPath(id), 'utf8');
    assert.match(text, /^dynamicConfigFile=\/.*\.dynamic\.100000000$/m);
    assert.doesNotMatch(text, /^server\./m);
    // Apache's server ends its last line without a line feed.
    assert.match(
      readFileSync(`${ensemble.configPath(id)}.dynamic.100000000`, 'utf8'),
      /^server\.1=(.*\n)+server\.3=.*[^\n]$/,
    );
  }
});

test('a server alone grows to three and to five under writes, and shrinks back, nothing lost', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 5, [1], SETTINGS);
  await ensemble.settled();
  const client = await ensemble.client(1);
  await client.create('/n');
  const grow = async (ids: readonly number[]): Promise<void> => {
    for (const id of ids) await ensemble.startJoiner(id);
    await ensemble.settled();
    await writes(client, 10);
    const { reply, text } = await reconfig(client, { joining: lines(ensemble, ids) });
    assert.equal(reply.error, 0);
    for (const id of ids) assert.match(text, new RegExp(`server\\.${id}=`));
    await writes(client, 10);
    await ensemble.level();
  };
  await grow([2, 3]);
  assert.equal(ensemble.server(2).membership.committed.verifier.voters.length, 3);
  await grow([4, 5]);
  assert.equal(ensemble.digests().size, 1);
  assert.equal((await reconfig(client, { leaving: '4,5' })).reply.error, 0);
  await writes(client, 5);
  await ensemble.stop(4);
  await ensemble.stop(5);
  assert.equal((await reconfig(client, { leaving: '2,3' })).reply.error, 0);
  await ensemble.stop(2);
  await ensemble.stop(3);
  await writes(client, 5);
  assert.equal(await client.getData('/n'), '4');
  await ensemble.stop(1);
  await ensemble.start(1);
  assert.equal(await ensemble.settled(), 1);
  assert.equal(await (await ensemble.client(1)).getData('/n'), '4');
});

test('removing the leader hands over to a voter that has everything, in a new epoch', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 3, [1, 2, 3], SETTINGS);
  const first = await ensemble.settled();
  const client = await ensemble.client(await ensemble.follower());
  await client.create('/n');
  client.send(OpCode.reconfig, (w) => w.string(null).string(`${first}`).string(null).long53(-1));
  while (ensemble.server(first).mode === 'leader') await new Promise((resolve) => setTimeout(resolve, 1));
  const leader = await ensemble.settled();
  assert.notEqual(leader, first);
  assert.equal(ensemble.server(leader).epochs.current, 2);
  assert.equal(ensemble.server(first).mode, 'follower', 'removed, it follows without a vote');
  const next = await ensemble.client(leader);
  await writes(next, 10);
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1);
});

test('roles change: a voter becomes an observer and a voter again', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 3, [1, 2, 3], SETTINGS);
  await ensemble.settled();
  const client = await ensemble.client(3);
  await client.create('/n');
  const line = ensemble.fullLine(1);
  const observer = `server.1=${line.replace('participant', 'observer')}`;
  assert.equal((await reconfig(client, { joining: observer })).reply.error, 0);
  while (ensemble.server(1).mode !== 'observer') await new Promise((resolve) => setTimeout(resolve, 1));
  await ensemble.settled();
  await writes(client, 5);
  await ensemble.level();
  assert.equal((await reconfig(client, { joining: `server.1=${line}` })).reply.error, 0);
  while (ensemble.server(1).mode !== 'follower') await new Promise((resolve) => setTimeout(resolve, 1));
  await ensemble.settled();
  await writes(client, 5);
  await ensemble.level();
});

test('clients are taken at another port after a reconfiguration, those connected stay', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 4, [1, 2, 3], SETTINGS);
  await ensemble.settled();
  const client = await ensemble.client(1);
  await client.create('/n');
  const line = ensemble.fullLine(1);
  const moved = line.replace(/;.*/, `;127.0.0.1:${ensemble.clientPortOf(4)}`);
  assert.equal((await reconfig(client, { joining: `server.1=${moved}` })).reply.error, 0);
  while (ensemble.server(1).boundPort !== ensemble.clientPortOf(4))
    await new Promise((resolve) => setTimeout(resolve, 1));
  await writes(client, 3);
  const fresh = await ensemble.client(1);
  assert.equal(await fresh.getData('/n'), '2');
});

test('the only voter goes on leading at its new quorum port', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 3, [1], SETTINGS);
  await ensemble.settled();
  await ensemble.startJoiner(2);
  await ensemble.settled();
  const client = await ensemble.client(1);
  await client.create('/n');
  const observer = `server.2=${ensemble.fullLine(2).replace('participant', 'observer')}`;
  assert.equal((await reconfig(client, { joining: observer })).reply.error, 0);
  await ensemble.settled();
  const moved = ensemble.fullLine(1).replace(/:\d+:/, `:${ensemble.quorumPortOf(3)}:`);
  assert.equal((await reconfig(client, { joining: `server.1=${moved}` })).reply.error, 0);
  await until(() => ensemble.server(1).epochs.current > 1 && ensemble.server(1).mode === 'leader');
  await ensemble.settled();
  const learner = await RawLearner.dial(t, ensemble.quorumPortOf(3));
  assert.equal(await learner.follow(9, ensemble.server(1).lastZxid), ensemble.server(1).epochs.current);
  const fresh = await ensemble.client(1);
  await writes(fresh, 1);
  await ensemble.level();
});

test('a new client port that is taken gives up the old one, and is opened once it is free', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 4, [1, 2, 3], SETTINGS);
  await ensemble.settled();
  const client = await ensemble.client(2);
  const server = ensemble.server(1);
  const [old, other] = [ensemble.clientPortOf(1), ensemble.clientPortOf(4)];
  const bound = async (port: number): Promise<void> => {
    while (server.boundPort !== port) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  const moveTo = async (place: string): Promise<void> => {
    const joining = `server.1=${ensemble.fullLine(1).replace(/;.*/, `;${place}`)}`;
    assert.equal((await reconfig(client, { joining })).reply.error, 0);
  };
  const taker = createServer().listen(other, '127.0.0.1');
  await once(taker, 'listening');
  await moveTo(`127.0.0.1:${other}`);
  while (!ensemble.said(1, /the new client port cannot be opened/))
    await new Promise((resolve) => setTimeout(resolve, 1));
  const probe = createServer().listen(old, '127.0.0.1');
  await once(probe, 'listening');
  probe.close();
  taker.close();
  await bound(other);
  // The same port on all addresses overlaps with the one before.
  await moveTo(`0.0.0.0:${other}`);
  const moves = () =>
    ensemble.lines.get(1)?.filter(({ message }) => message.startsWith('clients are taken at another'));
  while (moves()?.length !== 2) await new Promise((resolve) => setTimeout(resolve, 1));
  const fresh = await RawClient.open(t, other);
  assert.equal((await fresh.create('/n')).error, 0);
});

test('all members named anew need no client ports; only its own line takes that out of zoo.cfg', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 3, [1, 2, 3], SETTINGS);
  await ensemble.settled();
  for (const id of [1, 2, 3]) {
    const path = ensemble.configPath(id);
    writeFileSync(path, `clientPort=${ensemble.clientPortOf(id)}\n${readFileSync(path, 'utf8')}`);
  }
  const client = await ensemble.client(1);
  const bare = (id: number): string => `server.${id}=${ensemble.fullLine(id).replace(/;.*/, '')}`;
  const { reply } = await reconfig(client, { members: [lines(ensemble, [1]), bare(2), bare(3)].join('\n') });
  assert.equal(reply.error, 0);
  await ensemble.level();
  const text = (id: number): string => readFileSync(ensemble.configPath(id), 'utf8');
  for (const id of [1, 2, 3]) while (!/dynamicConfigFile=.*(?<!100000000)$/m.test(text(id))) await ensemble.level();
  assert.deepEqual(
    [1, 2, 3].map((id) => /^clientPort=/m.test(text(id))),
    [false, true, true],
  );
});

test('members that were proposed with a version of a later epoch come into force on every server', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 3, [1, 2, 3], SETTINGS, []);
  const next = [1, 2, 3].map((id) => `server.${id}=${ensemble.fullLine(id)}`).join('\n');
  const text = `${next.replace(/(server\.3=.*):participant/, '$1:observer')}\nversion=500000000`;
  for (const id of [1, 2, 3]) writeFileSync(`${ensemble.configPath(id)}.dynamic.next`, text);
  await Promise.all([1, 2, 3].map((id) => ensemble.start(id)));
  const versions = (): number[] => [1, 2, 3].map((id) => ensemble.server(id).membership.committed.version);
  while (!versions().every((version) => version === 0x500000000))
    await new Promise((resolve) => setTimeout(resolve, 1));
});

for (const [what, text] of [
  ['is empty', ''],
  ['was cut', 'server.1=127.0.0.1:1'],
] as const) {
  test(`a file of proposed members that ${what} is named and ignored`, async (t) => {
    const ensemble = await Ensemble.withFiles(t, 3, [1, 2, 3], SETTINGS, []);
    for (const id of [1, 2, 3]) writeFileSync(`${ensemble.configPath(id)}.dynamic.next`, text);
    await Promise.all([1, 2, 3].map((id) => ensemble.start(id)));
    await ensemble.settled();
    assert.ok(ensemble.said(1, /zoo\.cfg\.dynamic\.next cannot be read: .*; it is ignored/));
  });
}

test('members that were proposed have to agree where their file cannot be read: the log has them', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 5, [1, 2, 3], SETTINGS);
  const client = await ensemble.client(await ensemble.settled());
  await client.create('/n');
  await ensemble.level();
  const version = ensemble.server(1).lastZxid + 1;
  await ensemble.close();
  const text = `${lines(ensemble, [3, 4, 5]).replaceAll(',', '\n')}\nversion=${version.toString(16)}`;
  writeLog(join(ensemble.dataDirOf(1), 'version-2'), [{ zxid: version, entry: reconfigEntry(version, text) }]);
  writeFileSync(`${ensemble.configPath(1)}.dynamic.next`, text.slice(0, -20));
  await ensemble.start(1);
  const { membership } = ensemble.server(1);
  assert.deepEqual(
    membership.verifiers.map(({ voters }) => voters),
    [
      [1, 2, 3],
      [3, 4, 5],
    ],
  );
});

test('mistakes are refused with the codes that Apache gives', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 4, [1, 2, 3], { ...SETTINGS, standaloneEnabled: true });
  await ensemble.settled();
  const client = await ensemble.client(2);
  const error = async (change: Change): Promise<number> => (await reconfig(client, change)).reply.error;
  assert.equal(await error({ leaving: '1', expected: 7 }), -103, 'version');
  assert.equal(await error({ leaving: 'x' }), -8, 'no number');
  assert.equal(await error({ joining: 'server.9=h:1' }), -8, 'no address');
  assert.equal(await error({ joining: 'server.9=h:1:2' }), -8, 'no client port');
  assert.equal(await error({ leaving: '1,2' }), -8, 'too few left');
  assert.equal(await error({ joining: `server.9=${ensemble.fullLine(1)}` }), -8, 'an address twice');
  for (const [line, why] of [
    ['127.0.0.1:1:2|127.0.0.2:1:2;3', 'several addresses without multiAddress.enabled: it would not start again'],
    ['127.0.0.1:2:2;3', 'one port for two things'],
    ['127.0.0.1:0:0;3', 'one port for two things'],
    ['[h:1:2;3', 'half a bracket'],
    ['h:1:2;[h:3', 'half a bracket'],
  ] as const) {
    assert.equal(await error({ joining: `server.9=${line}` }), -8, why);
    assert.equal(await error({ members: `${lines(ensemble, [1, 2, 3])},server.9=${line}` }), -8, why);
  }
  assert.equal(
    await error({ members: `server.4=${ensemble.fullLine(4)}\nserver.1=${ensemble.fullLine(1)}` }),
    -13,
    'absent',
  );
  assert.equal(await error({ expected: 0x100000000, joining: `server.1=${ensemble.fullLine(1)}` }), 0);
});

test('several addresses of a server are taken where servers may have them', () => {
  const now = parseConfig('server.1=h1:1:2;3\nserver.2=h2:1:2;3');
  const line = 'server.3=h3:1:2:participant|h4:1:2:participant;0.0.0.0:3';
  const incremental = { joining: line, leaving: null, members: null, expected: -1 };
  const whole = { joining: null, leaving: null, members: `${formatConfig(now)},${line}`, expected: -1 };
  for (const request of [incremental, whole]) {
    const config = reconfigured(now, request, 1, { leastVoters: 2, multiAddress: true });
    assert.ok(typeof config !== 'number' && formatConfig(config).includes(line));
  }
});

test('a list of very many members is judged as fast as it is read: anybody may send one', () => {
  const now = parseConfig('server.1=h1:1:2;3\nserver.2=h2:1:2;3');
  const line = (id: number, host = `h${id}`): string => `server.${id}=${host}:1:2;${host}:3`;
  const many = Array.from({ length: 2_000 }, (_, i) => line(i + 1));
  const began = process.cpuUsage();
  const sizeOf = (members: readonly string[], isWhole: boolean): number => {
    const text = members.join(',');
    const request = { joining: isWhole ? null : text, leaving: null, members: isWhole ? text : null, expected: -1 };
    const config = reconfigured(now, request, 1, { leastVoters: 2, multiAddress: false });
    return typeof config === 'number' ? config : config.members.size;
  };
  for (const isWhole of [true, false]) {
    assert.equal(sizeOf(many, isWhole), 2_000);
    assert.equal(sizeOf([...many, line(2_001, 'h7')], isWhole), ErrorCode.BadArguments, 'where another one listens');
  }
  assert.equal(sizeOf([...many, ...many], true), ErrorCode.BadArguments, 'longer than any list');
  // The place that a member leaves is free for the next one.
  assert.equal(sizeOf([line(2, 'h9'), line(3, 'h2')], false), 3);
  assert.equal(sizeOf([line(3, 'h2'), line(2, 'h9')], false), ErrorCode.BadArguments);
  const { user, system } = process.cpuUsage(began);
  assert.ok(user + system < 2_000_000, `${user + system} µs`);
});

test('without reconfigEnabled it is refused, and nothing is written', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 3, [1, 2, 3], {});
  await ensemble.settled();
  const client = await ensemble.client(1);
  assert.equal((await reconfig(client, { leaving: '3' })).reply.error, -123);
  assert.match((await client.getData('/zookeeper/config')) ?? '', /version=0$/);
  assert.equal(existsSync(`${ensemble.configPath(1)}.dynamic.100000000`), false);
});

test('writing the members needs the right to', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 3, [1, 2, 3], { ...SETTINGS, skipACL: 'no' });
  await ensemble.settled();
  const client = await ensemble.client(1);
  assert.equal((await reconfig(client, { joining: `server.1=${ensemble.fullLine(1)}` })).reply.error, -102);
});

test('a server that was taken out, is being added, and is set up anew meanwhile agrees with the others', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 3, [1, 2, 3], SETTINGS);
  const setUp = readFileSync(ensemble.configPath(3), 'utf8').replace(/^dynamicConfigFile=.*$/m, '');
  await ensemble.settled();
  const client = await ensemble.client(1);
  await client.create('/n');
  assert.equal((await reconfig(client, { leaving: '3' })).reply.error, 0);
  await ensemble.settled();
  await ensemble.level();
  const version = ensemble.server(1).lastZxid + 1;
  for (const id of [1, 2, 3]) await ensemble.stop(id);
  // Everybody has logged that it comes in for server 2, and nobody knows whether that is so.
  const text = `${lines(ensemble, [1, 3]).replaceAll(',', '\n')}\nversion=${version.toString(16)}`;
  for (const id of [1, 2, 3]) {
    writeLog(join(ensemble.dataDirOf(id), 'version-2'), [{ zxid: version, entry: reconfigEntry(version, text) }]);
    writeFileSync(`${ensemble.configPath(id)}.dynamic.next`, text);
  }
  writeFileSync(ensemble.configPath(3), `${setUp}\n${lines(ensemble, [1, 2, 3]).replaceAll(',', '\n')}\n`);
  for (const id of [1, 2, 3]) await ensemble.start(id);
  await ensemble.settled();
  await ensemble.level();
  for (const id of [1, 2, 3]) assert.equal(ensemble.server(id).membership.committed.version, version);
});

test('members that are proposed still have to agree when older ones were taken over, after a restart, too', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 5, [1, 2, 3, 4], SETTINGS);
  await ensemble.settled();
  const before = readFileSync(ensemble.configPath(1), 'utf8');
  const client = await ensemble.client(3);
  await client.create('/n');
  assert.equal((await reconfig(client, { leaving: '4' })).reply.error, 0);
  await ensemble.settled();
  await ensemble.level();
  const known = ensemble.server(1).membership.committed.version;
  const version = ensemble.server(1).lastZxid + 1;
  for (const id of [1, 2, 3, 4]) await ensemble.stop(id);
  // Servers 3, 4 and 5 are who decides now; 2 has not heard of it, and 1, which missed both changes, only that it is proposed.
  const members = lines(ensemble, [3, 4, 5]).replaceAll(',', '\n');
  const text = `${members}\nversion=${version.toString(16)}`;
  for (const id of [1, 3, 4])
    writeLog(join(ensemble.dataDirOf(id), 'version-2'), [{ zxid: version, entry: reconfigEntry(version, text) }]);
  for (const id of [3, 4]) {
    const file = `${ensemble.configPath(id)}.dynamic.${version.toString(16)}`;
    writeFileSync(file, members);
    const main = readFileSync(ensemble.configPath(id), 'utf8');
    writeFileSync(ensemble.configPath(id), main.replace(/^dynamicConfigFile=.*$/m, `dynamicConfigFile=${file}`));
  }
  writeFileSync(ensemble.configPath(1), before);
  writeFileSync(`${ensemble.configPath(1)}.dynamic.next`, text);
  await ensemble.start(1);
  await ensemble.start(2);
  while (ensemble.server(1).membership.committed.version !== known) await new Promise((r) => setTimeout(r, 2));
  await ensemble.stop(1);
  await ensemble.start(1);
  const { membership } = ensemble.server(1);
  assert.deepEqual([membership.committed.version, membership.proposed.version], [known, version]);
  await ensemble.start(3);
  await ensemble.start(4);
  await ensemble.settled();
  await ensemble.level();
  for (const id of [1, 2, 3, 4]) assert.equal(ensemble.server(id).membership.committed.version, version);
});

/** The log entry that puts members into force. */
function reconfigEntry(zxid: number, members: string): Buffer {
  const path = '/zookeeper/config';
  const buf = Buffer.alloc(32 + 4 + path.length + 4 + members.length + 4);
  buf.writeBigInt64BE(BigInt(zxid), 12);
  buf.writeBigInt64BE(BigInt(Date.now()), 20);
  buf.writeInt32BE(OpCode.reconfig, 28);
  buf.writeInt32BE(path.length, 32);
  buf.write(path, 36);
  buf.writeInt32BE(members.length, 36 + path.length);
  buf.write(members, 40 + path.length);
  buf.writeInt32BE(1, buf.length - 4);
  return buf;
}

test('a server that was taken out and is set up anew does not make a quorum with one that has missed it', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 3, [1, 2, 3], SETTINGS);
  await ensemble.settled();
  const setUp = readFileSync(ensemble.configPath(2), 'utf8').replace(/^dynamicConfigFile=.*$/m, '');
  await ensemble.level();
  await ensemble.stop(1);
  await ensemble.settled();
  for (const leaving of ['1', '2']) {
    const client = await ensemble.client(3);
    await client.create('/n');
    assert.equal((await reconfig(client, { leaving })).reply.error, 0);
    await ensemble.level();
    await ensemble.settled();
  }
  await ensemble.stop(2);
  await ensemble.stop(3);
  writeFileSync(ensemble.configPath(2), `${setUp}\n${lines(ensemble, [2, 3]).replaceAll(',', '\n')}\n`);
  await ensemble.start(1);
  await ensemble.start(2);
  // Server 1 and 2 were two of three, once; but server 3 is who decides now.
  while (!ensemble.said(2, /older than those in the history/)) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(ensemble.server(2).membership.committed.version, 0);
  await ensemble.start(3);
  assert.equal(await ensemble.settled(), 3);
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1);
});

test('members that have just been made observers do not count for the next reconfiguration', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 5, [1, 2, 3, 4, 5], SETTINGS);
  const leader = await ensemble.settled();
  const client = await ensemble.client(leader);
  await client.create('/n');
  const ids = [1, 2, 3, 4, 5];
  const demoted = ids.filter((id) => id !== leader).slice(0, 3);
  const as = (observers: readonly number[]): string =>
    ids
      .map((id) => {
        const line = `server.${id}=${ensemble.fullLine(id)}`;
        return observers.includes(id) ? line.replace('participant', 'observer') : line;
      })
      .join(',');
  assert.equal((await reconfig(client, { members: as(demoted) })).reply.error, 0);
  // They have not all left yet: with them there would be a quorum for this, and none to acknowledge it.
  const { reply } = await reconfig(client, { members: as([]) });
  assert.equal(reply.error, ErrorCode.NewConfigNoQuorum);
  await writes(client, 3);
  await ensemble.settled();
  for (const left of [2, 1, 0]) {
    // The one before may still be on its way from one role to the other.
    const isMade = async (): Promise<boolean> =>
      (await reconfig(client, { members: as(demoted.slice(0, left)) })).reply.error === 0;
    const deadline = performance.now() + 10_000;
    while (!(await isMade())) assert.ok(performance.now() < deadline, `${left} observers left`);
  }
  await writes(await ensemble.client(leader), 3);
});

test('a member whose own line names its client port starts again where the others have theirs in zoo.cfg', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant']);
  const lines = [1, 2, 3].map((id) => [id, ensemble.fullLine(id)] as const);
  const withPort = `${lines[2]?.[1]};127.0.0.1:0`;
  const start = async (own: number, settings: readonly string[]): Promise<void> => {
    const dir = ensemble.dataDirOf(own);
    const members = lines.map(([id, line]) => `server.${id}=${id === 3 ? withPort : line}`);
    const limits = ['initLimit=5', 'syncLimit=5', 'admin.enableServer=false'];
    writeFileSync(ensemble.configPath(own), [`dataDir=${dir}`, ...limits, ...members, ...settings, ''].join('\n'));
    await (await startServer(loadConfig({ file: ensemble.configPath(own) }))).close();
  };
  for (const id of [2, 3]) {
    mkdirSync(ensemble.dataDirOf(id), { recursive: true });
    writeFileSync(join(ensemble.dataDirOf(id), 'myid'), `${id}\n`);
  }
  await start(3, []);
  const [port] = await freePorts(1);
  await start(2, [`clientPort=${port}`, 'clientPortAddress=127.0.0.1']);
  await assert.rejects(start(2, []), /clientPort is not set, and server\.2 names none/);
});

test('members that no server would start with are refused', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 3, [1, 2, 3], SETTINGS);
  const client = await ensemble.client(await ensemble.settled());
  const members = lines(ensemble, [1, 2, 3]);
  const huge = '9'.repeat(23);
  for (const bad of [
    'group.1=1:2',
    'group.1=1:2,group.2=2:3',
    'weight.1=2',
    `group.${huge}=1:2:3`,
    `group.1=1:2:3,group.2=${huge}`,
    `group.1=1:2:3,weight.1=${huge}`,
    `group.1=1:2:3,weight.${huge}=1`,
    `server.${huge}=h:1:2;3`,
    // Apache's servers cannot count these, and leave who proposes them.
    'group.1=1:2:3,group.2=9',
    'group.1=1:2:3:9,server.9=h:1:2:observer;3',
  ]) {
    const { reply } = await reconfig(client, { members: `${members},${bad}` });
    assert.equal(reply.error, -8, bad);
  }
  assert.equal((await reconfig(client, { joining: `server.${huge}=h:1:2;3` })).reply.error, -8);
  assert.equal((await reconfig(client, { members: `${members},group.1=1:2,group.2=3,weight.3=0` })).reply.error, 0);
  const weighed = 'group.1=1:2:3:9,weight.9=1,server.9=h:1:2:observer;3';
  assert.equal((await reconfig(client, { members: `${members},${weighed}` })).reply.error, 0);
});
