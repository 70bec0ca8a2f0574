// Clients that log in with Kerberos, none of which knows which server it talks to. Each says as whom ACLs know it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@nodekeeper/client';
import { type KerberosLoginOptions, kerberosLogin } from '@nodekeeper/kerberos';
import { SOURCES } from '../clients/clients.js';
import { apacheClassPath } from '../servers/index.js';

const LIMIT_MS = 60_000;
const MODULE =
  'com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true useTicketCache=false';

/** Principals and where their keys are, as JAAS has them. */
export function jaas(path: string, sections: Readonly<Record<string, { principal: string; keytab: string }>>): string {
  const text = Object.entries(sections).map(
    ([name, { principal, keytab }]) => `${name} { ${MODULE} keyTab="${keytab}" principal="${principal}"; };\n`,
  );
  writeFileSync(path, text.join(''));
  return path;
}

/** zkCli, the Java client's shell. */
export async function zkCli(
  port: number,
  config: string,
  login: string,
  props: Readonly<Record<string, string>> = {},
): Promise<string> {
  const all = { 'java.security.krb5.conf': config, 'java.security.auth.login.config': login, ...props };
  const args = Object.entries(all).map(([name, value]) => `-D${name}=${value}`);
  const main = ['-cp', apacheClassPath(), 'org.apache.zookeeper.ZooKeeperMain', '-server', `localhost:${port}`];
  const lines = ['create /java x auth::cdrwa', 'getAcl /java', 'delete /java', 'quit'];
  const output = await run(
    'java',
    ['-Xmx256m', '-XX:TieredStopAtLevel=1', ...args, ...main],
    {},
    `${lines.join('\n')}\n`,
  );
  return found(output, /'sasl,'(\S+)/);
}

/** kazoo, with the tickets of a cache. */
export async function kazoo(port: number, config: string, cache: string): Promise<string> {
  const env = { KRB5_CONFIG: config, KRB5CCNAME: `FILE:${cache}` };
  const output = await run('/usr/bin/python3', [join(SOURCES, 'python/kazoo_kerberos.py'), String(port)], env, '');
  return found(output, /^sasl:(\S+)/m);
}

/** This project's client. */
export async function ours(port: number, options: KerberosLoginOptions): Promise<string> {
  const client = await connect(`localhost:${port}`, { timeout: LIMIT_MS, sasl: kerberosLogin(options) });
  try {
    const identities = await client.whoAmI();
    return identities.find(({ scheme }) => scheme === 'sasl')?.id ?? 'nobody';
  } finally {
    await client.close();
  }
}

function found(output: string, pattern: RegExp): string {
  const id = pattern.exec(output)?.[1];
  if (id === undefined) throw new Error(`it has no identity:\n${output}`);
  return id;
}

async function run(file: string, args: readonly string[], env: Record<string, string>, input: string): Promise<string> {
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  await once(child, 'close');
  clearTimeout(timer);
  return output;
}
