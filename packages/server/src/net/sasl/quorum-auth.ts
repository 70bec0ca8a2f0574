// Servers that prove to each other who they are, with SASL DIGEST-MD5, before an election or quorum connection is used
// (quorum.auth.*). Source: QuorumAuth, SaslQuorumAuthServer and SaslQuorumAuthLearner of Apache ZooKeeper.
// Packet, both ways: long magic, int status (0 in progress, 1 success, -1 error), buffer token.

import type { Connection } from '../network.js';
import { DigestMd5Client, DigestMd5Server, SaslError, type SaslService } from './digest-md5.js';

export interface QuorumAuthSettings {
  /** Who may connect: passwords by user. */
  readonly users: ReadonlyMap<string, string>;
  /** Whether nobody else may. */
  readonly serverRequires: boolean;
  /** As whom this server connects; undefined if it proves nothing (learnerRequireSasl=false). */
  readonly login: { readonly user: string; readonly password: string } | undefined;
}

/** Called once: why it failed, or undefined, and the bytes that came behind. */
export type Proved = (problem: string | undefined, rest: Buffer) => void;

/** -0xa0dbcafecafe1234L, as Java has it in 64 bits. */
const MAGIC = 0x5f2435013501edccn;
const HEAD = 16;
const LARGEST_TOKEN = 65536;
const IN_PROGRESS = 0;
const SUCCESS = 1;
const ERROR = -1;
const QUORUM: SaslService = { protocol: 'zookeeper-quorum', realm: 'zk-quorum-sasl-md5' };
const NOTHING = Buffer.alloc(0);

interface Packet {
  readonly status: number;
  readonly token: Buffer;
}

export class QuorumAuth {
  private readonly settings: QuorumAuthSettings;

  constructor(settings: QuorumAuthSettings) {
    this.settings = settings;
  }

  /** The dialler's side: proves who this server is, and has the other prove that it knows the password. */
  prove(wire: Connection, done: Proved): void {
    const { login } = this.settings;
    if (login === undefined) {
      done(undefined, NOTHING);
      return;
    }
    const client = new DigestMd5Client(QUORUM, login.user, login.password);
    const exchange = new Exchange(wire, NOTHING, done, ({ status, token }) => {
      if (status === ERROR) throw new SaslError('the other server refuses the login (QuorumLearner) of this one');
      const answer = client.answer(token);
      if (status === IN_PROGRESS) exchange.send(IN_PROGRESS, answer);
      else if (!client.complete) throw new SaslError('the other server does not prove that it knows the password');
      else exchange.finish(undefined);
    });
    exchange.send(IN_PROGRESS, NOTHING);
  }

  /** The acceptor's side: demands a proof; `first` came behind what is not the proof's. */
  demand(wire: Connection, first: Buffer, done: Proved): void {
    const server = new DigestMd5Server(QUORUM, (user) => this.settings.users.get(user));
    const exchange = new Exchange(
      wire,
      first,
      done,
      ({ token }) => {
        const answer = server.answer(token);
        exchange.send(server.user === undefined ? IN_PROGRESS : SUCCESS, answer);
        if (server.user !== undefined) exchange.finish(undefined);
      },
      () => {
        if (this.settings.serverRequires) throw new SaslError('it does not log in (quorum.auth.learnerRequireSasl)');
        exchange.finish(undefined);
      },
    );
    exchange.begin();
  }
}

/** Packets on a connection until the exchange is over. */
class Exchange {
  private readonly wire: Connection;
  private readonly done: Proved;
  private readonly onPacket: (packet: Packet) => void;
  /** What is done about bytes that are no packet; by default they are an error. */
  private readonly onOther: () => void;
  private got: Buffer;
  private over = false;

  constructor(
    wire: Connection,
    first: Buffer,
    done: Proved,
    onPacket: (packet: Packet) => void,
    onOther = (): void => {
      throw new SaslError('it does not speak SASL (quorum.auth.enableSasl)');
    },
  ) {
    this.wire = wire;
    this.got = first;
    this.done = done;
    this.onPacket = onPacket;
    this.onOther = onOther;
    const gone = (): void => this.finish('the connection ended within the login');
    wire.on('error', gone);
    wire.on('end', gone);
    wire.on('close', gone);
    wire.on('data', (chunk) => {
      if (this.over) return;
      this.got = this.got.length === 0 ? chunk : Buffer.concat([this.got, chunk]);
      this.begin();
    });
  }

  /** Takes what has come. */
  begin(): void {
    try {
      while (!this.over && this.got.length >= 8) {
        if (this.got.readBigInt64BE(0) !== MAGIC) this.onOther();
        else if (!this.takePacket()) return;
      }
    } catch (e) {
      if (!(e instanceof SaslError)) throw e;
      this.send(ERROR, NOTHING);
      this.finish(e.message);
    }
  }

  private takePacket(): boolean {
    const { got } = this;
    if (got.length < HEAD) return false;
    const length = Math.max(0, got.readInt32BE(12)); // -1 for no token
    if (length > LARGEST_TOKEN) throw new SaslError(`a token of ${length} bytes`);
    if (got.length < HEAD + length) return false;
    this.got = got.subarray(HEAD + length);
    this.onPacket({ status: got.readInt32BE(8), token: got.subarray(HEAD, HEAD + length) });
    return true;
  }

  send(status: number, token: Buffer): void {
    const out = Buffer.allocUnsafe(HEAD + token.length);
    out.writeBigInt64BE(MAGIC, 0);
    out.writeInt32BE(status, 8);
    out.writeInt32BE(token.length, 12);
    token.copy(out, HEAD);
    this.wire.write(out);
  }

  finish(problem: string | undefined): void {
    if (this.over) return;
    this.over = true;
    this.done(problem, this.got);
  }
}
