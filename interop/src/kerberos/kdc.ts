// An MIT KDC of its own on the loopback, with its realm in a temporary folder.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nextPort } from '../ensemble/ports.js';

export const REALM = 'INTEROP.TEST';
export const PACKAGES: readonly string[] = ['krb5-kdc', 'krb5-admin-server', 'krb5-user'];
const READY_MS = 10_000;

export class Kdc {
  readonly dir: string;
  readonly #port: number;
  #child: ChildProcess | undefined;
  #output = '';

  private constructor(port: number) {
    this.dir = mkdtempSync(join(tmpdir(), 'kdc-'));
    this.#port = port;
  }

  static async start(): Promise<Kdc> {
    const kdc = new Kdc(await nextPort());
    try {
      kdc.#configure();
      await kdc.#run();
    } catch (error) {
      await kdc.stop();
      throw error;
    }
    return kdc;
  }

  /** The path of krb5.conf. */
  get config(): string {
    return join(this.dir, 'krb5.conf');
  }

  #configure(): void {
    const address = `127.0.0.1:${this.#port}`;
    writeFileSync(
      this.config,
      `[libdefaults]
  default_realm = ${REALM}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
[realms]
  ${REALM} = {
    kdc = ${address}
  }
`,
    );
    writeFileSync(
      join(this.dir, 'kdc.conf'),
      `[kdcdefaults]
  kdc_listen = ${address}
  kdc_tcp_listen = ${address}
[realms]
  ${REALM} = {
    database_name = ${this.dir}/principal
    key_stash_file = ${this.dir}/stash
    supported_enctypes = aes256-cts:normal aes128-cts:normal aes256-sha2:normal
  }
`,
    );
    this.#tool('/usr/sbin/kdb5_util', ['create', '-s', '-r', REALM, '-P', 'master']);
  }

  #tool(file: string, args: readonly string[]): void {
    execFileSync(file, args, { env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  get #env(): NodeJS.ProcessEnv {
    return { ...process.env, KRB5_CONFIG: this.config, KRB5_KDC_PROFILE: join(this.dir, 'kdc.conf') };
  }

  async #run(): Promise<void> {
    const child = spawn('/usr/sbin/krb5kdc', ['-n'], { env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    process.once('exit', () => child.kill('SIGKILL'));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
    }
    const until = Date.now() + READY_MS;
    while (!(await this.#listens())) {
      if (child.exitCode !== null || Date.now() > until) throw new Error(`krb5kdc did not start:\n${this.#output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #listens(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.#port, '127.0.0.1');
      socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
  }

  /**
   * Adds a principal.
   * @param enctypes as kadmin has them; the realm's if not given
   * @returns the path of a keytab with its keys
   */
  add(principal: string, enctypes?: string): string {
    const keytab = join(this.dir, `${principal.replace('/', '-')}.keytab`);
    const types = enctypes === undefined ? '' : `-e ${enctypes} `;
    this.#tool('/usr/sbin/kadmin.local', ['-q', `addprinc -randkey ${types}${principal}`]);
    this.#tool('/usr/sbin/kadmin.local', ['-q', `ktadd -norandkey -k ${keytab} ${principal}`]);
    return keytab;
  }

  /** @returns the path of a credential cache with a ticket of the principal */
  kinit(principal: string, keytab: string): string {
    const cache = join(this.dir, `${principal.replace('/', '-')}.cache`);
    this.#tool('/usr/bin/kinit', ['-c', `FILE:${cache}`, '-k', '-t', keytab, principal]);
    return cache;
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit');
      child.kill();
      await gone;
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}
