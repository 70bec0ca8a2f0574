// Where the machines of a simulation are in its network.

export const serverHost = (server: number): string => `10.0.0.${server + 1}`;
export const clientHost = (client: number): string => `10.0.1.${client + 1}`;

export const CLIENT_PORT = 2181;
const QUORUM_PORT = 2888;
const ELECTION_PORT = 3888;

/** The `server.N=` line of a machine. */
export function serverLine(server: number, role: 'participant' | 'observer'): string {
  const host = serverHost(server);
  return `server.${server + 1}=${host}:${QUORUM_PORT}:${ELECTION_PORT}:${role};${host}:${CLIENT_PORT}`;
}
