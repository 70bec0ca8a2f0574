// krb5.conf, as far as a login needs it: the default realm, the KDCs of realms, the realms of hosts. Source: MIT's krb5.conf(5).

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KerberosError } from './errors.js';

const MOST_INCLUDES = 100;
const DEFAULT_PATH = '/etc/krb5.conf';

/** A host and a port. */
export interface KdcAddress {
  readonly host: string;
  readonly port: number;
}

export interface Krb5Config {
  readonly defaultRealm: string | undefined;
  /** The KDCs by realm, in the order they are to be asked. */
  readonly kdcs: ReadonlyMap<string, readonly KdcAddress[]>;
  /** Whether KDCs of realms that have none here are looked for in the DNS (dns_lookup_kdc). */
  readonly dnsLookup: boolean;
  /** Realms by host name, or by a domain that begins with a dot. */
  readonly domainRealms: ReadonlyMap<string, string>;
}

const KDC_PORT = 88;

/**
 * The configuration in a file; by default the one that KRB5_CONFIG names, or /etc/krb5.conf.
 * @throws KerberosError if it cannot be read or understood
 */
export function loadKrb5Config(path = process.env.KRB5_CONFIG ?? DEFAULT_PATH): Krb5Config {
  try {
    return parseKrb5Config(withIncludes(path, { left: MOST_INCLUDES }));
  } catch (error) {
    throw new KerberosError(`${path}: ${(error as Error).message}`);
  }
}

function withIncludes(path: string, budget: { left: number }): string {
  if (budget.left-- === 0) throw new KerberosError('too many included files');
  return readFileSync(path, 'utf8').replace(
    /^(include|includedir)[ \t]+(\S+)[ \t]*$/gm,
    (_, how: string, what: string) => {
      if (how === 'include') return withIncludes(what, budget);
      const names = readdirSync(what).filter((name) => /^[\w-]+$|^[^.].*\.conf$/.test(name));
      return names
        .sort()
        .map((name) => withIncludes(join(what, name), budget))
        .join('\n');
    },
  );
}

/** @throws KerberosError that says which line is not understood */
export function parseKrb5Config(text: string): Krb5Config {
  let defaultRealm: string | undefined;
  let dnsLookup = true;
  const kdcs = new Map<string, KdcAddress[]>();
  const domainRealms = new Map<string, string>();
  let section = '';
  /** The names of the braces that are open. */
  const open: string[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === '' || /^[#;]/.test(line) || /^module\s/.test(line)) continue;
    const head = /^\[([^\]]+)\]\*?$/.exec(line);
    if (head !== null) {
      if (open.length > 0) throw new KerberosError(`line ${index + 1}: a '}' is missing before this section`);
      section = head[1] ?? '';
      continue;
    }
    if (/^\}\*?$/.test(line)) {
      if (open.pop() === undefined) throw new KerberosError(`line ${index + 1}: a '}' without a '{'`);
      continue;
    }
    const match = /^([^=\s]+?)\*?\s*=\s*(.*)$/.exec(line);
    if (match === null) throw new KerberosError(`line ${index + 1} is not understood`);
    const [, name = '', value = ''] = match;
    if (value === '{') open.push(name);
    else if (section === 'libdefaults' && open.length === 0) {
      if (name === 'default_realm') defaultRealm ??= unquoted(value);
      else if (name === 'dns_lookup_kdc') dnsLookup = !/^(n|no|false|f|nil|0|off)$/i.test(unquoted(value));
    } else if (section === 'domain_realm' && open.length === 0) domainRealms.set(name.toLowerCase(), unquoted(value));
    else if (section === 'realms' && open.length === 1 && name === 'kdc') {
      const realm = open[0] ?? '';
      const list = kdcs.get(realm) ?? [];
      kdcs.set(realm, list);
      for (const address of unquoted(value).split(/\s+/)) if (!/^https?:/.test(address)) list.push(addressOf(address));
    }
  }
  return { defaultRealm, kdcs, dnsLookup, domainRealms };
}

function unquoted(value: string): string {
  return /^"(.*)"$/.exec(value)?.[1] ?? value;
}

/** `host`, `host:port`, `[v6]:port`; MIT's forms with a transport in front mean TCP here; those of proxies are left out. */
function addressOf(text: string): KdcAddress {
  const match = /^(?:tcp\/|udp\/)?(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) throw new KerberosError(`kdc = ${text}: host or host:port is expected`);
  return { host: match[1] ?? match[2] ?? '', port: Number(match[3] ?? KDC_PORT) };
}

/** The realm that a host belongs to, undefined if nothing says so. */
export function realmOfHost(config: Krb5Config, host: string): string | undefined {
  const name = host.toLowerCase();
  const whole = config.domainRealms.get(name);
  if (whole !== undefined) return whole;
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
    const realm = config.domainRealms.get(name.slice(dot)) ?? config.domainRealms.get(name.slice(dot + 1));
    if (realm !== undefined) return realm;
  }
  return undefined;
}
