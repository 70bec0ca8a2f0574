// What the words and commands tell of an ensemble, next to what Apache's servers told.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createAdminApp } from '../../dist/admin/admin-server.js';
import { allowedWords, runFourLetterWord } from '../../dist/admin/four-letter.js';
import { gauges } from '../../dist/admin/metrics.js';
import { createRegistry } from '../../dist/admin/prometheus.js';
import { RateLimit } from '../../dist/admin/rate-limit.js';
import { silentLogger } from '../../dist/log.js';
import { quorumConfig } from '../../dist/quorum/quorum-config.js';
import { ensembleView, FakeLearner, MEMBERS, type Mode, member, recordedEnsemble } from './fake-ensemble.js';
import { A, B, type FakeView } from './fake-view.js';

const MODES: readonly Mode[] = ['leader', 'follower', 'observer'];
const ALL = allowedWords(['*']);

function answer(word: string, view: FakeView): string {
  const code = Buffer.from(word).readInt32BE(0);
  const text = runFourLetterWord({ code, rest: Buffer.alloc(0), asking: undefined }, view, ALL);
  return text === undefined || typeof text === 'string' ? (text ?? '') : [...text].join('');
}

async function command(t: TestContext, view: FakeView, name: string): Promise<string> {
  const rate = new RateLimit(1000, () => 0);
  const limits = { snapshotEnabled: true, restoreEnabled: true, snapshotRate: rate, restoreRate: rate };
  const settings = { commandUrl: '/commands', idleTimeout: 30_000, forwardedFor: false, https: undefined };
  const app = createAdminApp(view, createRegistry(view, false), settings, limits, silentLogger);
  t.after(() => app.close());
  return (await app.inject(`/commands/${name}`)).body;
}

for (const mode of MODES) {
  for (const name of ['leader', 'observers', 'voting_view', 'zabstate', 'configuration']) {
    test(`${name} of ${mode === 'observer' ? 'an' : 'a'} ${mode} is Apache's byte for byte`, async (t) => {
      const view = ensembleView(mode);
      const established = Number(/"established" : (\d+)/.exec(recordedEnsemble[mode].http[name] ?? '')?.[1] ?? 0);
      view.wallClock = () => established;
      assert.equal(await command(t, view, name), recordedEnsemble[mode].http[name]);
    });
  }

  test(`conf of ${mode} shows limits, ports and members as Apache's does`, () => {
    const sizes = /^data(Dir|Log)Size=.*$/gm;
    const mask = (text = ''): string => text.replace(sizes, '');
    assert.equal(mask(answer('conf', ensembleView(mode))), mask(recordedEnsemble[mode].words.conf));
  });

  test(`srvr of ${mode} ends as Apache's does`, () => {
    const end = (text = ''): string => text.replace(/^[\s\S]*?(?=Mode:)/, '');
    const view = ensembleView(mode);
    view.now.nodes = 10;
    assert.equal(end(answer('srvr', view)), end(recordedEnsemble[mode].words.srvr));
  });

  test(`mntr of ${mode} has Apache's gauges, in its order`, () => {
    const apache = [...(recordedEnsemble[mode].words.mntr ?? '').matchAll(/^zk_(\S+)\t(.*)$/gm)];
    const ours = gauges(ensembleView(mode));
    assert.deepEqual(
      ours.map(([name]) => name),
      apache.map(([, name]) => name),
    );
    const told = new Map(apache.map(([, name, value]) => [name, value]));
    for (const name of [
      ...['peer_state', 'quorum_size', 'observer_master_id', 'learners', 'synced_followers', 'synced_observers'],
      ...['synced_non_voting_followers', 'pending_syncs', 'min_proposal_size', 'max_proposal_size', 'global_sessions'],
      ...['last_proposal_size', 'local_sessions', 'server_state'],
    ]) {
      const value = ours.find(([key]) => key === name)?.[1];
      assert.equal(value === undefined ? undefined : String(value), told.get(name), name);
    }
  });
}

test('server_stats and stats of a leader have the sizes of its proposals before the count of nodes', async (t) => {
  for (const name of ['server_stats', 'stats']) {
    const fields = Object.entries(JSON.parse(await command(t, ensembleView('leader'), name)) as object);
    const at = fields.findIndex(([key]) => key === 'node_count');
    const apache = JSON.parse(recordedEnsemble.leader.http.server_stats ?? '') as Record<string, unknown>;
    assert.deepEqual(fields[at - 1], ['proposal_stats', apache.proposal_stats]);
  }
  assert.ok(!(await command(t, ensembleView('follower'), 'server_stats')).includes('proposal_stats'));
});

test('followers without a vote and connections that have said nothing are told apart', () => {
  const view = ensembleView('leader');
  view.ensemble.learners.push(
    new FakeLearner(5, true),
    Object.assign(new FakeLearner(undefined, false), { synced: false }),
  );
  const told = new Map(gauges(view));
  assert.equal(told.get('learners'), 5);
  assert.equal(told.get('synced_followers'), 3);
  assert.equal(told.get('synced_non_voting_followers'), 1);
  assert.equal(told.get('synced_observers'), 1);
});

test('orst begins the counts of observers anew, and of nobody else', async (t) => {
  const view = ensembleView('leader');
  await command(t, view, 'orst');
  const told = JSON.parse(await command(t, view, 'obsr')) as { observers: Record<string, unknown>[] };
  const { packets_received, packets_sent, requests, last_zxid } = told.observers[0] ?? {};
  assert.deepEqual([packets_received, packets_sent, requests, last_zxid], [0, 0, 0, -1]);
  assert.equal(view.ensemble.learners[0]?.packetsSent, 14);
});

test('addresses are shown as they are listed: several of them, names, IPv6', async (t) => {
  const view = ensembleView('follower');
  const own = {
    ...member(1),
    quorumAddresses: [
      { host: 'zoo1.example', quorumPort: 2888, electionPort: 3888 },
      { host: '::1', quorumPort: 2889, electionPort: 3889 },
    ],
    clientAddress: { host: '::1', port: 2181 },
  };
  view.ensemble.own = own;
  view.ensemble.config = quorumConfig([own, ...MEMBERS.slice(1)]);
  const told = JSON.parse(await command(t, view, 'zabstate')) as Record<string, Record<string, unknown>>;
  assert.deepEqual(told.quorum_address?.all_addresses, ['zoo1.example:2888', '[::1]:2889']);
  assert.deepEqual(told.election_address?.all_ports, [3888, 3889]);
  assert.equal(told.client_address, '[::1]:2181');
  const voting = JSON.parse(await command(t, view, 'voting_view')) as { current_config: Record<string, object> };
  assert.deepEqual(voting.current_config['1'], {
    server_addresses: ['zoo1.example:2888', '[::1]:2889'],
    election_addresses: ['zoo1.example:3888', '[::1]:3889'],
    client_address: '[::1]:2181',
    learner_type: 'participant',
  });
  assert.match(answer('conf', view), /^electionPort=3888\|3889\nquorumPort=2888\|2889$/m);
});

test('a server that was removed from the members has no vote, and is shown where it was', async (t) => {
  const view = ensembleView('follower');
  view.ensemble.config = quorumConfig(MEMBERS.slice(1), 0x100000009);
  const told = JSON.parse(await command(t, view, 'zabstate')) as Record<string, unknown>;
  assert.equal(told.voting, false);
  assert.equal((told.quorum_address as Record<string, unknown>).one, '127.0.0.1:27421');
  assert.match(answer('conf', view), /version=100000009$/);
});

// ---- sessions ----

const sessionLines = (text: string): string =>
  text.replace(/^ephemeral nodes dump:[\s\S]*/m, '').replace(/at .*:$/gm, 'at');

test('dump of a leader has its sessions by deadline; of a learner the global ones with their timeouts', async (t) => {
  const leader = sessionLines(answer('dump', ensembleView('leader')));
  const byDeadline = (ids: bigint[]): string =>
    `${ids.length} expire at\n${ids.map((id) => `\t0x${id.toString(16)}\n`).join('')}`;
  assert.equal(leader, `SessionTracker dump:\nSession Sets (2)/(2):\n${byDeadline([B])}${byDeadline([A])}`);
  const learner = sessionLines(answer('dump', ensembleView('follower')));
  const timeouts = `0x${A.toString(16)}\t10000ms\n0x${B.toString(16)}\t6000ms\n`;
  assert.equal(learner, `SessionTracker dump:\nGlobal Sessions(2):\n${timeouts}`);
  assert.match(await command(t, ensembleView('leader'), 'dump'), /"expiry_time_to_session_ids" : \{\n/);
  assert.match(await command(t, ensembleView('follower'), 'dump'), /"expiry_time_to_session_ids" : \{ \},\n/);
});

test('dump of servers with local sessions has the lines of Apache', async (t) => {
  const ids = (text: string): bigint[] => [...text.matchAll(/^\t?(0x[0-9a-f]+)/gm)].map(([, id]) => BigInt(id ?? 0));
  const { localSessions } = recordedEnsemble;
  const leader = ensembleView('leader');
  leader.ensemble.localSessions = true;
  const [local = 0n, first = 0n, second = 0n] = ids(sessionLines(localSessions.leader));
  leader.local = [[7_000, [local]]];
  leader.global = [
    [7_000, [first]],
    [8_000, [second]],
  ];
  assert.equal(sessionLines(answer('dump', leader)), sessionLines(localSessions.leader));
  const json = JSON.parse(await command(t, leader, 'dump')) as {
    expiry_time_to_session_ids: Record<string, unknown[]>;
  };
  assert.equal(
    json.expiry_time_to_session_ids['7000']?.length,
    2,
    'local and global ones that end together are both shown',
  );

  const follower = ensembleView('follower');
  follower.ensemble.localSessions = true;
  const [own = 0n, one = 0n, other = 0n] = ids(sessionLines(localSessions.follower));
  follower.local = [[7_000, [own]]];
  follower.globalSessions = () => [
    [other, 7000],
    [one, 8000],
  ];
  assert.equal(sessionLines(answer('dump', follower)), sessionLines(localSessions.follower));
  assert.match(await command(t, follower, 'dump'), /"expiry_time_to_session_ids" : \{ \},\n/);
});

// ---- without a leader ----

function looking(): FakeView {
  const view = ensembleView('leader');
  view.ensemble.part = undefined;
  view.serving = false;
  view.state = 'looking';
  return view;
}

test('every word and command is answered during an election as Apache answers it', async (t) => {
  const { words, http } = recordedEnsemble.looking;
  for (const [word, text] of Object.entries(words)) assert.equal(answer(word, looking()), text, word);
  for (const [name, body] of Object.entries(http)) assert.equal(await command(t, looking(), name), body, name);
  assert.match(await command(t, looking(), 'monitor'), /"error" : "This ZooKeeper instance is not currently serving/);
});

test('a server that serves reads only tells nothing of the ensemble but its own settings', async (t) => {
  const view = ensembleView('leader');
  view.ensemble.part = undefined;
  view.ensemble.localSessions = true;
  view.readOnly = true;
  view.state = 'read-only';
  Object.assign(view.now, { zxid: 0x100000006, nodes: 5, packetsReceived: 1, packetsSent: 0, connections: 1 });
  Object.assign(view.now, { minLatency: -1, avgLatency: 0, maxLatency: -1 });
  view.globalSessions = () => [];
  const { words, http } = recordedEnsemble.readOnly;
  const sizes = /^data(Dir|Log)Size=.*$/gm;
  assert.equal(answer('conf', view).replace(sizes, ''), words.conf?.replace(sizes, ''));
  assert.equal(sessionLines(answer('dump', view)), sessionLines(words.dump ?? ''));
  assert.equal(answer('isro', view), words.isro);
  view.version = /^Zookeeper version: (.*)$/m.exec(words.srvr ?? '')?.[1] ?? '';
  assert.equal(answer('srvr', view), words.srvr);
  for (const name of ['leader', 'observers', 'voting_view', 'zabstate', 'dump', 'configuration', 'is_read_only']) {
    const mask = (text = ''): string => text.replace(/"session_id_to_ephemeral_paths" : \{[\s\S]*?\}/, '');
    assert.equal(mask(await command(t, view, name)), mask(http[name]), name);
  }
  const apache = [...(words.mntr ?? '').matchAll(/^zk_(\S+)\t/gm)].map(([, name]) => name).sort();
  assert.deepEqual(
    gauges(view)
      .map(([name]) => name)
      .sort(),
    apache,
  );
});

test('a leader that serves no clients answers commands, not words', async (t) => {
  const view = ensembleView('leader');
  view.serving = false;
  view.isActive = true;
  assert.equal(answer('isro', view), 'null');
  assert.equal(JSON.parse(await command(t, view, 'leader')).is_leader, true);
});

// ---- metrics ----

test('Prometheus has a leader’s gauges while it leads', async () => {
  const view = ensembleView('leader');
  const registry = createRegistry(view, false);
  const scraped = async (): Promise<string> => registry.metrics();
  assert.match(await scraped(), /^synced_followers 2$/m);
  assert.match(await scraped(), /^quorum_size 3$/m);
  assert.match(await scraped(), /^znode_count 11$/m);
  view.ensemble.part = { mode: 'follower', leaderId: 1, leading: undefined };
  assert.doesNotMatch(await scraped(), /^synced_followers \d/m);
  assert.match(await scraped(), /^quorum_size 3$/m);
  view.ensemble.part = undefined;
  assert.doesNotMatch(await scraped(), /^quorum_size \d/m);
  assert.match(await scraped(), /^znode_count 11$/m);
  view.ensemble.part = {
    mode: 'leader',
    leaderId: 3,
    leading: { uptime: 1, learners: [], expiryBuckets: () => [], pendingSyncs: 0 },
  };
  assert.match(await scraped(), /^synced_followers 0$/m);
});
