// A port that takes connections before there is what serves them, so that it is open when the client port is: they wait for it.

import type { Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { AdminSettings } from './admin-server.js';

/** So many may be connected at a time: without a bound they could take all file descriptors, which clients and logs need. */
const MOST_CONNECTIONS = 100;

export class HeldPort {
  private readonly server: Server;
  private readonly waiting: Socket[] = [];
  readonly place: { readonly host: string; readonly port: number };
  /** Resolves with its address once it listens; rejects with the system's error. */
  readonly listening: Promise<AddressInfo>;

  /** Listens at once; a name is looked up first. */
  constructor(host: string, port: number) {
    this.place = { host, port };
    this.server = createServer({ pauseOnConnect: true }, (socket) => {
      socket.on('error', () => {}); // who leaves while waiting; later it is the HTTP server's business, too
      this.waiting.push(socket);
    });
    this.server.maxConnections = MOST_CONNECTIONS;
    this.listening = new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ host, port }, () => resolve(this.server.address() as AddressInfo));
    });
    this.listening.catch(() => {}); // told to whoever waits for it
  }

  /** Gives the port to an HTTP server, and to begin with the connections that waited. */
  giveTo(http: HttpServer): void {
    http.maxConnections = MOST_CONNECTIONS;
    http.listen(this.server);
    for (const socket of this.waiting.splice(0)) {
      if (socket.destroyed) continue;
      http.emit('connection', socket);
      socket.resume();
    }
  }

  /** Closes a port that was not given away, and ends what waits. */
  close(): void {
    this.server.close();
    for (const socket of this.waiting.splice(0)) socket.destroy();
  }
}

/** The ports of the admin server and of the metrics. */
export interface HeldPorts {
  readonly admin: HeldPort | undefined;
  readonly metrics: HeldPort | undefined;
  readonly secureMetrics: HeldPort | undefined;
}

/** Opens the ports that the settings ask for. */
export function holdPorts({ admin, prometheus }: AdminSettings): HeldPorts {
  const { host = '', port, https } = prometheus ?? {};
  return {
    admin: admin.enabled ? new HeldPort(admin.address, admin.port) : undefined,
    // One that takes TLS takes both.
    metrics: port === undefined || port === https?.port ? undefined : new HeldPort(host, port),
    secureMetrics: https === undefined ? undefined : new HeldPort(host, https.port),
  };
}
