// The members of an ensemble as zoo.cfg lists them. A standalone server only takes its client port from there.

export interface Member {
  readonly id: number;
  readonly quorumAddresses: readonly {
    readonly host: string;
    readonly quorumPort: number;
    readonly electionPort: number;
  }[];
  readonly role: 'participant' | 'observer';
  readonly clientAddress: { readonly host: string; readonly port: number } | undefined;
}

/** Parses the value of a `server.N` line. Returns a text that says what is wrong instead if it cannot be read. */
export function parseMember(id: number, value: string): Member | string {
  const [servers = '', client] = value.split(';');
  let role: string | undefined;
  const quorumAddresses: { host: string; quorumPort: number; electionPort: number }[] = [];
  for (const one of servers.split('|')) {
    const match = /^(\[[^\]]+\]|[^:]+):(\d+):(\d+)(?::(participant|observer))?$/i.exec(one.trim());
    if (match === null) return 'host:quorumPort:electionPort[:role][;[host:]clientPort] is expected';
    const own = match[4]?.toLowerCase() ?? 'participant';
    if (role !== undefined && role !== own) return 'all addresses of a server must have the same role';
    role = own;
    quorumAddresses.push({ host: bare(match[1] ?? ''), quorumPort: Number(match[2]), electionPort: Number(match[3]) });
  }
  let clientAddress: Member['clientAddress'];
  if (client !== undefined && client.trim() !== '') {
    const match = /^(?:(\[[^\]]+\]|[^:]+):)?(\d+)$/.exec(client.trim());
    if (match === null) return 'the client address behind ; must be [host:]port';
    clientAddress = { host: match[1] === undefined ? '0.0.0.0' : bare(match[1]), port: Number(match[2]) };
  }
  return { id, quorumAddresses, role: role === 'observer' ? 'observer' : 'participant', clientAddress };
}

function bare(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host;
}
