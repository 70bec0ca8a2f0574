// Sessions and watches across the members of an ensemble.

import { CreateMode, ErrorCode } from '@nodekeeper/protocol';
import type { Ensemble } from '../ensemble.js';
import type { Member } from '../member.js';
import type { Scenario, Stage } from '../scenario.js';
import { ok, Session, SessionExpired } from '../session.js';
import { until } from '../until.js';

const NODE_CREATED = 1;
const NODE_DELETED = 2;
const NODE_DATA_CHANGED = 3;

export const moving: Scenario = {
  id: 'moving',
  title: 'a session goes from member to member with its id and ephemerals, also when members die',
  async run(stage) {
    const ensemble = await stage.three();
    const [one, two, three] = ensemble.members;
    const session = await Session.open(one.ports.client);
    const { id } = session;
    ok(await session.create('/mine', 'x', CreateMode.ephemeral), 'an ephemeral node');
    for (const member of [two, three, one, three, two]) {
      await session.move(member.ports.client);
      if (session.id !== id) throw new Error(`the session became 0x${session.id.toString(16)}`);
      const owner = (await session.exists('/mine'))?.ephemeralOwner;
      if (owner !== id) throw new Error(`after the move to server ${member.id} the node's owner is ${owner}`);
    }
    for (const member of [two, three]) {
      await session.move(member.ports.client);
      await member.kill();
      await reattach(session, ensemble);
      ok(await session.create(`/after-${member.id}`, 'x', CreateMode.ephemeral), 'an ephemeral node after a death');
      member.start();
      await member.inRole();
    }
    if (session.id !== id) throw new Error(`the session became 0x${session.id.toString(16)}`);
    const watcher = await Session.open(one.ports.client);
    await watcher.sync();
    for (const path of ['/mine', '/after-2', '/after-3']) {
      if ((await watcher.exists(path, true))?.ephemeralOwner !== id) throw new Error(`${path} is not the session's`);
    }
    await session.close();
    const gone = [await watcher.nextEvent(), await watcher.nextEvent(), await watcher.nextEvent()];
    if (gone.some((event) => event.type !== NODE_DELETED)) throw new Error(`events: ${JSON.stringify(gone)}`);
    await refused(session, two.ports.client);
    await watcher.close();
  },
};

export const wrongPassword: Scenario = {
  id: 'wrong-password',
  title: 'a session’s id with another password is refused by every member, and the session lives on',
  async run(stage) {
    const ensemble = await stage.three();
    const session = await Session.open(ensemble.members[0].ports.client);
    for (const member of ensemble.members) {
      const thief = await Session.open(member.ports.client);
      thief.detach();
      thief.id = session.id;
      await refused(thief, member.ports.client);
    }
    // The server that has the session's connection closes it when another asks for the session, before it looks at the password.
    await session.move(ensemble.members[1].ports.client);
    ok(await session.create('/still', 'here', CreateMode.ephemeral), 'a write of the session');
    await session.close();
  },
};

export const reading: Scenario = {
  id: 'reading',
  title: 'a session that only reads through a follower lives on; one that is silent ends on all members',
  async run(stage) {
    const ensemble = await stage.three();
    await Promise.all(ensemble.members.map((member) => readsOn(stage, ensemble, member)));
  },
};

/** A busy machine must not be taken for a silent client. */
const SILENT_MS = 5000;

async function readsOn(stage: Stage, { members: [one, two] }: Ensemble, member: Member): Promise<void> {
  const [reading, leaving] = [`/reader-${member.id}`, `/silent-${member.id}`];
  const reader = await Session.open(member.ports.client, { timeout: SILENT_MS, pings: false });
  const silent = await Session.open(member.ports.client, { timeout: SILENT_MS, pings: false });
  ok(await reader.create(reading, '', CreateMode.ephemeral), 'a node');
  const began = performance.now();
  ok(await silent.create(leaving, '', CreateMode.ephemeral), 'a node');
  let gone = 0;
  await until('three time-outs are over', 10 * SILENT_MS, async () => {
    const there = await reader.exists(leaving);
    if (there === undefined && gone === 0) gone = performance.now() - began;
    return performance.now() - began > 3 * SILENT_MS;
  });
  if (gone === 0) throw new Error(`on server ${member.id} the silent session never ended`);
  if (gone < SILENT_MS - 100)
    throw new Error(`on server ${member.id} the silent session ended after ${gone} ms of ${SILENT_MS}`);
  stage.note(`server ${member.id}: a silent session of ${SILENT_MS} ms ended after ${Math.round(gone)} ms`);
  const other = await Session.open((member === one ? two : one).ports.client);
  await other.sync();
  if ((await other.exists(reading)) === undefined) throw new Error('the reading session has ended');
  if ((await other.exists(leaving)) !== undefined) throw new Error('the silent session’s node is there');
  await refused(silent, one.ports.client);
  await other.close();
  await reader.close();
}

export const watches: Scenario = {
  id: 'watches',
  title: 'one-shot and persistent watches on every member tell of changes made on every other, with their paths',
  async run(stage) {
    const ensemble = await stage.three();
    const writers = await Promise.all(ensemble.members.map((m) => Session.open(m.ports.client)));
    ok(await writers[0].create('/w', ''), 'a node');
    ok(await writers[0].create('/w/a', ''), 'a node');
    for (const member of ensemble.members) {
      const persistent = await Session.open(member.ports.client);
      await persistent.sync();
      ok(await persistent.addWatch('/w', 1), 'a persistent recursive watch');
      const once = await Session.open(member.ports.client);
      for (const [i, writer] of writers.entries()) {
        const path = `/w/a/s${member.id}-${i}`;
        await once.sync();
        await once.exists(path, true);
        ok(await writer.create(path, ''), 'a node');
        ok(await writer.create(`${path}/deep`, ''), 'a node');
        ok(await writer.set(`${path}/deep`, 'x'), 'a change');
        ok(await writer.delete(`${path}/deep`), 'a deletion');
        const seen = [];
        for (let n = 0; n < 4; n++) seen.push(await persistent.nextEvent());
        expectEvents(seen, [
          [NODE_CREATED, path],
          [NODE_CREATED, `${path}/deep`],
          [NODE_DATA_CHANGED, `${path}/deep`],
          [NODE_DELETED, `${path}/deep`],
        ]);
        expectEvents([await once.nextEvent()], [[NODE_CREATED, path]]);
        await once.sync();
        if (once.events.length > 0) throw new Error('a one-shot watch fired twice');
      }
      await persistent.close();
      await once.close();
    }
    for (const writer of writers) await writer.close();
  },
};

export const rewatching: Scenario = {
  id: 'rewatching',
  title: 'a client that sets its watches again on another member is told what it missed',
  async run(stage) {
    const ensemble = await stage.three();
    const [one, two, three] = ensemble.members;
    const writer = await Session.open(three.ports.client);
    for (const name of ['changed', 'deleted', 'kept']) ok(await writer.create(`/${name}`, ''), 'a node');
    const session = await Session.open(one.ports.client);
    await session.sync();
    for (const name of ['changed', 'deleted', 'kept']) await session.get(`/${name}`, true);
    await session.exists('/created', true);
    const seen = session.lastZxid;
    session.detach();
    ok(await writer.set('/changed', 'x'), 'a change');
    ok(await writer.delete('/deleted'), 'a deletion');
    ok(await writer.create('/created', ''), 'a creation');
    await session.move(two.ports.client);
    await session.sync();
    await session.setWatches(seen, ['/changed', '/deleted', '/kept'], ['/created']);
    const missed = [await session.nextEvent(), await session.nextEvent(), await session.nextEvent()];
    expectEvents(
      missed.sort((a, b) => a.path.localeCompare(b.path)),
      [
        [NODE_DATA_CHANGED, '/changed'],
        [NODE_CREATED, '/created'],
        [NODE_DELETED, '/deleted'],
      ],
    );
    ok(await writer.set('/kept', 'x'), 'a change');
    expectEvents([await session.nextEvent()], [[NODE_DATA_CHANGED, '/kept']]);
    await session.close();
    await writer.close();
  },
};

export const ownWrites: Scenario = {
  id: 'own-writes',
  title: 'pipelined writes and reads of one session are answered in order, through a follower too',
  async run(stage) {
    const ensemble = await stage.three();
    for (const member of ensemble.members) {
      const session = await Session.open(member.ports.client);
      const path = `/own-${member.id}`;
      const all: Promise<unknown>[] = [session.create(path, '')];
      const seen: (string | undefined)[] = [];
      for (let i = 0; i < 200; i++) {
        all.push(session.set(path, String(i)));
        all.push(session.text(path).then((text) => seen.push(text)));
        if (i % 10 === 0) all.push(session.sync(path));
        if (i % 20 === 0)
          all.push(session.set(path, 'no', 10_000).then((r) => expectError(r.error, ErrorCode.BadVersion)));
      }
      await Promise.all(all);
      const wrong = seen.findIndex((text, i) => text !== String(i));
      if (wrong >= 0) throw new Error(`server ${member.id}: after writing ${wrong} the session reads ${seen[wrong]}`);
      await session.close();
    }
  },
};

function expectError(is: number, expected: number): void {
  if (is !== expected) throw new Error(`error ${is} instead of ${expected}`);
}

function expectEvents(seen: readonly { type: number; path: string }[], expected: [type: number, path: string][]): void {
  const is = JSON.stringify(seen.map(({ type, path }) => [type, path]));
  if (is !== JSON.stringify(expected)) throw new Error(`the events are ${is} instead of ${JSON.stringify(expected)}`);
}

/** Attaches the session to any member that takes it. */
async function reattach(session: Session, ensemble: Ensemble): Promise<void> {
  await until('a member takes the session', 30_000, async () => {
    for (const member of ensemble.running) {
      try {
        await session.attach(member.ports.client);
        return true;
      } catch (error) {
        if (error instanceof SessionExpired) throw error;
      }
    }
    return false;
  });
}

async function refused(session: Session, port: number): Promise<void> {
  try {
    await session.move(port);
  } catch (error) {
    if (error instanceof SessionExpired) return;
    throw error;
  }
  throw new Error(`session 0x${session.id.toString(16)} was taken on port ${port}`);
}
