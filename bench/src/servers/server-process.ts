// A server as a child process, with its zoo.cfg, its log and its data in a folder of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandOptions, startCommand } from './commands.js';
import type { ServerKind } from './running-server.js';

const STOP_LIMIT = 60_000;
/** Settings of the one who measures, for Node or Java at large, which would count as the servers'. */
const NOT_THE_SERVERS = /^(NODE|JAVA|JDK)_/;
const running = new Set<ServerProcess>();

/** Writes the zoo.cfg that a process of this folder starts with. */
export function writeConfig(home: string, config: Readonly<Record<string, string | number>>): void {
  const lines = Object.entries(config).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(join(home, 'zoo.cfg'), lines.join(''));
}

export class ServerProcess {
  private readonly home: string;
  private readonly child: ChildProcess;
  private readonly exited: Promise<void>;
  dead = false;

  constructor(kind: ServerKind, home: string, options: CommandOptions) {
    this.home = home;
    const [program, ...args] = startCommand(kind, join(home, 'zoo.cfg'), options);
    const log = openSync(join(home, 'log'), 'a');
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !NOT_THE_SERVERS.test(name)));
    this.child = spawn(program, args, { stdio: ['ignore', log, log], cwd: home, env });
    closeSync(log);
    running.add(this);
    this.exited = new Promise((resolve) => {
      const end = () => {
        this.dead = true;
        running.delete(this);
        resolve();
      };
      this.child.once('exit', end);
      this.child.once('error', end);
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  lastWords(): string {
    return readFileSync(join(this.home, 'log'), 'utf8').slice(-2000);
  }

  /** Ends it by SIGTERM, or SIGKILL at once if wanted, and waits for that. */
  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_LIMIT);
    if (!this.dead) this.child.kill(signal);
    await this.exited;
    clearTimeout(timer);
  }

  /** Ends at once, without waiting; for when this program itself is ended. */
  abandon(): void {
    this.child.kill('SIGKILL');
    rmSync(this.home, { recursive: true, force: true });
  }
}

process.once('exit', () => {
  for (const server of running) server.abandon();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
