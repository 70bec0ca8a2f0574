// A server inside a test.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeNetwork, type ServerOptions } from '@nodekeeper/server';
import { Member, type Settings } from './member.js';
import { freePorts } from './ports.js';
import { Switchboard } from './switchboard.js';

export interface TestServerOptions {
  /** Settings of zoo.cfg, for example `{ maxSessionTimeout: 60_000 }`. */
  readonly settings?: Settings;
  /** The client port; one that is free if not given. */
  readonly port?: number;
  /** Where log lines go; nowhere if not given. */
  readonly logger?: ServerOptions['logger'];
}

/** A server in this process, with data of its own that goes with it. `await using` closes it. */
export class TestServer implements AsyncDisposable {
  private readonly dir: string;
  private readonly member: Member;

  private constructor(dir: string, member: Member) {
    this.dir = dir;
    this.member = member;
  }

  /** @throws the system's error, EADDRINUSE among them */
  static async start(options: TestServerOptions = {}): Promise<TestServer> {
    const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-test-'));
    const port = options.port ?? (await freePorts(1))[0] ?? 0;
    const { logger } = options;
    const member = new Member(
      1,
      port,
      join(dir, 'data'),
      options.settings ?? {},
      new Switchboard(nodeNetwork),
      logger === undefined ? {} : { logger },
    );
    try {
      await member.start();
    } catch (e) {
      rmSync(dir, { recursive: true, force: true });
      throw e;
    }
    return new TestServer(dir, member);
  }

  get port(): number {
    return this.member.clientPort;
  }

  /** What clients are given: `127.0.0.1:<port>`. */
  get connectString(): string {
    return `127.0.0.1:${this.member.clientPort}`;
  }

  /** Stops the server; its data stay, {@link restart} brings it back. */
  stop(): Promise<void> {
    return this.member.stop();
  }

  /** Tears every connection at once, as a crash does. */
  kill(): Promise<void> {
    return this.member.kill();
  }

  /** Starts it again on the same port with the same data, stopping it first if it runs. */
  async restart(): Promise<void> {
    await this.member.stop();
    await this.member.start();
  }

  /** Ends a session as if it had been silent for too long. False if it is not known. */
  expireSession(id: bigint): boolean {
    return this.member.server.expireSession(id);
  }

  /** Stops it and removes its data. */
  async close(): Promise<void> {
    await this.member.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
