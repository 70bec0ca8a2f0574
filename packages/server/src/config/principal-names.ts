// Which name in ACLs a Kerberos principal has: rules first, then what is kept of host and realm. Source: KerberosName and
// SaslServerCallbackHandler of Apache ZooKeeper.

import { KerberosError } from '@nodekeeper/kerberos';

type Rule = 'DEFAULT' | Mapping;

interface Mapping {
  /** How many components the principals have that it is for. */
  readonly components: number;
  /** With $0 for the realm, $1 and $2 for the components. */
  readonly format: string;
  readonly match: RegExp | undefined;
  readonly replace: ((base: string) => string) | undefined;
}

const RULE = /^\s*(?:(DEFAULT)|RULE:\[(\d+):([^\]]*)\](?:\(([^)]*)\))?(?:s\/([^/]*)\/([^/]*)\/(g)?)?)/;
const PRINCIPAL = /^([^/@]*)(?:\/([^/@]*))?@([^/@]*)$/;
const PARAMETER = /\$(\d*)/g;

export interface NameSettings {
  /** `security.auth_to_local`. */
  readonly rules: string;
  /** Whose principals rule DEFAULT is for. */
  readonly defaultRealm: string;
  readonly removeHost: boolean;
  readonly removeRealm: boolean;
}

export class PrincipalNames {
  private readonly settings: NameSettings;
  private readonly rules: readonly Rule[];

  /** @throws Error that says which rule is not understood */
  constructor(settings: NameSettings) {
    this.settings = settings;
    this.rules = parseRules(settings.rules);
  }

  /**
   * The name of `user@REALM` or `user/host@REALM`. A principal that no rule is for keeps its own, with host and realm.
   * @throws KerberosError if it has more components
   */
  nameOf(principal: string): string {
    const match = PRINCIPAL.exec(principal);
    if (match === null)
      throw new KerberosError(`principal ${principal} has no name here: it has more than two components`);
    const [, service = '', host, realm = ''] = match;
    const short = this.shortName(host === undefined ? [realm, service] : [realm, service, host]);
    if (short === undefined) return principal;
    const ofHost = host === undefined || this.settings.removeHost ? '' : `/${host}`;
    return `${short}${ofHost}${this.settings.removeRealm ? '' : `@${realm}`}`;
  }

  private shortName(parts: readonly string[]): string | undefined {
    for (const rule of this.rules) {
      const name = rule === 'DEFAULT' ? this.defaultName(parts) : apply(rule, parts);
      if (name !== undefined) return name === '' || /[/@]/.test(name) ? undefined : name;
    }
    return undefined;
  }

  private defaultName([realm, service]: readonly string[]): string | undefined {
    return realm === this.settings.defaultRealm ? service : undefined;
  }
}

function parseRules(text: string): Rule[] {
  const rules: Rule[] = [];
  for (let rest = text.trim(); rest !== ''; ) {
    const match = RULE.exec(rest);
    if (match === null) throw new Error(`${rest} is no rule`);
    const [all, isDefault, components = '', format = '', pattern, from, to = '', global] = match;
    rest = rest.slice(all.length);
    if (isDefault !== undefined) {
      rules.push('DEFAULT');
      continue;
    }
    rules.push({
      components: Number(components),
      format: checked(format, Number(components)),
      match: pattern === undefined ? undefined : new RegExp(`^(?:${pattern})$`),
      replace: from === undefined ? undefined : replacer(new RegExp(from, global), to),
    });
  }
  return rules;
}

function checked(format: string, components: number): string {
  for (const [reference, n] of format.matchAll(PARAMETER)) {
    if (n === '' || Number(n) > components)
      throw new Error(`${reference} in [${components}:${format}] stands for nothing`);
  }
  return format;
}

/** Replaces as Java does: `$1` stands for a group, `\` takes the next character as it is. */
function replacer(from: RegExp, to: string): (base: string) => string {
  const parts = [...to.matchAll(/\\([\s\S])|\$(\d)|([^\\$])/g)];
  if (parts.map(([all]) => all).join('') !== to) throw new Error(`${to} cannot be put in the place of anything`);
  return (base) =>
    base.replace(from, (...groups: unknown[]) =>
      parts.map(([, escaped, group, plain]) => escaped ?? plain ?? String(groups[Number(group)] ?? '')).join(''),
    );
}

function apply({ components, format, match, replace }: Mapping, parts: readonly string[]): string | undefined {
  if (parts.length - 1 !== components) return undefined;
  const base = format.replace(PARAMETER, (_, n: string) => parts[Number(n)] ?? '');
  if (match !== undefined && !match.test(base)) return undefined;
  return replace === undefined ? base : replace(base);
}
