// What each server of an ensemble is doing, asked over the client ports that the configuration tells.

import { clientPlace, isWildcard, ownMember, type ServerConfig } from '@nodekeeper/server/config';
import { fourLetterWord } from './server-status.js';

export interface MemberStatus {
  readonly id: number;
  readonly role: 'participant' | 'observer';
  /** `host:port`; null where the configuration does not tell it. */
  readonly client: string | null;
  /** leader, follower, observer; null while it does not serve. */
  readonly mode: string | null;
  readonly zxid: string | null;
  readonly reachable: boolean;
}

export async function memberStatuses(config: ServerConfig): Promise<MemberStatus[]> {
  const members = [...(config.ensemble?.members.members.values() ?? [])];
  const own = ownMember(config);
  return Promise.all(
    members.map(async (member) => {
      const { id, role } = member;
      const { host, port } =
        member.id === own?.id
          ? clientPlace(config)
          : { host: member.clientAddress?.host ?? '', port: member.clientAddress?.port };
      if (port === undefined) return { id, role, client: null, mode: null, zxid: null, reachable: false };
      // A server that listens on all addresses is asked where the others talk to it.
      const name = isWildcard(host) ? (member.quorumAddresses[0]?.host ?? 'localhost') : host;
      const text = await fourLetterWord(name, port, 'srvr', 2000);
      return {
        id,
        role,
        client: `${name}:${port}`,
        mode: /^Mode: (.*)$/m.exec(text ?? '')?.[1] ?? null,
        zxid: /^Zxid: (.*)$/m.exec(text ?? '')?.[1] ?? null,
        reachable: text !== undefined,
      };
    }),
  );
}

export function printMembers(statuses: readonly MemberStatus[]): void {
  const rows = statuses.map(({ id, client, mode, zxid, reachable, role }) => [
    `server.${id}`,
    client ?? '(client port not listed)',
    mode ?? (client === null ? `${role}, not asked` : reachable ? 'not serving: no leader yet' : 'not reachable'),
    zxid ?? '',
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows) {
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
}
