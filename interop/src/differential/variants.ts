// The configurations under which both servers are compared.

export interface Variant {
  readonly name: string;
  readonly cfg: Readonly<Record<string, string>>;
  /** Of a hundred sequences, how many run under it. */
  readonly share: number;
  readonly mustAuthenticate?: boolean;
}

const SUPER_DIGEST = 'super:D/InIHSb7yEEbrWz8b9l71RjZJU='; // super:test
/**
 * No session may expire while the servers run, however slow the machine is, nor those that sequences leave behind: it would take a
 * zxid on one server before the other.
 */
const LASTING = { snapCount: '1000000', minSessionTimeout: '900000', maxSessionTimeout: '1200000' };
const USUAL = {
  ...LASTING,
  extendedTypesEnabled: 'true',
  'DigestAuthenticationProvider.superDigest': SUPER_DIGEST,
};

export const VARIANTS: readonly Variant[] = [
  { name: 'usual', share: 60, cfg: { ...USUAL, enforceQuota: 'true' } },
  { name: 'bare', share: 20, cfg: { ...LASTING, reconfigEnabled: 'true' } },
  { name: 'without ACLs', share: 10, cfg: { ...USUAL, skipACL: 'yes' } },
  {
    name: 'authenticated',
    share: 10,
    cfg: { ...USUAL, 'enforce.auth.enabled': 'true', 'enforce.auth.schemes': 'digest' },
    mustAuthenticate: true,
  },
];

/** Containers and TTL nodes are deleted by the clock, at another moment on each server: not during this test. */
export const PROPS: Readonly<Record<string, string>> = { 'znode.container.checkIntervalMs': '3600000' };
