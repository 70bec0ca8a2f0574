// What to say when a server cannot listen at the address that it is to: which option has it, and what it may be.

import { ownMember, type ServerConfig } from '@nodekeeper/server/config';

const REMEDY = 'Correct it; without an address for clients the server listens on all';

/** Undefined if the error is another one. */
export function unusableAddress(
  error: { readonly code?: string; readonly hostname?: string; readonly address?: string },
  config: ServerConfig | undefined,
): { readonly isUnknown: boolean; readonly message: string } | undefined {
  const isUnknown = error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN';
  if (!isUnknown && error.code !== 'EADDRNOTAVAIL') return undefined;
  const host = error.hostname ?? error.address ?? '';
  const why = isUnknown
    ? `the name cannot be resolved (${error.code})`
    : 'it is no address of this machine (ip addr shows them)';
  return { isUnknown, message: `${optionWith(host, config)}${host}: ${why}. ${REMEDY}` };
}

function optionWith(host: string, config: ServerConfig | undefined): string {
  const own = config === undefined ? undefined : ownMember(config);
  const lined = [own?.clientAddress, ...(own?.quorumAddresses ?? [])].some((address) => address?.host === host);
  if (own !== undefined && lined) return `server.${own.id}: `;
  if (config?.clientPortAddress === host) return 'clientPortAddress=';
  return config?.secureClientPortAddress === host ? 'secureClientPortAddress=' : '';
}
