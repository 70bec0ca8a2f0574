// What one client's checks run against: a fresh server, or a follower of a fresh ensemble, behind a relay, that the checks may restart or cut off.

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ensemble } from '../ensemble/ensemble.js';
import type { Member } from '../ensemble/member.js';
import type { Cast } from '../ensemble/scenario.js';
import { type Kind, type RunningServer, type StartOptions, startServer } from '../servers/index.js';
import { Relay } from './relay.js';

/** Sessions are granted 2 to 20 ticks: 1 to 10 s, so an expiry can be waited for. */
const TICK_MS = 500;
/** Empty containers and nodes past their TTL are looked for this often. */
const CONTAINER_CHECK_MS = 500;
/** A server that takes longer to answer after a start is taken for hung. */
const START_MS = 80_000;
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

/** What a stage's programs are clients of. */
interface Backend {
  readonly port: number;
  output(): string;
  restart(signal: NodeJS.Signals): Promise<void>;
  stop(): Promise<void>;
}

export class Stage {
  readonly #backend: Backend;
  readonly #relay: Relay;

  private constructor(backend: Backend, relay: Relay) {
    this.#backend = backend;
    this.#relay = relay;
  }

  /**
   * Starts a standalone server of the kind; or, with a cast (interop/src/ensemble/scenario.ts), an ensemble in which the programs
   * are clients of a follower.
   */
  static async start(kind: Kind, extra: Readonly<Record<string, string>> = {}, cast?: Cast): Promise<Stage> {
    const cfg = { ...CFG, ...extra };
    const backend = cast === undefined ? await Standalone.start(kind, cfg) : await Follower.start(cast, cfg);
    return new Stage(backend, await Relay.start(backend.port));
  }

  /** The port clients connect to. */
  get port(): number {
    return this.#relay.port;
  }

  /** The server's own port, past the relay. */
  get serverPort(): number {
    return this.#backend.port;
  }

  /** Does what a program asks for in a line that begins with `@`; throws if there is no such request. */
  async ask(request: string): Promise<void> {
    if (request === 'cut') this.#relay.cut();
    else if (request === 'down') this.#relay.down();
    else if (request === 'up') this.#relay.up();
    else if (request === 'restart') await this.#backend.restart('SIGTERM');
    else if (request === 'kill') await this.#backend.restart('SIGKILL');
    else throw new Error(`no such request: @${request}`);
  }

  /** The end of what the server printed, for the report of a failure. */
  serverOutput(): string {
    return this.#backend.output();
  }

  async stop(): Promise<void> {
    await this.#relay.stop();
    await this.#backend.stop();
  }
}

class Standalone implements Backend {
  readonly #kind: Kind;
  readonly #dir: string;
  readonly #cfg: Readonly<Record<string, string>>;
  #server: RunningServer;

  private constructor(kind: Kind, dir: string, cfg: Readonly<Record<string, string>>, server: RunningServer) {
    this.#kind = kind;
    this.#dir = dir;
    this.#cfg = cfg;
    this.#server = server;
  }

  static async start(kind: Kind, cfg: Readonly<Record<string, string>>): Promise<Standalone> {
    const dir = mkdtempSync(join(tmpdir(), 'interop-server-'));
    return new Standalone(kind, dir, cfg, await startInTime(kind, { dir, cfg, props: propsOf(dir) }));
  }

  get port(): number {
    return this.#server.port;
  }

  output(): string {
    return this.#server.output();
  }

  async restart(signal: NodeJS.Signals): Promise<void> {
    const { port } = this.#server;
    await this.#server.stop(signal);
    this.#server = await startInTime(this.#kind, { dir: this.#dir, port, cfg: this.#cfg, props: propsOf(this.#dir) });
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** Server 1 of an ensemble of three, which follows. */
class Follower implements Backend {
  readonly #dir: string;
  readonly #ensemble: Ensemble;

  private constructor(dir: string, ensemble: Ensemble) {
    this.#dir = dir;
    this.#ensemble = ensemble;
  }

  static async start(cast: Cast, cfg: Readonly<Record<string, string>>): Promise<Follower> {
    const kinds = [...cast.followers, cast.leader];
    const dir = mkdtempSync(join(tmpdir(), 'interop-server-'));
    const props = { ...propsOf(dir), 'zookeeper.DigestAuthenticationProvider.superDigest': SUPER_DIGEST };
    return new Follower(dir, await Ensemble.start({ kinds, cfg, props }));
  }

  get #member(): Member {
    return this.#ensemble.member(1);
  }

  get port(): number {
    return this.#member.ports.client;
  }

  output(): string {
    return this.#ensemble.lastWords();
  }

  async restart(signal: NodeJS.Signals): Promise<void> {
    await this.#member.stop(signal);
    this.#member.start();
    await this.#member.inRole('follower');
  }

  async stop(): Promise<void> {
    await this.#ensemble.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** The system properties of a server, for which the file they name is written into `dir`. */
function propsOf(dir: string): Record<string, string> {
  const file = join(dir, 'jaas.conf');
  writeFileSync(file, JAAS);
  return { ...PROPS, 'java.security.auth.login.config': file };
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
