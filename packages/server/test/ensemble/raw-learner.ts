// A learner made of packets, to see what a leader does with whatever one may send; and what both ends of such a connection need.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { type Packet, PacketReader, PacketType, writePacket, writeRequest } from '../../dist/broadcast/packet.js';
import { ReplyBuffer } from '../../dist/request/reply-buffer.js';
import { atEnd } from '../server/raw-client.js';

export const EPOCH = 2 ** 32;

export interface Got {
  readonly type: number;
  readonly zxid: number;
  readonly data: Buffer | null;
  readonly identities: Packet['identities'];
}

/** FOLLOWERINFO's data: long sid, int protocolVersion, long configVersion. */
export function learnerInfo(id: bigint | number, version = 0x10000, config = 0): Buffer {
  const info = Buffer.alloc(20);
  info.writeBigInt64BE(BigInt(id));
  info.writeInt32BE(version, 8);
  info.writeBigInt64BE(BigInt(config), 12);
  return info;
}

/** One end of a connection at a quorum port. */
export class PacketEnd {
  readonly socket: Socket;
  private readonly got: Got[] = [];
  private wake: () => void = () => {};
  pings = 0;
  /** What came with the last of them. */
  lastPing: Buffer = Buffer.alloc(0);
  protected answersPings = false;
  closed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    const reader = new PacketReader(2 ** 28, ({ type, zxid, data, identities }: Packet) => {
      if (type === PacketType.ping) {
        this.pings++;
        this.lastPing = Buffer.from(data ?? []);
        if (this.answersPings) this.send(PacketType.ping, zxid, Buffer.alloc(0));
      }
      this.got.push({ type, zxid, data: data === null ? null : Buffer.from(data), identities });
      this.wake();
    });
    socket.on('data', (chunk) => reader.feed(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      this.wake();
    });
  }

  send(type: number, zxid: number, data: Buffer | null = null): void {
    const out = new ReplyBuffer(64);
    writePacket(out, type, zxid, data);
    this.socket.write(Buffer.from(out.buf.subarray(0, out.pos)));
  }

  request(session: bigint, cxid: number, op: number, body: Buffer): void {
    const out = new ReplyBuffer(64);
    writeRequest(out, session, cxid, op, body, []);
    this.socket.write(Buffer.from(out.buf.subarray(0, out.pos)));
  }

  /** The next packet, pings aside; undefined once the other end has closed. */
  async next(): Promise<Got | undefined> {
    for (;;) {
      const packet = this.got.shift();
      if (packet !== undefined && packet.type !== PacketType.ping) return packet;
      if (packet === undefined && this.closed) return undefined;
      if (packet === undefined) await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  /** Says that a session is alive, once that is asked. */
  async validate(): Promise<void> {
    const { data } = await this.until(PacketType.revalidate);
    this.send(PacketType.revalidate, -1, Buffer.concat([data?.subarray(0, 8) ?? Buffer.alloc(0), Buffer.from([1])]));
  }

  /** The next packet of a type; what comes before is left out. */
  async until(type: number): Promise<Got> {
    for (;;) {
      const packet = await this.next();
      if (packet === undefined) throw new Error(`the other end closed before packet ${type}`);
      if (packet.type === type) return packet;
    }
  }

  /** Resolves when the other end has closed. */
  async end(): Promise<void> {
    while ((await this.next()) !== undefined);
  }
}

export class RawLearner extends PacketEnd {
  static async dial(t: TestContext, port: number, host = '127.0.0.1'): Promise<RawLearner> {
    const socket = connect({ port, host, noDelay: true });
    atEnd(t, () => socket.destroy());
    await once(socket, 'connect');
    return new RawLearner(socket);
  }

  /** Goes through the handshake with a history that ends at `zxid`, and is served. Returns the epoch. */
  async follow(id: number, zxid: number): Promise<number> {
    this.send(PacketType.followerInfo, 0, learnerInfo(id));
    const info = await this.until(PacketType.leaderInfo);
    const epoch = Buffer.alloc(4);
    this.send(PacketType.ackEpoch, zxid, epoch);
    await this.until(PacketType.newLeader);
    this.send(PacketType.ack, info.zxid);
    await this.until(PacketType.upToDate);
    this.answersPings = true;
    return info.zxid / EPOCH;
  }
}
