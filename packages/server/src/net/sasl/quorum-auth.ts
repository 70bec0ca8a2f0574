// Servers that prove to each other who they are, with SASL, before an election or quorum connection is used
// (quorum.auth.*). Source: QuorumAuth, SaslQuorumAuthServer and SaslQuorumAuthLearner of Apache ZooKeeper.
// Packet, both ways: long magic, int status (0 in progress, 1 success, -1 error), buffer token.

import type { Connection } from '../network.js';
import { SaslError } from './digest-md5.js';
import type { SaslLogin } from './login.js';
import { memberLogins, ownProofs, type QuorumAuthSettings, type SaslProof } from './quorum-login.js';

/** Called once: why it failed, or undefined, and the bytes that came behind. */
export type Proved = (problem: string | undefined, rest: Buffer) => void;

/** -0xa0dbcafecafe1234L, as Java has it in 64 bits. */
const MAGIC = 0x5f2435013501edccn;
const HEAD = 16;
const LARGEST_TOKEN = 65536;
const IN_PROGRESS = 0;
const SUCCESS = 1;
const ERROR = -1;
const NOTHING = Buffer.alloc(0);

interface Packet {
  readonly status: number;
  readonly token: Buffer;
}

export class QuorumAuth {
  private readonly settings: QuorumAuthSettings;
  private readonly newLogin: () => SaslLogin;
  private readonly newProof: ((host: string) => Promise<SaslProof>) | undefined;

  /**
   * @param now milliseconds since 1970
   * @param hosts of the members, which is what their principals are known by
   * @throws KerberosError if krb5.conf is needed and cannot be read
   */
  constructor(settings: QuorumAuthSettings, now: () => number, hosts: () => ReadonlySet<string>) {
    this.settings = settings;
    this.newLogin = memberLogins(settings, now, hosts);
    this.newProof = ownProofs(settings);
  }

  /** The dialler's side: proves to the server at `host` who this one is, and has it prove who it is. */
  prove(wire: Connection, host: string, done: Proved): void {
    if (this.newProof === undefined) {
      done(undefined, NOTHING);
      return;
    }
    let proof: SaslProof | undefined;
    const proved: Proved = (problem, rest) => {
      if (problem !== undefined) proof?.refused?.();
      done(problem, rest);
    };
    const exchange = new Exchange(wire, NOTHING, proved, ({ status, token }) => {
      if (status === ERROR) throw new SaslError('the other server refuses the login (QuorumLearner) of this one');
      if (proof === undefined) throw new SaslError('it answers before it was asked');
      if (!proof.complete) {
        const answer = proof.answer(token);
        if (status === IN_PROGRESS) exchange.send(IN_PROGRESS, answer);
      }
      if (status === IN_PROGRESS) return;
      if (!proof.complete) throw new SaslError('the other server does not prove who it is');
      exchange.finish(undefined);
    });
    const begin = (ready: SaslProof): void => {
      proof = ready;
      exchange.send(IN_PROGRESS, proof.first());
    };
    this.newProof(host).then(begin, (error: Error) => exchange.finish(error.message));
  }

  /** The acceptor's side: demands a proof; `first` came behind what is not the proof's. */
  demand(wire: Connection, first: Buffer, done: Proved): void {
    const server = this.newLogin();
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
      this.got = Buffer.concat([this.got, chunk]);
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

  /** @param token null for none */
  send(status: number, token: Buffer | null): void {
    if (this.over) return;
    const out = Buffer.allocUnsafe(HEAD + (token?.length ?? 0));
    out.writeBigInt64BE(MAGIC, 0);
    out.writeInt32BE(status, 8);
    out.writeInt32BE(token?.length ?? -1, 12);
    token?.copy(out, HEAD);
    this.wire.write(out);
  }

  finish(problem: string | undefined): void {
    if (this.over) return;
    this.over = true;
    this.done(problem, this.got);
  }
}
