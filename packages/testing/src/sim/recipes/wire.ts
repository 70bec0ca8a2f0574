// A connection of the simulated network as the client takes it for a socket; it can be lost at a chosen step of a request.

import { EventEmitter } from 'node:events';
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

  constructor(connection: Connection, process: VirtualProcess, losses: Loss[]) {
    super();
    this.connection = connection;
    this.losses = losses;
    const pass = (event: string, ...args: unknown[]): void => process.run(() => void this.emit(event, ...args));
    connection.on('connect', () => pass('connect'));
    connection.on('data', (chunk) => {
      if (this.isAnswerLost) connection.destroy();
      else pass('data', Buffer.from(chunk)); // a socket of Node's lends nothing
    });
    connection.on('drain', () => pass('drain'));
    connection.on('end', () => pass('end'));
    connection.on('close', () => pass('close'));
    connection.on('error', (error) => {
      if (this.listenerCount('error') > 0) pass('error', error);
    });
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
    this.connection.pause();
    return this;
  }

  resume(): this {
    this.connection.resume();
    return this;
  }

  destroy(): this {
    this.connection.destroy();
    return this;
  }
}
