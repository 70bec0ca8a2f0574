// What one client's checks run against: a fresh server, behind a relay, that the checks may restart or cut off.

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Kind, type RunningServer, type StartOptions, startServer } from '../servers/index.js';
import { Relay } from './relay.js';

/** Sessions are granted 2 to 20 ticks: 1 to 10 s, so an expiry can be waited for. */
const TICK_MS = 500;
/** Empty containers and nodes past their TTL are looked for this often. */
const CONTAINER_CHECK_MS = 500;
/** A server that takes longer to answer after a start is taken for hung. */
const START_MS = 40_000;
/** Who may do anything, to the programs too. */
const SUPER = 'super:interop';
const SUPER_DIGEST = `super:${createHash('sha1').update(SUPER).digest('base64')}`;

const CFG = {
  tickTime: String(TICK_MS),
  '4lw.commands.whitelist': '*',
  extendedTypesEnabled: 'true',
  'DigestAuthenticationProvider.superDigest': SUPER_DIGEST,
};
const PROPS = {
  'znode.container.checkIntervalMs': String(CONTAINER_CHECK_MS),
  'zookeeper.authProvider.1': 'org.apache.zookeeper.server.auth.SASLAuthenticationProvider',
};
/** Whom SASL lets in. */
const JAAS = `Server {
  org.apache.zookeeper.server.auth.DigestLoginModule required user_interop="interop-secret" user_other="other-secret";
};
`;

export class Stage {
  readonly kind: Kind;
  readonly #dir: string;
  readonly #cfg: Readonly<Record<string, string>>;
  readonly #relay: Relay;
  #server: RunningServer;

  private constructor(kind: Kind, dir: string, cfg: Record<string, string>, server: RunningServer, relay: Relay) {
    this.kind = kind;
    this.#dir = dir;
    this.#cfg = cfg;
    this.#server = server;
    this.#relay = relay;
  }

  static async start(kind: Kind, extra: Readonly<Record<string, string>> = {}): Promise<Stage> {
    const cfg = { ...CFG, ...extra };
    const dir = mkdtempSync(join(tmpdir(), 'interop-server-'));
    writeFileSync(join(dir, 'jaas.conf'), JAAS);
    const server = await startInTime(kind, { dir, cfg, props: propsOf(dir) });
    return new Stage(kind, dir, cfg, server, await Relay.start(server.port));
  }

  /** The port clients connect to. */
  get port(): number {
    return this.#relay.port;
  }

  /** The server's own port, past the relay. */
  get serverPort(): number {
    return this.#server.port;
  }

  /** Does what a program asks for in a line that begins with `@`; throws if there is no such request. */
  async ask(request: string): Promise<void> {
    if (request === 'cut') this.#relay.cut();
    else if (request === 'down') this.#relay.down();
    else if (request === 'up') this.#relay.up();
    else if (request === 'restart') await this.#restart('SIGTERM');
    else if (request === 'kill') await this.#restart('SIGKILL');
    else throw new Error(`no such request: @${request}`);
  }

  /** The end of what the server printed, for the report of a failure. */
  serverOutput(): string {
    return this.#server.output();
  }

  async stop(): Promise<void> {
    await this.#relay.stop();
    await this.#server.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #restart(signal: NodeJS.Signals): Promise<void> {
    const { port } = this.#server;
    await this.#server.stop(signal);
    this.#server = await startInTime(this.kind, { dir: this.#dir, port, cfg: this.#cfg, props: propsOf(this.#dir) });
  }
}

function propsOf(dir: string): Record<string, string> {
  return { ...PROPS, 'java.security.auth.login.config': join(dir, 'jaas.conf') };
}

async function startInTime(kind: Kind, options: StartOptions): Promise<RunningServer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${kind} doesn't answer after its start`)), START_MS);
  });
  try {
    return await Promise.race([startServer(kind, options), late]);
  } finally {
    clearTimeout(timer);
  }
}
