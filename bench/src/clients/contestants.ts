// The clients that are compared, each used as its users do: ours by promises, node-zookeeper-client by callbacks. And no client:
// requests made beforehand on a bare socket, whose answers nobody looks into, as the limit that server and kernel set.

import { createRequire } from 'node:module';
import { connect } from '@nodekeeper/client';
import { bareSocket } from './bare-socket.js';

export type Operation = 'get' | 'set' | 'create';
export type ContestantName = 'node-zookeeper-client' | '@nodekeeper/client' | 'bare socket';

/** An operation on a node, begun; `done` is called when it is answered. An error ends the process. */
export type Call = (done: () => void) => void;

export interface Contestant {
  /** Creates `path` with `data`. */
  prepare(path: string, data: Buffer): Promise<void>;
  /** What does the operation on the node at `path`, or creates its children. */
  operation(operation: Operation, path: string, data: Buffer): Call;
  close(): Promise<void>;
}

export const contestants: Readonly<Record<ContestantName, (port: number) => Promise<Contestant>>> = {
  'node-zookeeper-client': openOther,
  '@nodekeeper/client': openOurs,
  'bare socket': bareSocket,
};

const require = createRequire(import.meta.url);

export function versionOf(name: ContestantName): string {
  const { version } = require(`${name}/package.json`) as { version: string };
  return version;
}

function fail(error: unknown): never {
  throw error;
}

async function openOurs(port: number): Promise<Contestant> {
  const client = await connect(`127.0.0.1:${port}`);
  return {
    prepare: async (path, data) => {
      await client.create(path, { data });
    },
    operation(operation, path, data) {
      let count = 0;
      const calls: Record<Operation, Call> = {
        get: (done) => void client.getData(path).then(done, fail),
        set: (done) => void client.setData(path, data).then(done, fail),
        create: (done) => void client.create(`${path}/n${count++}`, { data }).then(done, fail),
      };
      return calls[operation];
    },
    close: () => client.close(),
  };
}

/** As much of node-zookeeper-client as is used here. */
interface OtherClient {
  once(event: 'connected', listener: () => void): void;
  connect(): void;
  close(): void;
  create(path: string, data: Buffer, callback: (error: Error | null) => void): void;
  getData(path: string, callback: (error: Error | null) => void): void;
  setData(path: string, data: Buffer, callback: (error: Error | null) => void): void;
}

function openOther(port: number): Promise<Contestant> {
  const { createClient } = require('node-zookeeper-client') as { createClient(connectString: string): OtherClient };
  const client = createClient(`127.0.0.1:${port}`);
  const contestant: Contestant = {
    prepare: (path, data) =>
      new Promise((resolve, reject) => {
        client.create(path, data, (error) => (error ? reject(error) : resolve()));
      }),
    operation(operation, path, data) {
      let count = 0;
      const answer = (done: () => void) => (error: Error | null) => (error ? fail(error) : done());
      const calls: Record<Operation, Call> = {
        get: (done) => client.getData(path, answer(done)),
        set: (done) => client.setData(path, data, answer(done)),
        create: (done) => client.create(`${path}/n${count++}`, data, answer(done)),
      };
      return calls[operation];
    },
    close: async () => client.close(),
  };
  return new Promise((resolve) => {
    client.once('connected', () => resolve(contestant));
    client.connect();
  });
}
