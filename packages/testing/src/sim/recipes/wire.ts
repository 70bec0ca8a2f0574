// A connection of the simulated network as the client takes it for a socket; it can be lost at a chosen step of a request.

import { EventEmitter } from 'node:events';
import { nextTick } from 'node:process';
import type { Connection } from '@nodekeeper/server';
import type { Step } from '../fault-plan.js';
import type { VirtualProcess } from './virtual-process.js';

/** The connection is lost at a step of the so-many-th write from now on. */
export interface Loss {
  readonly step: Step;
  writes: number;
}

export class Wire extends EventEmitter {
  private readonly connection: Connection;
  /** Looked at with every write; what has struck is taken out. */
  private readonly losses: Loss[];
  private isAnswerLost = false;
  private isPaused = false;
  /** What has come and was not handed out, at last the end. */
  private readonly unread: (Buffer | 'end')[] = [];
  private readonly pass: (event: string, ...args: unknown[]) => void;

  constructor(connection: Connection, process: VirtualProcess, losses: Loss[]) {
    super();
    this.connection = connection;
    this.losses = losses;
    this.pass = (event, ...args) => process.run(() => void this.emit(event, ...args));
    connection.on('connect', () => this.pass('connect'));
    connection.on('data', (chunk) => {
      if (this.isAnswerLost) connection.destroy();
      else this.take(Buffer.from(chunk)); // a socket of Node's lends nothing
    });
    connection.on('drain', () => this.pass('drain'));
    connection.on('end', () => this.take('end'));
    connection.on('close', () => this.pass('close'));
    connection.on('error', (error) => {
      if (this.listenerCount('error') > 0) this.pass('error', error);
    });
  }

  private take(item: Buffer | 'end'): void {
    this.unread.push(item);
    this.handOut();
  }

  /** As Node's sockets do: what came while it was paused follows chunk after chunk, and nothing that waits for promises runs between. */
  private handOut(): void {
    while (!this.isPaused && !this.destroyed) {
      const item = this.unread.shift();
      if (item === undefined) return;
      if (item === 'end') this.pass('end');
      else this.pass('data', item);
    }
  }

  get destroyed(): boolean {
    return this.connection.destroyed;
  }

  get remoteAddress(): string | undefined {
    return this.connection.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.connection.remotePort;
  }

  setNoDelay(): this {
    return this;
  }

  write(bytes: Buffer): boolean {
    const loss = this.losses[0];
    if (loss === undefined || --loss.writes > 0) return this.connection.write(bytes);
    this.losses.shift();
    if (loss.step !== 'beforeSend') {
      this.connection.write(loss.step === 'midway' ? bytes.subarray(0, bytes.length >> 1) : bytes);
    }
    if (loss.step === 'afterReply') this.isAnswerLost = true;
    else this.connection.destroy();
    return true;
  }

  pause(): this {
    this.isPaused = true;
    return this;
  }

  resume(): this {
    this.isPaused = false;
    nextTick(() => this.handOut());
    return this;
  }

  destroy(): this {
    this.connection.destroy();
    return this;
  }
}
