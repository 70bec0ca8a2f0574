// What must hold while the server is attacked: a quiet client is served in time, its nodes stay as they are, the memory is
// bounded, and the ledger counts exactly what was acknowledged.

import { readFileSync } from 'node:fs';
import {
  type Acl,
  errorName,
  JuteReader,
  JuteWriter,
  OPEN_ACL_UNSAFE,
  OpCode,
  Perms,
  parentPath,
  READ_ACL_UNSAFE,
  readStat,
  writeAclList,
} from '@nodekeeper/protocol';
import { RawSession } from '../differential/session.js';
import type { RunningServer } from '../servers/index.js';
import { call, superSession } from '../storage/dump.js';
import { LEDGER, PLAYGROUND } from './frames.js';
import type { Tally } from './tally.js';

const CANARY = '/canary';
const CANARY_PATHS = [CANARY, `${CANARY}/child`];
const SESSION_MS = 10_000;
const SWEEP_AT_ONCE = 500;

export class Guard {
  /**
   * The slowest look at the quiet client's nodes, in milliseconds that the server worked meanwhile: on a machine that has other
   * things to do the clock tells how busy that is.
   */
  slowest = 0;
  /** The most memory that the server has had, MB. */
  largest = 0;
  private readonly server: RunningServer;
  private readonly session = new RawSession();
  private sweeper = new RawSession();
  private untouched = '';

  constructor(server: RunningServer) {
    this.server = server;
  }

  async start(): Promise<void> {
    await this.session.open(this.server.port, SESSION_MS, 0n, Buffer.alloc(16), true);
    const parent = parentPath(LEDGER);
    const nodes: [string, readonly Acl[]][] = [
      ...CANARY_PATHS.map((path): [string, readonly Acl[]] => [path, READ_ACL_UNSAFE]),
      [PLAYGROUND, OPEN_ACL_UNSAFE],
      [parent, OPEN_ACL_UNSAFE],
      [LEDGER, [{ perms: Perms.read | Perms.write, scheme: 'world', id: 'anyone' }]],
    ];
    for (const [path, acl] of nodes) {
      await this.ask(OpCode.create, (w) => {
        w.string(path).buffer(Buffer.from('untouched'));
        writeAclList(w, acl);
        w.int(0);
      });
    }
    await this.ask(OpCode.setACL, (w) => {
      w.string(parent);
      writeAclList(w, READ_ACL_UNSAFE);
      w.int(-1);
    });
    this.untouched = await this.look();
    this.sweeper = await superSession(this.server.port);
  }

  /** What is wrong at the moment. */
  async check(latencyLimitMs: number, memoryLimitMb: number): Promise<string[]> {
    const problems: string[] = [];
    const began = performance.now();
    const worked = this.workedMs();
    if ((await this.look()) !== this.untouched) problems.push('a node that nobody may write has changed');
    this.slowest = Math.max(this.slowest, Math.min(performance.now() - began, this.workedMs() - worked));
    this.largest = Math.max(this.largest, this.residentMb());
    if (this.slowest > latencyLimitMs) problems.push(`the quiet client waited ${Math.round(this.slowest)} ms`);
    if (this.largest > memoryLimitMb) problems.push(`the server has grown to ${Math.round(this.largest)} MB`);
    return problems;
  }

  /** Compares the ledger's version with the acknowledged requests. Requests without an answer may count or not. */
  async checkLedger({ ledger }: Tally): Promise<string | undefined> {
    const frame = await this.ask(OpCode.exists, (w) => w.string(LEDGER).bool(false));
    const error = frame.readInt32BE(12);
    if (error !== 0) return `the ledger can't be read: ${errorName(error)}`;
    const { version } = readStat(new JuteReader(frame, 16));
    const open = ledger.sent - ledger.ok - ledger.refused;
    if (version >= ledger.ok && version <= ledger.ok + open) return undefined;
    return `the ledger was written ${version} times, ${ledger.ok} times with an OK, ${open} requests were not answered`;
  }

  /** Empties the playground once it has too many nodes: lists of ever more children are another test's matter. */
  async sweep(limit: number): Promise<void> {
    const { body } = await call(this.sweeper, OpCode.getChildren, (w) => w.string(PLAYGROUND).bool(false));
    const names = body.vector((r) => r.string() ?? '') ?? [];
    if (names.length <= limit) return;
    for (let at = 0; at < names.length; at += SWEEP_AT_ONCE) {
      const some = names.slice(at, at + SWEEP_AT_ONCE);
      this.sweeper.send(
        ...some.map((name) => {
          const w = new JuteWriter().int(2).int(OpCode.delete).string(`${PLAYGROUND}/${name}`).int(-1);
          return Buffer.from(w.bytes());
        }),
      );
      for (const _ of some) await this.sweeper.next();
    }
  }

  async end(): Promise<void> {
    this.sweeper.destroy();
    this.session.send(new JuteWriter().int(1).int(OpCode.closeSession).bytes());
    while ((await this.session.next()) !== undefined);
  }

  private async look(): Promise<string> {
    let seen = '';
    for (const path of CANARY_PATHS) {
      const data = await this.ask(OpCode.getData, (w) => w.string(path).bool(false));
      const acl = await this.ask(OpCode.getACL, (w) => w.string(path));
      seen += `${data.subarray(12).toString('hex')} ${acl.subarray(12).toString('hex')} `;
    }
    return seen;
  }

  private async ask(op: number, body: (w: JuteWriter) => void): Promise<Buffer> {
    const w = new JuteWriter().int(1).int(op);
    body(w);
    this.session.send(w.bytes());
    const frame = await this.session.next();
    if (frame === undefined) throw new Error('the quiet client has lost its connection');
    return frame;
  }

  /** Processor time of the server, all threads; in steps of 10 ms. */
  private workedMs(): number {
    const fields = readFileSync(`/proc/${this.server.pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  private residentMb(): number {
    const status = readFileSync(`/proc/${this.server.pid}/status`, 'latin1');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
  }
}
