// A server inside a test.

import type { AdvanceOptions } from './advance.js';
import { TestEnsemble, type TestServerOptions } from './ensemble.js';
import type { DroppedReply } from './switchboard.js';

const ID = 1;

/** A server in this process, with data of its own that goes with it. `await using` closes it. */
export class TestServer implements AsyncDisposable {
  private readonly servers: TestEnsemble;

  private constructor(servers: TestEnsemble) {
    this.servers = servers;
  }

  /** @throws the system's error, EADDRINUSE among them */
  static async start(options: TestServerOptions = {}): Promise<TestServer> {
    return new TestServer(await TestEnsemble.alone(options));
  }

  get port(): number {
    return Number(this.connectString.split(':')[1]);
  }

  /** What clients are given: `127.0.0.1:<port>`. */
  get connectString(): string {
    return this.servers.connectString;
  }

  get isRunning(): boolean {
    return this.servers.isRunning(ID);
  }

  /** Why it ended by itself, of a failed disk for one; undefined if it did not, or was started again. */
  get failure(): Error | undefined {
    return this.servers.failure(ID);
  }

  /** Stops the server; its data stay, {@link restart} brings it back. */
  stop(): Promise<void> {
    return this.servers.stop(ID);
  }

  /** Tears every connection at once, as a crash does. */
  kill(): Promise<void> {
    return this.servers.kill(ID);
  }

  /** Starts it again on the same port with the same data, stopping it first if it runs. */
  restart(): Promise<void> {
    return this.servers.restart(ID);
  }

  /** Has no byte come in or leave; connections stay, so that they are half-open. */
  freeze(): void {
    this.servers.freeze(ID);
  }

  /** Lets everything that {@link freeze} held back go on. */
  thaw(): void {
    this.servers.thaw(ID);
  }

  /** Has everything that is sent to clients leave so many milliseconds later; 0 for at once. */
  delayReplies(ms: number): void {
    this.servers.delayReplies(ID, ms);
  }

  /**
   * Loses the next reply to a request, of any session if none is given: the request is done, and the connection ends before its reply
   * is sent. Pings and watch events are no replies.
   */
  dropNextReply(choice: { readonly session?: bigint } = {}): DroppedReply {
    return this.servers.dropNextReply(choice);
  }

  /** Has every sync take so many milliseconds longer; 0 for none. Writes are answered later, as behind a bad disk. */
  slowDisk(ms: number): void {
    this.servers.slowDisk(ID, ms);
  }

  /**
   * Has every write fail from now on. The next one to the log ends the server as by {@link kill}, with {@link failure} telling why:
   * what is not on disk is never acknowledged.
   * @param code of the system's error: EIO for a broken disk, ENOSPC for a full one
   */
  failDisk(code?: string): void {
    this.servers.failDisk(ID, code);
  }

  /** Makes the disk well again, and as fast as it is. If the server ended, it needs {@link restart}. */
  healDisk(): void {
    this.servers.healDisk(ID);
  }

  /** Ends a session as if it had been silent for too long. False if it is not known. */
  expireSession(id: bigint): boolean {
    return this.servers.expireSession(id);
  }

  /**
   * Lets so many milliseconds pass at once. Clients that are connected count as heard meanwhile, unless they are to be `silent`;
   * sessions of others expire, containers and TTL nodes go. Resolves when all that is committed.
   */
  advance(ms: number, options?: AdvanceOptions): Promise<void> {
    return this.servers.advance(ms, options);
  }

  /** Stops it and removes its data. */
  close(): Promise<void> {
    return this.servers.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
