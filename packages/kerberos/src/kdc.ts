// Finds the KDCs of a realm, and asks them one after the other over TCP. Source: RFC 4120, 7.2.2: four bytes length, then the
// message; 7.2.3.2: their names in the DNS.

import { resolveSrv } from 'node:dns/promises';
import { connect } from 'node:net';
import type { KdcAddress, Krb5Config } from './config.js';
import { KerberosError } from './errors.js';

/** For one KDC, in milliseconds. */
const TIMEOUT = 10_000;
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
 * The answer of the first that gives one.
 * @throws KerberosError if none does
 */
export async function askKdc(addresses: readonly KdcAddress[], request: Buffer, timeout = TIMEOUT): Promise<Buffer> {
  const problems: string[] = [];
  for (const address of addresses) {
    try {
      return await ask(address, request, timeout);
    } catch (error) {
      problems.push(`${address.host}:${address.port}: ${(error as Error).message}`);
    }
  }
  throw new KerberosError(
    `no KDC answers: ${problems.length === 0 ? 'none is named in krb5.conf' : problems.join('; ')}`,
  );
}

function ask({ host, port }: KdcAddress, request: Buffer, timeout: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    let got = Buffer.alloc(0);
    const end = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => end(new Error(`no answer within ${timeout} ms`)), timeout);
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
