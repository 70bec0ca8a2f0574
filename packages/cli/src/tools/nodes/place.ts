// Where a tool works: a path, on the servers given by --server or named with it, as in `zk1:2181,zk2:2181/app/config`.

import { Client, type ClientOptions, isKeeperError } from '@nodekeeper/client';
import { pathProblem } from '@nodekeeper/protocol';
import { Failure } from '../output.js';

export interface Place {
  readonly client: Client;
  readonly path: string;
  /** As it is to be told: with the servers, if they were named with it. */
  readonly name: string;
}

export interface Connecting {
  /** For paths that name no servers. */
  readonly server: string;
  /** Milliseconds until connecting is given up. */
  readonly timeout: number;
  readonly options: ClientOptions;
}

/** @throws Failure */
function open(server: string, options: ClientOptions): Client {
  try {
    return new Client(server, options);
  } catch (error) {
    throw new Failure(`'${server}': ${error instanceof Error ? error.message : error}`, 2);
  }
}

/** The clients of a tool: one for each ensemble that is named. */
export class Places {
  private readonly connecting: Connecting;
  private readonly clients = new Map<string, Client>();

  constructor(connecting: Connecting) {
    this.connecting = connecting;
  }

  /** Connects, unless it has. Rejects with Failure if the path is none, or there is no connection. */
  async at(text: string): Promise<Place> {
    const slash = text.indexOf('/');
    if (slash < 0) throw new Failure(`${text}: a path begins with /, after the servers if they are named`, 2);
    const server = slash === 0 ? this.connecting.server : text.slice(0, slash);
    const path = text.slice(slash);
    const problem = pathProblem(path);
    if (problem !== null) throw new Failure(`${path}: ${problem}`, 2);
    return { client: await this.connect(server), path, name: text };
  }

  private async connect(server: string): Promise<Client> {
    const known = this.clients.get(server);
    if (known !== undefined) return known;
    const client = open(server, this.connecting.options).start();
    this.clients.set(server, client);
    try {
      await client.connected({ timeout: this.connecting.timeout });
    } catch (error) {
      const reason = isKeeperError(error) ? error.message.split(': ').slice(1).join(': ') : String(error);
      throw new Failure(`no connection to ${server}: ${reason}`, 1);
    }
    return client;
  }

  async close(): Promise<void> {
    await Promise.all([...this.clients.values()].map((client) => client.close()));
  }
}
