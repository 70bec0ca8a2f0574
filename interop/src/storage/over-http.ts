// Snapshots that go over HTTP: 3.9's commands `snapshot` and `restore` of the admin server.

import { nextPort } from '../ensemble/ports.js';
import type { RunningServer, StartOptions } from '../servers/index.js';

const AUTHORIZED = { Authorization: 'digest super:test' };

/** How to start a server with these commands. Apache's takes the limit of their rate as a property only. */
export async function withCommands(): Promise<Required<Pick<StartOptions, 'cfg' | 'props'>>> {
  const port = String(await nextPort());
  return {
    cfg: { 'admin.enableServer': 'true', 'admin.serverAddress': '127.0.0.1', 'admin.serverPort': port },
    props: {
      'zookeeper.admin.rateLimiterIntervalInMS': '0',
      'zookeeper.serializeLastProcessedZxid.enabled': 'true',
    },
  };
}

/** The bytes of a snapshot that the server takes now. */
export async function takeSnapshot(server: RunningServer, adminPort: string): Promise<Buffer> {
  const url = `http://${server.host}:${adminPort}/commands/snapshot?streaming=true`;
  const reply = await fetch(url, { headers: AUTHORIZED });
  const bytes = Buffer.from(await reply.arrayBuffer());
  if (reply.status !== 200) throw new Error(`snapshot: ${reply.status} ${bytes}`);
  const told = reply.headers.get('snapshot_size');
  if (told !== String(bytes.length)) throw new Error(`snapshot: ${bytes.length} bytes came, ${told} were told`);
  if (!/^0x[0-9a-f]+$/.test(reply.headers.get('last_zxid') ?? '')) throw new Error('snapshot: its zxid was not told');
  return bytes;
}

/** Lets the server forget what it has and serve the snapshot. */
export async function restore(server: RunningServer, adminPort: string, snapshot: Buffer): Promise<void> {
  const reply = await fetch(`http://${server.host}:${adminPort}/commands/restore`, {
    method: 'POST',
    headers: { ...AUTHORIZED, 'Content-Type': 'application/octet-stream' },
    body: new Uint8Array(snapshot),
  });
  const text = await reply.text();
  if (reply.status !== 200) throw new Error(`restore: ${reply.status} ${text}`);
  const { error, last_zxid } = JSON.parse(text) as { error: unknown; last_zxid: unknown };
  if (error !== null || typeof last_zxid !== 'number') throw new Error(`restore: ${text}`);
}
