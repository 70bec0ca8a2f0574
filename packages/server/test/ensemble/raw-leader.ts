// A leader made of packets, server 2 of three, with server 3 voting for it: to see what server 1 does with whatever it is sent.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { type Acl, JuteWriter, OPEN_ACL_UNSAFE, OpCode, writeAclList } from '@nodekeeper/protocol';
import { PacketType } from '../../dist/broadcast/packet.js';
import { encodeNotification, PeerState } from '../../dist/election/notification.js';
import { TxnHeaderAt } from '../../dist/tree/txn-types.js';
import { atEnd } from '../server/raw-client.js';
import { Ensemble, PATIENT } from './ensemble.js';
import { EPOCH, type Got, PacketEnd } from './raw-learner.js';

/** A transaction that creates a node, as it is proposed and logged. */
export function createEntry(zxid: number, path: string, data = 'x', acl: readonly Acl[] = OPEN_ACL_UNSAFE): Buffer {
  const w = entryHead(zxid, OpCode.create);
  w.string(path).buffer(Buffer.from(data));
  writeAclList(w, acl);
  w.bool(false).int(-1);
  return Buffer.from(w.bytes());
}

/** A transaction that changes a node's data. */
export function setDataEntry(zxid: number, path: string, version: number): Buffer {
  const w = entryHead(zxid, OpCode.setData);
  w.string(path).buffer(Buffer.from('changed')).int(version);
  return Buffer.from(w.bytes());
}

/** A transaction of a request that failed. */
export function errorEntry(zxid: number, code: number): Buffer {
  return Buffer.from(entryHead(zxid, OpCode.error).int(code).bytes());
}

/** A transaction that ends a session without ephemerals. */
export function closeSessionEntry(zxid: number, session: bigint): Buffer {
  const entry = Buffer.from(entryHead(zxid, OpCode.closeSession).int(0).bytes());
  entry.writeBigInt64BE(session, TxnHeaderAt.clientId);
  return entry;
}

/** A transaction that changes the members. */
export function reconfigEntry(zxid: number, members: string): Buffer {
  const w = entryHead(zxid, OpCode.reconfig);
  w.string('/zookeeper/config').buffer(Buffer.from(members)).int(-1);
  return Buffer.from(w.bytes());
}

function entryHead(zxid: number, type: number): JuteWriter {
  return new JuteWriter().long(7n).int(1).long53(zxid).long53(1_700_000_000_000).int(type);
}

/** The leader's end of a follower's connection. */
export class FollowerEnd extends PacketEnd {
  /** Epoch and last zxid that the follower told. */
  peerEpoch = 0;
  peerZxid = 0;

  /**
   * Takes the introduction and tells the epoch.
   * @param tellsOfMoves whether it says that its history tells of sessions that move, as Apache's leaders do not
   */
  async discover(epoch: number, tellsOfMoves = true): Promise<void> {
    await this.until(PacketType.followerInfo);
    const data = Buffer.alloc(tellsOfMoves ? 5 : 4, 1);
    data.writeInt32BE(0x10000);
    this.send(PacketType.leaderInfo, epoch * EPOCH, data);
    const ack = await this.until(PacketType.ackEpoch);
    this.peerEpoch = ack.data?.readInt32BE(0) ?? 0;
    this.peerZxid = ack.zxid;
  }

  commit(zxid: number, entry: Buffer): void {
    this.send(PacketType.proposal, zxid, entry);
    this.send(PacketType.commit, zxid);
  }

  /** NEWLEADER, and what the follower answers. */
  async newLeader(epoch: number, config: string | null = null): Promise<Got> {
    this.send(PacketType.newLeader, epoch * EPOCH, config === null ? null : Buffer.from(config));
    return this.until(PacketType.ack);
  }

  /** UPTODATE, and what the follower answers. */
  async upToDate(): Promise<Got> {
    this.send(PacketType.upToDate, -1);
    return this.until(PacketType.ack);
  }
}

/** A connection of a server with a higher id at server 1's election port. */
async function voter(t: TestContext, ensemble: Ensemble, id: number): Promise<Socket> {
  const socket = connect({ port: ensemble.electionPortOf(1), host: '127.0.0.1', noDelay: true });
  atEnd(t, () => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  const address = Buffer.from(`127.0.0.1:${ensemble.electionPortOf(id)}`);
  const greeting = Buffer.alloc(20 + address.length);
  greeting.writeBigInt64BE(-65536n);
  greeting.writeBigInt64BE(BigInt(id), 8);
  greeting.writeInt32BE(address.length, 16);
  address.copy(greeting, 20);
  socket.write(greeting);
  return socket;
}

function onMessage(socket: Socket, take: (message: Buffer) => void): void {
  let unread = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    unread = Buffer.concat([unread, chunk]);
    while (unread.length >= 8 && unread.length >= 4 + unread.readInt32BE(0)) {
      const end = 4 + unread.readInt32BE(0);
      take(unread.subarray(4, end));
      unread = unread.subarray(end);
    }
  });
}

function sendMessage(socket: Socket, message: Buffer): void {
  const head = Buffer.alloc(4);
  head.writeInt32BE(message.length);
  socket.write(Buffer.concat([head, message]));
}

/** Has servers with higher ids vote for server 1, as it votes itself. */
export async function electServer1(t: TestContext, ensemble: Ensemble, voters: readonly number[]): Promise<void> {
  for (const id of voters) {
    const socket = await voter(t, ensemble, id);
    // The candidate's own vote comes back to it as this server's.
    onMessage(socket, (message) => {
      if (message.readInt32BE(0) === PeerState.looking && message.readBigInt64BE(4) === 1n)
        sendMessage(socket, Buffer.from(message));
    });
  }
  while (ensemble.server(1).mode !== 'leader') await new Promise((resolve) => setTimeout(resolve, 2));
}

export class RawLeader {
  private readonly ends: FollowerEnd[] = [];
  private wake: () => void = () => {};
  /** What votes say of the leader's history. */
  peerEpoch = 0;
  config = 'version=0';

  private constructor() {}

  /** To be called before server 1 is started. */
  static async of(t: TestContext, ensemble: Ensemble): Promise<RawLeader> {
    const leader = new RawLeader();
    const server = createServer({ noDelay: true }, (socket) => {
      atEnd(t, () => socket.destroy());
      leader.ends.push(new FollowerEnd(socket));
      leader.wake();
    });
    atEnd(t, () => server.close());
    server.listen(ensemble.quorumPortOf(2), '127.0.0.1');
    await once(server, 'listening');
    return leader;
  }

  /** Leads server 1 of three, to which a DIFF of nothing is on its way. */
  static async ofOne(
    t: TestContext,
    settings: Record<string, string | number | boolean> = {},
    tellsOfMoves = true,
  ): Promise<{ ensemble: Ensemble; leader: RawLeader; follower: FollowerEnd }> {
    const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant'], settings);
    ensemble.runtime = PATIENT;
    const leader = await RawLeader.of(t, ensemble);
    await ensemble.start(1);
    await leader.vote(t, ensemble);
    const follower = await leader.follower();
    await follower.discover(1, tellsOfMoves);
    follower.send(PacketType.diff, 0);
    return { ensemble, leader, follower };
  }

  /** Has servers 2 and 3 vote; to be called once server 1 listens. */
  async vote(t: TestContext, ensemble: Ensemble): Promise<void> {
    for (const [id, state] of [
      [2, PeerState.leading],
      [3, PeerState.following],
    ] as const) {
      const socket = await voter(t, ensemble, id);
      this.answer(socket, state);
      this.say(socket, state);
    }
  }

  /** Answers each vote of a server that looks for a leader. */
  private answer(socket: Socket, state: PeerState): void {
    onMessage(socket, (message) => {
      if (message.readInt32BE(0) === PeerState.looking) this.say(socket, state);
    });
  }

  private say(socket: Socket, state: PeerState): void {
    const vote = { leader: 2, zxid: 0, round: 1, peerEpoch: this.peerEpoch };
    sendMessage(socket, encodeNotification(state, vote, this.config));
  }

  /** Has the follower begin a session there, as the ensemble does: answers its request, and its question later on. */
  async session(end: FollowerEnd, zxid: number): Promise<void> {
    const request = await end.until(PacketType.request);
    const w = new JuteWriter();
    w.long(request.data?.readBigInt64BE(0) ?? 0n)
      .int(0)
      .long53(zxid)
      .long53(1_700_000_000_000)
      .int(OpCode.createSession);
    w.int(request.data?.readInt32BE(16) ?? 0);
    end.commit(zxid, Buffer.from(w.bytes()));
  }

  /** The next connection of server 1. */
  async follower(): Promise<FollowerEnd> {
    for (;;) {
      const end = this.ends.shift();
      if (end !== undefined) return end;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}
