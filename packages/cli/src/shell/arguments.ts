// The command line of the shell: zkCli's options, and a few that zkCli lacks.

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import { type ClientOptions, MAX_DELAY, type SaslOptions } from '@nodekeeper/client';
import type { KerberosLoginOptions } from '@nodekeeper/kerberos';
import { LARGEST_REQUEST, UsageError, wholeNumber } from '../arguments.js';

export interface ShellArguments {
  readonly server: string;
  /** Session time-out in milliseconds. */
  readonly timeout: number;
  readonly readOnly: boolean;
  readonly waitForConnection: boolean;
  readonly json: boolean;
  readonly help: boolean;
  readonly client: Pick<ClientOptions, 'tls' | 'sasl' | 'auth' | 'maxRequest'>;
  /** A single command; empty to read commands. */
  readonly command: readonly string[];
}

export const SHELL_USAGE = `Usage: nodekeeper shell [options] [command words…]

Without a command, commands are read: from a terminal with history and completion, or from a pipe.
With one, it is done and the shell ends: exit code 0, 1 if it has failed, 127 if there is no such command.

  -server host:port,…/chroot     the servers (localhost:2181)
  -timeout ms                    session time-out (30000)
  -r                             accept a server that serves reads only
  -waitforconnection             begin when there is a connection
  -client-configuration file     TLS as Apache's clients are told (zookeeper.ssl.keyStore.location …), jute.maxbuffer
  --tls --ca f --cert f --key f  TLS with PEM files
  --max-request bytes            the servers' jute.maxbuffer, if that is not 1048575
  --auth scheme:auth             present an identity, as in --auth digest:user:password; can be repeated
  --sasl user:password           log in with SASL DIGEST-MD5
  --kerberos                     log in with the tickets of kinit
  --keytab f --principal name    log in with Kerberos by a keytab
  --service name                 what comes before the host in the servers' principals, or a whole one (zookeeper)
  --json                         one JSON object for each answer
`;

/** Rejects with UsageError. */
export async function parseShellArguments(args: readonly string[]): Promise<ShellArguments> {
  let server = 'localhost:2181';
  let timeout = 30_000;
  const is = { readOnly: false, waitForConnection: false, json: false, help: false, tls: false };
  const files: { ca?: string; cert?: string; key?: string } = {};
  let stores: ConnectionOptions | undefined;
  let maxRequest: number | undefined;
  let sasl: SaslOptions | undefined;
  let kerberos: KerberosLoginOptions | undefined;
  const auth: { scheme: string; auth: string }[] = [];
  let at = 0;
  for (; at < args.length; at++) {
    const option = args[at] as string;
    if (!option.startsWith('-')) break;
    const value = (): string => {
      const next = args[++at];
      if (next === undefined) throw new UsageError(`Error: no argument found for option ${option}`);
      return next;
    };
    // zkCli's options have one dash; two are taken too.
    switch (option.replace(/^--/, '-')) {
      case '-server':
        server = value();
        break;
      case '-timeout':
        timeout = wholeNumber(option, value(), 1, MAX_DELAY);
        break;
      case '-r':
        is.readOnly = true;
        break;
      case '-waitforconnection':
        is.waitForConnection = true;
        break;
      case '-client-configuration':
        ({ stores, maxRequest = maxRequest } = await readStores(value()));
        break;
      case '-max-request':
        maxRequest = wholeNumber(option, value(), 1, LARGEST_REQUEST);
        break;
      case '-tls':
        is.tls = true;
        break;
      case '-ca':
      case '-cert':
      case '-key':
        files[option.replace(/^-+/, '') as keyof typeof files] = value();
        break;
      case '-auth':
        auth.push(parseAuth(value()));
        break;
      case '-sasl':
        sasl = parseSasl(value());
        break;
      case '-kerberos':
        kerberos = { ...kerberos };
        break;
      case '-keytab':
      case '-principal':
      case '-service':
        kerberos = { ...kerberos, [option.replace(/^-+/, '')]: value() };
        break;
      case '-json':
        is.json = true;
        break;
      case '-help':
      case '-h':
        is.help = true;
        break;
      default:
        throw new UsageError(`'${option}' is not an option; see nodekeeper shell --help`);
    }
  }
  if (kerberos !== undefined) sasl = await kerberosOf(kerberos);
  const pem = readPem(files);
  const tls = is.tls || Object.keys(pem).length > 0 ? { ...stores, ...pem } : stores;
  return {
    server,
    timeout,
    ...is,
    client: { ...(tls === undefined ? {} : { tls }), ...(sasl === undefined ? {} : { sasl }), auth, maxRequest },
    command: args.slice(at),
  };
}

function parseAuth(text: string): { scheme: string; auth: string } {
  const colon = text.indexOf(':');
  if (colon <= 0) throw new UsageError('--auth is scheme:auth, as in digest:user:password');
  return { scheme: text.slice(0, colon), auth: text.slice(colon + 1) };
}

function parseSasl(text: string): SaslOptions {
  const colon = text.indexOf(':');
  if (colon <= 0) throw new UsageError('--sasl is user:password');
  return { mechanism: 'DIGEST-MD5', username: text.slice(0, colon), password: text.slice(colon + 1) };
}

async function kerberosOf(options: KerberosLoginOptions): Promise<SaslOptions> {
  try {
    return (await import('@nodekeeper/kerberos')).kerberosLogin(options);
  } catch (error) {
    throw new UsageError(`Kerberos: ${error instanceof Error ? error.message : error}`);
  }
}

async function readStores(file: string): Promise<{ stores: ConnectionOptions | undefined; maxRequest?: number }> {
  const text = readFile(file).toString();
  try {
    const { readClientConfiguration, maxRequestIn } = await import('./client-configuration.js');
    const maxRequest = maxRequestIn(text);
    return { stores: readClientConfiguration(text), ...(maxRequest === undefined ? {} : { maxRequest }) };
  } catch (error) {
    throw new UsageError(`${file}: ${error instanceof Error ? error.message : error}`);
  }
}

/** The files of --ca, --cert and --key. Node takes no notice of an authority that is none, nor of a certificate without its key. */
function readPem({ ca, cert, key }: { ca?: string; cert?: string; key?: string }): ConnectionOptions {
  const pem: { ca?: Buffer; cert?: Buffer; key?: Buffer } = {};
  if (ca !== undefined) {
    pem.ca = readFile(ca);
    try {
      new X509Certificate(pem.ca);
    } catch {
      throw new UsageError(`--ca ${ca}: there is no certificate in PEM format in it`);
    }
  }
  if (cert === undefined && key === undefined) return pem;
  if (cert === undefined) throw new UsageError('--key needs --cert');
  pem.cert = readFile(cert);
  // A file may hold both.
  if (key === undefined && !pem.cert.includes('PRIVATE KEY-----')) throw new UsageError('--cert needs --key');
  pem.key = key === undefined ? pem.cert : readFile(key);
  try {
    createSecureContext(pem);
  } catch (error) {
    throw new UsageError(`--cert ${cert}, --key ${key ?? cert}: ${error instanceof Error ? error.message : error}`);
  }
  return pem;
}

function readFile(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`${file}: ${error instanceof Error ? error.message : error}`);
  }
}
