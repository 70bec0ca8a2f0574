// The fuzz test: millions of damaged frames on many connections. The server must live, stay within its memory, keep a quiet
// client's session served, and change nothing outside the playground.

import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { JuteWriter, OPEN_ACL_UNSAFE, OpCode, opName, writeAclList } from '@nodekeeper/protocol';
import { Random } from '../compare/random.js';
import { RawSession } from '../compare/session.js';
import { startServer } from '../servers/index.js';
import { mutate, PLAYGROUND, validFrames } from './frames.js';

const { values: options } = parseArgs({
  options: {
    frames: { type: 'string', default: '2000000' },
    seed: { type: 'string', default: '1' },
    connections: { type: 'string', default: '32' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (options.help) {
  console.log('usage: npm run fuzz -- [--frames 2000000] [--seed 1] [--connections 32]');
  process.exit(0);
}

const total = Number(options.frames);
const random = new Random(Number(options.seed));
const frames = validFrames();
const sent = new Map<number, number>();
const BATCH = 40;
const MEMORY_LIMIT_MB = 700;
const CANARY_LIMIT_MS = 2000;
const CANARY = '/canary';

const server = await startServer('nodekeeper', { cfg: { extendedTypesEnabled: 'true', snapCount: '100000' } });
/** Requests that the server says it has taken in; what was sent behind a frame that closed a connection is not among them. */
let count = 0;
let reconnects = 0;
let replies = 0;

/** One connection that sends damage, and comes back when it is thrown out. */
class Attacker {
  private socket: Socket | undefined;

  start(): void {
    const socket = connect({ port: server.port, host: '127.0.0.1', noDelay: true });
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      replies += chunk.length;
    });
    socket.on('close', () => {
      if (count >= total) return;
      reconnects++;
      setImmediate(() => this.start());
    });
    socket.on('connect', () => {
      const w = new JuteWriter().int(0).long53(0).int(4000).long(0n).buffer(Buffer.alloc(16)).bool(false);
      const hello = random.chance(90) ? w.bytes() : mutate(random, w.bytes());
      socket.write(framed(hello));
      this.attack();
    });
  }

  end(): void {
    this.socket?.destroy();
  }

  private attack(): void {
    const { socket } = this;
    if (socket === undefined || socket.destroyed || count >= total) return;
    const batch: Buffer[] = [];
    for (let i = 0; i < BATCH; i++) {
      const { op, payload } = random.pick(frames);
      sent.set(op, (sent.get(op) ?? 0) + 1);
      const damaged = random.chance(85) ? mutate(random, payload) : payload;
      batch.push(random.chance(2) ? liedLength(damaged) : framed(damaged));
    }
    socket.write(Buffer.concat(batch), () => setImmediate(() => this.attack()));
  }
}

function framed(payload: Buffer): Buffer {
  const prefix = Buffer.alloc(4);
  prefix.writeInt32BE(payload.length);
  return Buffer.concat([prefix, payload]);
}

function liedLength(payload: Buffer): Buffer {
  const frame = framed(payload);
  frame.writeInt32BE(random.pick([-1, 0, 3, payload.length + 1, payload.length - 1, 0xfffff, 0x100000, 0x7fffffff]), 0);
  return frame;
}

/** The server's own count of requests. */
function received(): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ port: server.port, host: '127.0.0.1' }, () => socket.write('srvr'));
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(Number(/Received: (\d+)/.exec(text)?.[1] ?? 0)));
  });
}

function residentMb(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'latin1'))?.[1] ?? 0) / 1024;
}

async function ask(session: RawSession, op: number, body: (w: JuteWriter) => void): Promise<Buffer> {
  const w = new JuteWriter().int(1).int(op);
  body(w);
  session.send(w.bytes());
  const frame = await session.next();
  if (frame === undefined) throw new Error('the quiet client lost its connection');
  return frame;
}

const canary = new RawSession();
await canary.open(server.port, 10000, 0n, Buffer.alloc(16), true);
for (const path of [CANARY, `${CANARY}/child`, PLAYGROUND]) {
  await ask(canary, OpCode.create, (w) => {
    w.string(path).buffer(Buffer.from('untouched'));
    writeAclList(w, path === PLAYGROUND ? OPEN_ACL_UNSAFE : [{ perms: 1, scheme: 'world', id: 'anyone' }]);
    w.int(0);
  });
}
const look = async (): Promise<string> => {
  let seen = '';
  for (const path of [CANARY, `${CANARY}/child`]) {
    seen += (await ask(canary, OpCode.getData, (w) => w.string(path).bool(false))).subarray(16).toString('hex');
  }
  return seen;
};
const untouched = await look();

const attackers = Array.from({ length: Number(options.connections) }, () => new Attacker());
for (const attacker of attackers) attacker.start();
const problems: string[] = [];
let slowest = 0;
let largest = 0;
let told = 0;
while (count < total && problems.length === 0) {
  const began = performance.now();
  try {
    count = await received();
    if ((await look()) !== untouched) problems.push('a node outside the playground has changed');
  } catch (e) {
    problems.push(`${(e as Error).message}; the server said:\n${server.output().slice(-2000)}`);
    break;
  }
  slowest = Math.max(slowest, performance.now() - began);
  largest = Math.max(largest, residentMb());
  if (slowest > CANARY_LIMIT_MS) problems.push(`the quiet client waited ${Math.round(slowest)} ms`);
  if (largest > MEMORY_LIMIT_MB) problems.push(`the server has grown to ${Math.round(largest)} MB`);
  if (count - told >= 500_000) {
    told = count;
    console.log(
      `${count} frames, ${reconnects} connections lost, ${Math.round(largest)} MB at most, slowest look ${Math.round(slowest)} ms`,
    );
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
}
for (const attacker of attackers) attacker.end();
for (const { op } of frames) if (!sent.has(op)) problems.push(`no frame of ${opName(op)} was sent`);
if (replies === 0) problems.push('the server never answered');
await server.stop();
const code = await server.exited;
if (code !== 0) problems.push(`the server ended with ${code}`);
for (const problem of problems) console.log(`problem: ${problem}`);
console.log(
  `${count} frames of ${sent.size} operations, ${reconnects} connections lost, ${Math.round(largest)} MB at most, slowest look ${Math.round(slowest)} ms`,
);
console.log(problems.length === 0 ? '1 passed, 0 failed' : '0 passed, 1 failed');
process.exit(problems.length === 0 ? 0 : 1);
