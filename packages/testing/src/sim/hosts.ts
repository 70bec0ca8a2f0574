// Where the machines of a simulation are in its network.

export const serverHost = (server: number): string => `10.0.0.${server + 1}`;
export const clientHost = (client: number): string => `10.0.1.${client + 1}`;
