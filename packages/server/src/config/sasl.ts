// Who may log in with SASL on the client port: users of a JAAS file, or of a plain file.

import { readFileSync } from 'node:fs';
import { parseJaas } from './jaas.js';
import { ConfigError, type Settings } from './parse.js';

export interface SaslConfig {
  /** Passwords by user. */
  readonly users: ReadonlyMap<string, string>;
  /** Users that may do everything. */
  readonly superUsers: ReadonlySet<string>;
  /** Whether a client that fails goes on without an identity. */
  readonly allowFailed: boolean;
}

const USER_OPTION = 'user_';

/** Undefined if no login is configured. Throws ConfigError if one is and cannot work. */
export function saslConfig(settings: Settings, where: string): SaslConfig | undefined {
  const { values, families } = settings;
  const s = (name: string): string | undefined => (values.get(name) as string | undefined) || undefined;
  const jaas = s('java.security.auth.login.config');
  const file = s('sasl.usersFile');
  const users = new Map<string, string>();
  let there = false;
  if (jaas !== undefined) {
    there = fromJaas(jaas, s('sasl.serverconfig') ?? 'Server', where, users);
  }
  if (file !== undefined) {
    fromFile(file, where, users);
    there = true;
  }
  if (!there) return undefined;
  const superPassword = s('SASLAuthenticationProvider.superPassword');
  if (superPassword !== undefined && users.has('super')) users.set('super', superPassword);
  const superUsers = new Set<string>();
  const named = s('superUser');
  if (named !== undefined) superUsers.add(named);
  for (const [name, value] of families) if (name.startsWith('superUser.')) superUsers.add(value);
  return { users, superUsers, allowFailed: values.get('allowSaslFailedClients') === true };
}

function fromJaas(path: string, section: string, where: string, users: Map<string, string>): boolean {
  const option = `${where}: java.security.auth.login.config=${path}`;
  let modules: ReturnType<typeof parseJaas>;
  try {
    modules = parseJaas(readFileSync(path, 'utf8'));
  } catch (e) {
    throw new ConfigError(`${option}: cannot be read: ${(e as Error).message}`);
  }
  for (const { className, options } of modules.get(section) ?? []) {
    if (className.endsWith('Krb5LoginModule')) {
      throw new ConfigError(
        `${option}: section ${section} asks for Kerberos (GSSAPI), which this server does not speak. ` +
          'Use org.apache.zookeeper.server.auth.DigestLoginModule with user_<name>="<password>", or TLS with client certificates',
      );
    }
    if (!className.endsWith('DigestLoginModule')) {
      throw new ConfigError(
        `${option}: section ${section}: login module ${className} is not known, only DigestLoginModule`,
      );
    }
    for (const [name, value] of options) {
      if (name.startsWith(USER_OPTION)) users.set(name.slice(USER_OPTION.length), value);
    }
  }
  return modules.has(section);
}

/** One `name:password` in a line; empty lines and comments (`#`) are passed over. */
function fromFile(path: string, where: string, users: Map<string, string>): void {
  const fail = (what: string): ConfigError => new ConfigError(`${where}: sasl.usersFile=${path}: ${what}`);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (e) {
    throw fail(`cannot be read: ${(e as Error).message}`);
  }
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    if (colon < 1) throw fail(`line ${i + 1}: name:password is expected`);
    users.set(line.slice(0, colon), line.slice(colon + 1));
  }
}
