// A process that uses one library's recipes, and answers what it is told.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Command } from '../clients/program.js';

/** An answer that does not come within this is a failure. */
const LIMIT_MS = 30_000;

export class Peer {
  readonly name: string;
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, { resolve: (text: string) => void; reject: (error: Error) => void }>();
  private count = 0;
  private errors = '';

  constructor(name: string, { file, args }: Command) {
    this.name = name;
    this.child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.errors = (this.errors + chunk.toString()).slice(-4000);
    });
    void this.read();
    this.child.on('close', () => {
      for (const { reject } of this.waiting.values()) reject(new Error(`${name} has ended:\n${this.errors}`));
    });
  }

  /** Resolves with the answer. Rejects with the error that the peer tells, or when no answer comes. */
  async ask(verb: string, ...args: readonly (string | number)[]): Promise<string> {
    const number = ++this.count;
    const answer = new Promise<string>((resolve, reject) => this.waiting.set(number, { resolve, reject }));
    this.child.stdin?.write(`${[number, verb, ...args].join('\t')}\n`);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      const message = `${this.name} does not answer ${verb} ${args.join(' ')}`;
      timer = setTimeout(() => reject(new Error(message)), LIMIT_MS);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
      this.waiting.delete(number);
    }
  }

  async stop(): Promise<void> {
    const closed = once(this.child, 'close');
    this.child.stdin?.end();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 5000);
    await closed;
    clearTimeout(timer);
  }

  private async read(): Promise<void> {
    if (this.child.stdout === null) return;
    for await (const line of createInterface({ input: this.child.stdout })) {
      const [number, result, text = ''] = line.split('\t');
      const asked = this.waiting.get(Number(number));
      if (result === 'ok') asked?.resolve(text);
      else asked?.reject(new Error(`${this.name}: ${text}`));
    }
  }
}
