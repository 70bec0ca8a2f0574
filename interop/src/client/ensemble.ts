// An ensemble whose members can be stopped and started again.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nextPort } from '../ensemble/ports.js';
import { until } from '../ensemble/until.js';
import { ask, modeOf } from '../ensemble/words.js';
import { type Kind, type RunningServer, startServer } from '../servers/index.js';

const LEVEL_MS = 60_000;

export class Ensemble {
  readonly ports: readonly number[];
  private readonly kind: Kind;
  private readonly dir: string;
  private readonly lines: Record<string, string>;
  private readonly props: Record<string, string>;
  private readonly members: (RunningServer | undefined)[] = [];

  private constructor(
    kind: Kind,
    ports: readonly number[],
    lines: Record<string, string>,
    props: Record<string, string>,
  ) {
    this.kind = kind;
    this.dir = mkdtempSync(join(tmpdir(), 'ensemble-'));
    this.ports = ports;
    this.lines = lines;
    this.props = props;
  }

  /** @param props Java system properties; @param cfg further lines of zoo.cfg */
  static async start(
    kind: Kind,
    size: number,
    props: Record<string, string>,
    cfg: Record<string, string>,
  ): Promise<Ensemble> {
    const ports: number[] = [];
    const lines: Record<string, string> = { initLimit: '40', syncLimit: '20', tickTime: '500', ...cfg };
    for (let id = 1; id <= size; id++) {
      ports.push(await nextPort());
      lines[`server.${id}`] = `127.0.0.1:${await nextPort()}:${await nextPort()}`;
    }
    const ensemble = new Ensemble(kind, ports, lines, props);
    await Promise.all(ports.map((_, i) => ensemble.begin(i + 1)));
    return ensemble;
  }

  get connectString(): string {
    return this.ports.map((port) => `127.0.0.1:${port}`).join(',');
  }

  /** Starts a member. Resolves when it serves, which takes a quorum. */
  async begin(id: number): Promise<void> {
    const dir = join(this.dir, String(id));
    mkdirSync(join(dir, 'data'), { recursive: true });
    writeFileSync(join(dir, 'data', 'myid'), String(id));
    const port = this.ports[id - 1] as number;
    this.members[id] = await startServer(this.kind, {
      dir,
      port,
      cfg: { ...this.lines, '4lw.commands.whitelist': '*' },
      props: this.props,
    });
  }

  /** Ends a member at once, as a crash does. */
  async kill(id: number): Promise<void> {
    await this.members[id]?.stop('SIGKILL');
    this.members[id] = undefined;
  }

  /** The id of the member that leads; undefined if none does. */
  async leader(): Promise<number | undefined> {
    for (const [i, port] of this.ports.entries()) if ((await modeOf(port)) === 'leader') return i + 1;
    return undefined;
  }

  /** Resolves when all members have the same last transaction. */
  async level(): Promise<void> {
    await until('all members have the same', LEVEL_MS, async () => {
      const answers = await Promise.all(this.ports.map((port) => ask(port, 'srvr')));
      return new Set(answers.map((answer) => /Zxid: \S+/.exec(answer ?? '')?.[0])).size === 1;
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member?.stop('SIGKILL')));
    rmSync(this.dir, { recursive: true, force: true });
  }
}
