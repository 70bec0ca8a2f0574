// Kerberos in a JAAS section: the principal of this server and where its keys are. Source: the JDK's Krb5LoginModule.

import { existsSync } from 'node:fs';
import {
  formatPrincipal,
  KerberosError,
  Keytab,
  type Krb5Config,
  loadKrb5Config,
  type Principal,
  parsePrincipal,
} from '@nodekeeper/kerberos';
import type { LoginModule } from './jaas.js';
import { ConfigError, type Settings } from './parse.js';
import { PrincipalNames } from './principal-names.js';

/** A service that clients log in to with tickets. */
export interface KerberosService {
  readonly principal: Principal;
  readonly keytab: Keytab;
  /** The name in ACLs of a client. */
  readonly names: PrincipalNames;
}

/** As whom this server logs in to others. */
export interface KerberosUser {
  readonly principal: string;
  readonly keytab: string;
  readonly config?: string;
}

const KRB5_CONF = '/etc/krb5.conf';

export function isKerberos(module: LoginModule): boolean {
  return module.className.endsWith('Krb5LoginModule');
}

/** @throws ConfigError if nobody could log in */
export function kerberosService(module: LoginModule, settings: Settings, section: string): KerberosService {
  const { principal, keytab, realm, fail } = ownKeys(module, settings, section);
  if (principal.components.length !== 2) throw fail('principal="…" has to be service/host or service/host@REALM');
  return { principal, keytab, names: principalNames(settings, realm ?? principal.realm) };
}

/** @throws ConfigError if it could not log in */
export function kerberosUser(module: LoginModule, settings: Settings, section: string): KerberosUser {
  const { principal, keytab, fail } = ownKeys(module, settings, section);
  const path = krb5Path(settings);
  try {
    loadKrb5Config(path);
  } catch (error) {
    throw fail((error as Error).message);
  }
  return {
    principal: formatPrincipal(principal),
    keytab: keytab.path,
    ...(path === undefined ? {} : { config: path }),
  };
}

interface OwnKeys {
  readonly principal: Principal;
  readonly keytab: Keytab;
  /** The default one. */
  readonly realm: string | undefined;
  readonly fail: (what: string) => ConfigError;
}

function ownKeys(module: LoginModule, settings: Settings, section: string): OwnKeys {
  const where = settings.placeOf('java.security.auth.login.config');
  const fail = (what: string): ConfigError => new ConfigError(`${where}: section ${section} of the JAAS file: ${what}`);
  const option = (name: string): string => {
    const value = module.options.get(name);
    if (value === undefined) throw fail(`Krb5LoginModule needs ${name}="…"`);
    return value;
  };
  if (module.options.get('useKeyTab')?.toLowerCase() !== 'true') throw fail('Krb5LoginModule needs useKeyTab=true');
  const keytab = new Keytab(option('keyTab').replace(/^file:/i, ''));
  try {
    const realm = defaultRealm(settings);
    const principal = parsePrincipal(option('principal'), realm);
    keytab.keysOf(principal);
    return { principal, keytab, realm, fail };
  } catch (error) {
    throw error instanceof KerberosError ? fail(error.message) : error;
  }
}

function defaultRealm(settings: Settings): string | undefined {
  return (settings.values.get('java.security.krb5.realm') as string | undefined) ?? krb5Config(settings)?.defaultRealm;
}

/** Undefined if there is none, and none is named. */
function krb5Config(settings: Settings): Krb5Config | undefined {
  const path = krb5Path(settings);
  return path === undefined && !existsSync(KRB5_CONF) ? undefined : loadKrb5Config(path);
}

function krb5Path(settings: Settings): string | undefined {
  return (settings.values.get('java.security.krb5.conf') as string | undefined) ?? process.env.KRB5_CONFIG;
}

function principalNames({ values, placeOf }: Settings, realm: string): PrincipalNames {
  const rules = String(values.get('security.auth_to_local'));
  try {
    return new PrincipalNames({
      rules,
      defaultRealm: realm,
      removeHost: values.get('kerberos.removeHostFromPrincipal') === true,
      removeRealm: values.get('kerberos.removeRealmFromPrincipal') === true,
    });
  } catch (error) {
    throw new ConfigError(
      `${placeOf('security.auth_to_local')}: security.auth_to_local=${rules}: ${(error as Error).message}`,
    );
  }
}
