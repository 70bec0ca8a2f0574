// The ports that a server listens on, and where.

import { clientPlace, ownMember, type ServerConfig } from '@nodekeeper/server/config';

export interface ListenPlace {
  readonly name: string;
  readonly port: number;
  /** Undefined for all addresses. */
  readonly host: string | undefined;
}

/** Those for clients. */
export function clientPorts(config: ServerConfig): ListenPlace[] {
  const own = ownMember(config)?.clientAddress;
  return listened([
    ['client port', clientPlace(config).port, own?.host ?? config.clientPortAddress],
    ['secure client port', config.secureClientPort, config.secureClientPortAddress],
  ]);
}

/** Those for clients, operators, and the other servers. */
export function allPorts(config: ServerConfig): ListenPlace[] {
  const { admin, prometheus, ensemble } = config;
  const between = (ownMember(config)?.quorumAddresses ?? []).flatMap((address): Place[] => {
    const host = ensemble?.listenOnAllIPs === true ? undefined : address.host;
    return [
      ['quorum port', address.quorumPort, host],
      ['election port', address.electionPort, host],
    ];
  });
  return [
    ...clientPorts(config),
    ...listened([
      ['admin port', admin.enabled ? admin.port : undefined, admin.address],
      ['metrics port', prometheus?.port, prometheus?.host],
      ...between,
    ]),
  ];
}

type Place = [name: string, port: number | undefined, host: string | undefined];

function listened(places: readonly Place[]): ListenPlace[] {
  return places.flatMap(([name, port, host]) => (port === undefined || port === 0 ? [] : [{ name, port, host }]));
}
