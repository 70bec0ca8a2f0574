// What operators are told of running servers of an ensemble.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { startAdminPorts } from '../../dist/admin/admin-server.js';
import { metricRows } from '../../dist/admin/metrics.js';
import { viewOf } from '../../dist/admin/view-of-server.js';
import { silentLogger } from '../../dist/log.js';
import { atEnd } from '../server/raw-client.js';
import { Ensemble } from './ensemble.js';

const WORDS = { '4lw.commands.whitelist': '*' };

function ask(ensemble: Ensemble, id: number, word: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: ensemble.server(id).boundPort, host: '127.0.0.1' }, () => socket.write(word));
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}

function metrics(ensemble: Ensemble, id: number): Map<string, unknown> {
  return new Map(metricRows(viewOf(ensemble.server(id))));
}

type Reply = Record<string, unknown>;

/** Asks commands over HTTP. */
async function commandsOf(t: TestContext, ensemble: Ensemble, id: number): Promise<(name: string) => Promise<Reply>> {
  const server = ensemble.server(id);
  const admin = { ...server.config.admin, enabled: true, address: '127.0.0.1', port: 0 };
  const [port] = await startAdminPorts(viewOf(server), { admin, prometheus: undefined }, silentLogger);
  assert.ok(port);
  atEnd(t, () => port.close());
  return async (name) => (await (await fetch(`${port.url}/commands/${name}`)).json()) as Reply;
}

test('leader, follower and observer tell of their parts', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant', 'observer'], WORDS);
  await Promise.all([1, 2, 3, 4].map((id) => ensemble.start(id)));
  const leader = await ensemble.settled();
  const follower = [1, 2, 3].find((id) => id !== leader) ?? 0;
  const client = await ensemble.client(follower, { timeout: 8000 });
  for (let i = 0; i < 20; i++) await client.create(`/n${i}`, 'x'.repeat(i), i % 2);
  await ensemble.level();

  const told = metrics(ensemble, leader);
  assert.equal(told.get('peer_state'), 'leading - broadcast');
  assert.equal(told.get('quorum_size'), 3);
  assert.equal(told.get('learners'), 3);
  assert.equal(told.get('synced_followers'), 2);
  assert.equal(told.get('synced_observers'), 1);
  assert.equal(told.get('synced_non_voting_followers'), 0);
  assert.equal(told.get('pending_syncs'), 0);
  assert.equal(told.get('proposal_count'), 21);
  assert.equal(told.get('commit_count'), 21);
  assert.equal(told.get('cnt_quorum_ack_latency'), 21);
  assert.equal(told.get('cnt_propagation_latency'), 21);
  assert.equal(told.get('min_proposal_size'), 48, 'header, timeout and digest of the session');
  assert.ok(Number(told.get('max_proposal_size')) >= Number(told.get('last_proposal_size')));
  assert.equal(
    Number(told.get('snap_count')) + Number(told.get('diff_count')),
    3,
    'each learner was brought up to date',
  );
  assert.ok(Number(told.get('cnt_election_time')) >= 1);
  assert.ok(Number(told.get('looking_count')) >= 1);
  assert.equal(told.get('cnt_leader_unavailable_time'), 1);
  assert.equal(told.get('cnt_unavailable_time'), 1);
  assert.ok(Number(told.get('leader_uptime')) > 0);
  assert.match(
    await ask(ensemble, leader, 'srvr'),
    /\nMode: leader\nNode count: 25\nProposal sizes last\/min\/max: \d+\/48\/\d+\n$/,
  );

  for (const [id, mode] of [
    [follower, 'follower'],
    [4, 'observer'],
  ] as const) {
    const learned = metrics(ensemble, id);
    assert.equal(learned.get('peer_state'), mode === 'follower' ? 'following - broadcast' : 'observing - broadcast');
    assert.equal(learned.get('quorum_size'), 3);
    assert.equal(learned.get('learners'), undefined);
    assert.equal(learned.get('global_sessions'), 1);
    assert.equal(learned.get('learner_commit_received_count'), 21);
    assert.equal(learned.get('learner_proposal_received_count'), mode === 'follower' ? 21 : 0);
    assert.equal(learned.get('cnt_proposal_latency'), mode === 'follower' ? 21 : 0);
    assert.equal(learned.get('cnt_commit_propagation_latency'), 21);
    assert.equal(learned.get('cnt_propagation_latency'), 21);
    assert.equal(learned.get(`cnt_${mode}_sync_time`), 1);
    assert.equal(learned.get('observer_master_id'), mode === 'observer' ? leader : undefined);
    assert.match(await ask(ensemble, id, 'srvr'), new RegExp(`\nMode: ${mode}\nNode count: 25\n$`));
  }

  const command = await commandsOf(t, ensemble, leader);
  assert.deepEqual(await command('leader'), {
    is_leader: true,
    leader_id: leader,
    leader_ip: '127.0.0.1',
    command: 'leader',
    error: null,
  });
  const { observers } = (await command('observers')) as { observers: Reply[] };
  assert.equal(observers.length, 1);
  assert.equal(observers[0]?.sid, 4);
  assert.equal(observers[0]?.last_zxid, ensemble.server(leader).lastZxid);
  assert.ok(Math.abs(Number(observers[0]?.established) - Date.now()) < 60_000);
  assert.match(String(observers[0]?.remote_socket_address), /^\/127\.0\.0\.1:\d+$/);
  assert.ok(Number(observers[0]?.packets_sent) >= 21);
});

test('dump lists a session on every server; its deadline on the leader', async (t) => {
  const ensemble = await Ensemble.ofThree(t, WORDS);
  const leader = await ensemble.settled();
  const follower = await ensemble.follower();
  const client = await ensemble.client(follower, { timeout: 8000 });
  await client.create('/e', '', 1);
  await ensemble.level();
  const id = `0x${client.id.toString(16)}`;
  const sections = (text: string): string => text.replace(/^Connections dump:[\s\S]*/m, '').replace(/at .*:$/gm, 'at');
  const ephemerals = `ephemeral nodes dump:\nSessions with Ephemerals (1):\n${id}:\n\t/e\n`;
  assert.equal(
    sections(await ask(ensemble, leader, 'dump')),
    `SessionTracker dump:\nSession Sets (1)/(1):\n1 expire at\n\t${id}\n${ephemerals}`,
  );
  assert.equal(
    sections(await ask(ensemble, follower, 'dump')),
    `SessionTracker dump:\nGlobal Sessions(1):\n${id}\t${client.timeout}ms\n${ephemerals}`,
  );
});

test('local sessions are counted and listed apart', async (t) => {
  const ensemble = await Ensemble.ofThree(t, {
    ...WORDS,
    localSessionsEnabled: true,
    localSessionsUpgradingEnabled: true,
  });
  const leader = await ensemble.settled();
  const follower = await ensemble.follower();
  for (const id of [leader, follower]) {
    const local = await ensemble.client(id);
    const global = await ensemble.client(id);
    await global.create(`/e${id}`, '', 1);
    await ensemble.level();
    const told = metrics(ensemble, id);
    assert.equal(told.get('local_sessions'), 1);
    const text = await ask(ensemble, id, 'dump');
    const [localPart, globalPart = ''] = text.split(/^Global /m);
    assert.match(
      localPart ?? '',
      new RegExp(`^Local Session Sets \\(1\\)/\\(1\\):\n1 expire at .*:\n\t0x${local.id.toString(16)}$`, 'm'),
    );
    assert.match(globalPart, new RegExp(`^\\t?0x${global.id.toString(16)}`, 'm'));
    assert.doesNotMatch(globalPart.replace(/^Connections dump:[\s\S]*/m, ''), new RegExp(local.id.toString(16)));
  }
  assert.equal(metrics(ensemble, leader).get('global_sessions'), 2);
});

test('a leader that does not serve clients answers commands and no words', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant'], {
    ...WORDS,
    leaderServes: 'no',
  });
  await Promise.all([1, 2, 3].map((id) => ensemble.start(id)));
  const parts = () => [1, 2, 3].map((id) => ensemble.server(id).ensembleView.part);
  while (parts().includes(undefined)) await new Promise((resolve) => setTimeout(resolve, 2));
  const leader = parts()[0]?.leaderId ?? 0;
  assert.equal(await ask(ensemble, leader, 'isro'), 'null');
  const command = await commandsOf(t, ensemble, leader);
  assert.equal((await command('leader')).is_leader, true);
  assert.equal(((await command('server_stats')).server_stats as Reply).server_state, 'leader');
  assert.equal((await command('monitor')).peer_state, 'leading - broadcast');
  const follower = ensemble.running.find((id) => id !== leader) ?? 0;
  await ensemble.client(follower);
  const { expiry_time_to_session_ids: sessions } = await command('dump');
  assert.equal(Object.values(sessions as Reply).flat().length, 1);
});

test('a server without a quorum says so, and begins its counts anew when it has one again', async (t) => {
  const ensemble = await Ensemble.ofThree(t, WORDS);
  const leader = await ensemble.settled();
  const command = await commandsOf(t, ensemble, leader);
  for (let i = 0; i < 5; i++) await ask(ensemble, leader, 'ruok');
  assert.equal(metrics(ensemble, leader).get('packets_received'), 5);
  const others = ensemble.running.filter((id) => id !== leader);
  for (const id of others) await ensemble.stop(id);
  while (ensemble.server(leader).ensembleView.part !== undefined)
    await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(await ask(ensemble, leader, 'srvr'), 'This ZooKeeper instance is not currently serving requests\n');
  assert.equal(await ask(ensemble, leader, 'isro'), 'null');
  assert.equal(await ask(ensemble, leader, 'ruok'), 'imok');
  const error = 'This ZooKeeper instance is not currently serving requests';
  assert.deepEqual(await command('leader'), { command: 'leader', error });
  assert.deepEqual(await command('zabstate'), { voting: false, zabstate: '', command: 'zabstate', error: null });
  await Promise.all(others.map((id) => ensemble.start(id)));
  await ensemble.settled();
  const told = metrics(ensemble, leader);
  assert.equal(told.get('packets_received'), 0);
  assert.ok(Number(told.get('looking_count')) >= 2, 'what is counted over all roles goes on');
  assert.equal(told.get('cnt_unavailable_time'), 2);
});

test('a read-only server shows its settings and nobody’s part', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { ...WORDS, 'readonlymode.enabled': true, localSessionsEnabled: true });
  const leader = await ensemble.settled();
  const last = await ensemble.follower();
  for (const id of ensemble.running.filter((i) => i !== last)) await ensemble.stop(id);
  assert.notEqual(leader, last);
  while (ensemble.server(last).mode !== 'read-only') await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(await ask(ensemble, last, 'isro'), 'ro');
  assert.match(await ask(ensemble, last, 'srvr'), /\nMode: read-only\nNode count: 5\n$/);
  assert.match(await ask(ensemble, last, 'conf'), /\nelectionAlg=3\nelectionPort=\d+\nquorumPort=\d+\npeerType=0\n$/);
  assert.match(
    await ask(ensemble, last, 'dump'),
    /^SessionTracker dump:\nLocal Session Sets \(0\)\/\(0\):\nGlobal Sessions\(0\):\n/,
  );
  const told = metrics(ensemble, last);
  assert.equal(told.get('server_state'), 'read-only');
  assert.equal(told.get('peer_state'), undefined);
  assert.equal(told.get('quorum_size'), undefined);
  const command = await commandsOf(t, ensemble, last);
  assert.equal((await command('leader')).error, 'server is not initialized');
  assert.equal((await command('is_read_only')).read_only, true);
});

test('srst begins everything anew, the sizes of proposals too', async (t) => {
  const ensemble = await Ensemble.ofThree(t, WORDS);
  const leader = await ensemble.settled();
  const client = await ensemble.client(leader);
  await client.create('/n', 'x');
  assert.equal(await ask(ensemble, leader, 'srst'), 'Server stats reset.\n');
  const told = metrics(ensemble, leader);
  for (const key of [
    'proposal_count',
    'commit_count',
    'looking_count',
    'cnt_election_time',
    'connection_request_count',
  ])
    assert.equal(told.get(key), 0, key);
  assert.equal(told.get('last_proposal_size'), -1);
  assert.match(await ask(ensemble, leader, 'srvr'), /Proposal sizes last\/min\/max: -1\/-1\/-1\n$/);
});
