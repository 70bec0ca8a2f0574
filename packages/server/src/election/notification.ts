// The message of an election. Layout, after the frame's int length:
//   int state, long leader, long zxid, long electionEpoch, long peerEpoch, int version (2), int length, config text
// Older servers end before peerEpoch (28 bytes) or before the version (40, with 4 bytes that mean nothing).

/** What a server does, as notifications say it. */
export const PeerState = { looking: 0, following: 1, leading: 2, observing: 3 } as const;
export type PeerState = (typeof PeerState)[keyof typeof PeerState];

export interface Vote {
  readonly leader: number;
  readonly zxid: number;
  /** The number of the election. */
  readonly round: number;
  /** The epoch of the candidate's history. */
  readonly peerEpoch: number;
}

export interface Notification extends Vote {
  readonly from: number;
  readonly state: PeerState;
  /** 0 for the old forms, 2 for today's. */
  readonly version: number;
  /** The sender's configuration; undefined where the form has none. */
  readonly config: string | undefined;
}

const VERSION = 2;
const HEAD = 44;
const NO_PEER_EPOCH = 28;
const NO_VERSION = 40;

/** What observers vote: the least of 64 bits. */
export const NO_VOTE = -(2 ** 63);

export function encodeNotification(state: PeerState, vote: Vote, config: string): Buffer {
  const text = Buffer.from(config);
  const out = Buffer.allocUnsafe(HEAD + text.length);
  out.writeInt32BE(state, 0);
  writeLong(out, vote.leader, 4);
  writeLong(out, vote.zxid, 12);
  writeLong(out, vote.round, 20);
  writeLong(out, vote.peerEpoch, 28);
  out.writeInt32BE(VERSION, 36);
  out.writeInt32BE(text.length, 40);
  text.copy(out, HEAD);
  return out;
}

/** A round may be so much: whoever takes it over counts on, by one each time. */
const LAST_ROUND = 2 ** 52;

/** Undefined for what cannot be understood, and for numbers that no server comes to: they could not be told on. */
export function decodeNotification(from: number, buf: Buffer): Notification | undefined {
  const told = readNotification(from, buf);
  if (told === undefined) return undefined;
  const { leader, zxid, round, peerEpoch } = told;
  return round <= LAST_ROUND && [leader, zxid, round, peerEpoch].every(isExact) ? told : undefined;
}

const isExact = (n: number): boolean => n === NO_VOTE || Number.isSafeInteger(n);

function readNotification(from: number, buf: Buffer): Notification | undefined {
  if (buf.length < NO_PEER_EPOCH) return undefined;
  const state = buf.readInt32BE(0);
  if (state < PeerState.looking || state > PeerState.observing) return undefined;
  const zxid = readLong(buf, 12);
  const common = {
    from,
    state: state as PeerState,
    leader: readLong(buf, 4),
    zxid,
    round: readLong(buf, 20),
  };
  if (buf.length === NO_PEER_EPOCH)
    return { ...common, peerEpoch: Math.floor(zxid / 4294967296), version: 0, config: undefined };
  if (buf.length < 36) return undefined;
  const peerEpoch = readLong(buf, 28);
  if (buf.length === NO_VERSION) return { ...common, peerEpoch, version: 0, config: undefined };
  if (buf.length < NO_VERSION) return undefined;
  const version = buf.readInt32BE(36);
  if (version < 2) return { ...common, peerEpoch, version, config: undefined };
  if (buf.length < HEAD) return undefined;
  const length = buf.readInt32BE(40);
  if (length < 0 || length > buf.length - HEAD) return undefined;
  return { ...common, peerEpoch, version, config: buf.toString('utf8', HEAD, HEAD + length) };
}

/** Whether a beats b: by epoch, then zxid, then server id. */
export function beats(a: Vote, b: Vote): boolean {
  if (a.peerEpoch !== b.peerEpoch) return a.peerEpoch > b.peerEpoch;
  if (a.zxid !== b.zxid) return a.zxid > b.zxid;
  return a.leader > b.leader;
}

export function sameVote(a: Vote, b: Vote): boolean {
  return a.leader === b.leader && a.zxid === b.zxid && a.round === b.round && a.peerEpoch === b.peerEpoch;
}

function writeLong(out: Buffer, value: number, at: number): void {
  const hi = Math.floor(value / 4294967296);
  out.writeInt32BE(hi, at);
  out.writeInt32BE((value - hi * 4294967296) | 0, at + 4);
}

/** Exact up to 53 bits and for the sentinels; other ids lose their lowest bits. */
function readLong(buf: Buffer, at: number): number {
  return buf.readInt32BE(at) * 4294967296 + buf.readUInt32BE(at + 4);
}
