// Who may log in with SASL: the users in the sections of a JAAS file.

import { readFileSync } from 'node:fs';
import { type LoginModule, parseJaas } from './jaas.js';
import { isKerberos, type KerberosService, type KerberosUser, kerberosService, kerberosUser } from './kerberos.js';
import { ConfigError, type Settings } from './parse.js';

export interface SaslConfig {
  /** Passwords by user. */
  readonly users: ReadonlyMap<string, string>;
  /** If it is there, clients log in with Kerberos and not with passwords. */
  readonly kerberos: KerberosService | undefined;
  /** Users that may do everything. */
  readonly superUsers: ReadonlySet<string>;
  /** Whether a client that fails goes on without an identity. */
  readonly allowFailed: boolean;
}

const USER_OPTION = 'user_';

/** Undefined if clients cannot log in. Throws ConfigError if they are to and it cannot work. */
export function saslConfig(settings: Settings): SaslConfig | undefined {
  const { values, families } = settings;
  const section = String(values.get('sasl.serverconfig'));
  const module = loginModule(settings, section);
  if (module === undefined) return undefined;
  const kerberos = isKerberos(module) ? kerberosService(module, settings, section) : undefined;
  const users = usersOf(module);
  const superPassword = values.get('SASLAuthenticationProvider.superPassword') as string | undefined;
  if (superPassword !== undefined && users.has('super')) users.set('super', superPassword);
  const superUsers = new Set<string>();
  const named = values.get('superUser') as string | undefined;
  if (named !== undefined) superUsers.add(named);
  for (const [name, value] of families) if (name.startsWith('superUser.')) superUsers.add(value);
  return { users, kerberos, superUsers, allowFailed: values.get('allowSaslFailedClients') === true };
}

interface PasswordUser {
  readonly user: string;
  readonly password: string;
}

export interface QuorumAuthConfig {
  /** Passwords by user. */
  readonly users: ReadonlyMap<string, string>;
  /** If it is there, others log in with Kerberos and not with passwords. */
  readonly service: KerberosService | undefined;
  readonly serverRequires: boolean;
  readonly login: PasswordUser | (KerberosUser & { readonly servicePrincipal: string }) | undefined;
}

/**
 * How servers prove to each other who they are; undefined if they need not.
 * @throws ConfigError if they are to and it cannot work
 */
export function quorumAuthConfig(settings: Settings): QuorumAuthConfig | undefined {
  const { values } = settings;
  const b = (name: string): boolean => values.get(`quorum.auth.${name}`) === true;
  const fail = (option: string, what: string): ConfigError =>
    new ConfigError(`${settings.placeOf(`quorum.auth.${option}`)}: ${what}`);
  for (const name of ['serverRequireSasl', 'learnerRequireSasl']) {
    if (b(name) && !b('enableSasl')) throw fail(name, `quorum.auth.${name}=true needs quorum.auth.enableSasl=true`);
  }
  if (!b('enableSasl')) return undefined;
  if (b('serverRequireSasl') && !b('learnerRequireSasl')) {
    throw fail('serverRequireSasl', 'quorum.auth.serverRequireSasl=true needs quorum.auth.learnerRequireSasl=true');
  }
  const section = (option: string): { readonly name: string; readonly module: LoginModule } => {
    const name = String(values.get(`quorum.auth.${option}.saslLoginContext`));
    const module = loginModule(settings, name);
    if (module !== undefined) return { name, module };
    throw fail(
      'enableSasl',
      `quorum.auth.enableSasl=true needs a section ${name} in the JAAS file (java.security.auth.login.config), ` +
        `see quorum.auth.${option}.saslLoginContext`,
    );
  };
  const server = section('server');
  const learner = section('learner');
  if (isKerberos(server.module) !== isKerberos(learner.module)) {
    throw fail(
      'enableSasl',
      `sections ${server.name} and ${learner.name} of the JAAS file have to be of one kind, as servers dial each other`,
    );
  }
  const serverRequires = b('serverRequireSasl');
  if (isKerberos(server.module)) {
    const service = kerberosService(server.module, settings, server.name);
    const servicePrincipal = String(values.get('quorum.auth.kerberos.servicePrincipal'));
    const login = b('learnerRequireSasl')
      ? { ...kerberosUser(learner.module, settings, learner.name), servicePrincipal }
      : undefined;
    return { users: new Map(), service, serverRequires, login };
  }
  const { options } = learner.module;
  const user = options.get('username');
  const password = options.get('password');
  if (b('learnerRequireSasl') && (user === undefined || password === undefined)) {
    throw fail(
      'learner.saslLoginContext',
      'the section of quorum.auth.learner.saslLoginContext needs username="…" and password="…"',
    );
  }
  const logsIn = b('learnerRequireSasl') && user !== undefined && password !== undefined;
  const login = logsIn ? { user, password } : undefined;
  return { users: usersOf(server.module), service: undefined, serverRequires, login };
}

/** The login module of a section of the JAAS file; undefined without file or section. */
function loginModule(settings: Settings, section: string): LoginModule | undefined {
  const path = settings.values.get('java.security.auth.login.config') as string | undefined;
  if (path === undefined) return undefined;
  const option = `${settings.placeOf('java.security.auth.login.config')}: java.security.auth.login.config=${path}`;
  let module: LoginModule | undefined;
  try {
    module = parseJaas(readFileSync(path, 'utf8')).get(section)?.[0];
  } catch (e) {
    throw new ConfigError(`${option}: cannot be read: ${(e as Error).message}`);
  }
  if (module === undefined || module.className.endsWith('DigestLoginModule') || isKerberos(module)) return module;
  throw new ConfigError(
    `${option}: section ${section}: login module ${module.className} is not known, only DigestLoginModule and Krb5LoginModule`,
  );
}

/** Passwords by user, from options `user_<name>`. */
function usersOf(module: LoginModule): Map<string, string> {
  const users = new Map<string, string>();
  for (const [name, value] of module.options) {
    if (name.startsWith(USER_OPTION)) users.set(name.slice(USER_OPTION.length), value);
  }
  return users;
}
