// Finds the KDCs of a realm, and asks them over TCP, those that come first first. Source: RFC 4120, 7.2.2: four bytes length, then the
// message; 7.2.3.2: their names in the DNS.

import { resolveSrv } from 'node:dns/promises';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { KdcAddress, Krb5Config } from './config.js';
import { KerberosError } from './errors.js';

/** For one KDC, in milliseconds. */
const TIMEOUT = 10_000;
/** After so many milliseconds without an answer the next KDC is asked as well, as MIT's library does: a login has little time. */
const HEAD_START = 1000;
const LONGEST_REPLY = 1 << 17;

/** Looks up records, as Node's resolveSrv does. */
export type SrvLookup = (
  name: string,
) => Promise<
  readonly { readonly name: string; readonly port: number; readonly priority: number; readonly weight: number }[]
>;

/**
 * The KDCs that krb5.conf names, or else those in the DNS, the preferred ones first.
 * @throws KerberosError if there are none
 */
export async function kdcsOf(
  config: Krb5Config,
  realm: string,
  lookup: SrvLookup = resolveSrv,
): Promise<readonly KdcAddress[]> {
  const named = config.kdcs.get(realm) ?? [];
  if (named.length > 0) return named;
  const problem = `krb5.conf names no KDC of realm ${realm}`;
  if (!config.dnsLookup) throw new KerberosError(problem);
  try {
    const records = [...(await lookup(`_kerberos._tcp.${realm}`))];
    records.sort((a, b) => a.priority - b.priority || b.weight - a.weight);
    return records.map(({ name, port }) => ({ host: name, port }));
  } catch (error) {
    throw new KerberosError(`${problem}, nor does the DNS: ${(error as Error).message}`);
  }
}

/**
 * The answer of the first that gives one. Each is asked when the one before has failed, or has had its head start.
 * @throws KerberosError if none does
 */
export async function askKdc(
  addresses: readonly KdcAddress[],
  request: Buffer,
  timeout = TIMEOUT,
  headStart = HEAD_START,
): Promise<Buffer> {
  const over = new AbortController();
  let turn: Promise<unknown> = Promise.resolve();
  const asked = addresses.map((address) => {
    const begun = turn;
    const answer = begun.then(() => {
      over.signal.throwIfAborted();
      return ask(address, request, timeout, over.signal);
    });
    turn = new Promise((resolve) => {
      answer.catch(resolve);
      void begun.then(() => pause(headStart, undefined, over)).then(resolve, () => {});
    });
    return answer;
  });
  try {
    return await Promise.any(asked);
  } catch (error) {
    const problems = (error as AggregateError).errors.map((one: Error) => one.message);
    throw new KerberosError(`no KDC answers: ${problems.join('; ') || 'none is named in krb5.conf'}`);
  } finally {
    over.abort();
  }
}

function ask({ host, port }: KdcAddress, request: Buffer, timeout: number, over: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    let got = Buffer.alloc(0);
    const end = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new Error(`${host}:${port}: ${error.message}`));
    };
    const timer = setTimeout(() => end(new Error(`no answer within ${timeout} ms`)), timeout);
    over.addEventListener('abort', () => end(new Error('another one has answered')), { once: true });
    socket.on('connect', () => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(request.length);
      socket.write(Buffer.concat([length, request]));
    });
    socket.on('error', end);
    socket.on('close', () => end(new Error('the connection ended')));
    socket.on('data', (chunk) => {
      got = Buffer.concat([got, chunk]);
      if (got.length < 4) return;
      const length = got.readUInt32BE(0);
      if (length > LONGEST_REPLY) end(new Error(`an answer of ${length} bytes`));
      if (got.length < 4 + length) return;
      clearTimeout(timer);
      resolve(got.subarray(4, 4 + length));
      socket.destroy();
    });
  });
}
