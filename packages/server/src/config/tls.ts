// What the ssl.* options say about TLS on the client port, and the ssl.quorum.* options about TLS between servers.

import { ConfigError, type Settings } from './parse.js';

export interface StoreConfig {
  /** The setting that names the file. */
  readonly option: string;
  readonly path: string;
  readonly password: string;
  readonly passwordPath: string | undefined;
}

export interface TlsConfig {
  /** What stands before the names of these settings. */
  readonly prefix: string;
  readonly keyStore: StoreConfig;
  readonly trustStore: StoreConfig | undefined;
  readonly clientAuth: 'none' | 'want' | 'need';
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly maxVersion: 'TLSv1.2' | 'TLSv1.3';
  /** As they are written: Java's names or OpenSSL's. */
  readonly cipherSuites: readonly string[];
  readonly verifyClientHost: boolean;
  readonly reverseDns: boolean;
  readonly reload: boolean;
  readonly superUser: string | undefined;
  readonly handshakeLimit: number;
}

export interface QuorumTlsConfig {
  readonly tls: TlsConfig;
  /** Whether this server speaks TLS where it dials others. */
  readonly dials: boolean;
  /** What it takes where others dial it. */
  readonly accepts: 'tls' | 'either';
  /** Whether the certificate of a server that is dialled must name its address. */
  readonly verifyServerHost: boolean;
  /** How long a connection may take to come through, in milliseconds. */
  readonly timeout: number;
}

/** HTTPS of the admin server or of the metrics. */
export interface HttpsConfig {
  readonly tls: TlsConfig;
  /** Whether HTTP is taken at the same port. */
  readonly accepts: 'tls' | 'either';
}

type Prefix = 'ssl.' | 'ssl.quorum.' | 'metricsProvider.ssl.';
type ClientAuth = TlsConfig['clientAuth'];

/** Who a client without a trusted certificate is told to go by, and the option that says so. */
interface ClientAuthRule {
  readonly need: ClientAuth;
  /** The option as it can be written to let everybody in. */
  readonly option: string;
  readonly off: string;
}

/** Whether a client port with TLS is asked for. */
export function wantsTls({ values }: Settings): boolean {
  return values.has('secureClientPort') || values.get('client.portUnification') === true;
}

/** @throws ConfigError if a client port with TLS cannot work with these options */
export function tlsConfig(settings: Settings, warnings: string[]): TlsConfig {
  const { values } = settings;
  const scheme = values.get('ssl.authProvider') || 'x509';
  if (scheme !== 'x509') {
    throw new ConfigError(
      `${settings.placeOf('ssl.authProvider')}: ssl.authProvider=${scheme}: there is no provider of that name, only 'x509'`,
    );
  }
  return {
    ...common(settings, 'ssl.', 'a client port with TLS', ownRule(settings, 'ssl.'), warnings),
    reload: values.get('client.certReload') === true,
    superUser: superUserOf(settings),
    handshakeLimit: values.get('netty.server.outstandingHandshake.limit') as number,
  };
}

/**
 * TLS between servers; undefined if it is not asked for.
 * @throws ConfigError if it cannot work with these options
 */
export function quorumTlsConfig(settings: Settings, warnings: string[]): QuorumTlsConfig | undefined {
  const { values } = settings;
  const dials = values.get('sslQuorum') === true;
  const either = values.get('portUnification') === true;
  if (!dials && !either) return undefined;
  return {
    tls: {
      ...common(settings, 'ssl.quorum.', 'TLS between servers', ownRule(settings, 'ssl.quorum.'), warnings),
      reload: values.get('sslQuorumReloadCertFiles') === true,
      superUser: undefined,
      handshakeLimit: 0,
    },
    dials,
    accepts: either ? 'either' : 'tls',
    verifyServerHost: values.get('ssl.quorum.hostnameVerification') === true,
    timeout: values.get('ssl.quorum.handshakeDetectionTimeoutMillis') as number,
  };
}

/** Parts of a TLS configuration that HTTP has no options for. */
const WITHOUT_OPTIONS = { superUser: undefined, handshakeLimit: 0 } as const;

function superUserOf({ values }: Settings): string | undefined {
  return (values.get('X509AuthenticationProvider.superUser') as string | undefined) || undefined;
}

/**
 * HTTPS of the admin server, with the stores of TLS between servers as with Apache's; undefined for HTTP alone.
 * @throws ConfigError if it cannot work with these options
 */
export function adminHttpsConfig(settings: Settings, warnings: string[]): HttpsConfig | undefined {
  const { values } = settings;
  const b = (name: string): boolean => values.get(`admin.${name}`) === true;
  if (!b('enableServer') || (!b('forceHttps') && !b('portUnification'))) return undefined;
  const need = b('needClientAuth') ? 'need' : 'none';
  const rule: ClientAuthRule = { need, option: 'admin.needClientAuth', off: 'false' };
  return {
    tls: {
      ...common(settings, 'ssl.quorum.', 'HTTPS of the admin server', rule, warnings),
      ...WITHOUT_OPTIONS,
      superUser: superUserOf(settings),
      verifyClientHost: false,
      reload: values.get('sslQuorumReloadCertFiles') === true,
    },
    accepts: b('forceHttps') ? 'tls' : 'either',
  };
}

/** Likewise of the metrics: `metricsProvider.ssl.*`. */
export function metricsHttpsConfig(
  settings: Settings,
  warnings: string[],
): ({ readonly port: number } & HttpsConfig) | undefined {
  const { values } = settings;
  const port = values.get('metricsProvider.httpsPort') as number | undefined;
  if (port === undefined) return undefined;
  const b = (name: string): boolean => values.get(`metricsProvider.ssl.${name}`) === true;
  const need = b('need.client.auth') ? 'need' : b('want.client.auth') ? 'want' : 'none';
  const option = `metricsProvider.ssl.${need === 'need' ? 'need' : 'want'}.client.auth`;
  const rule: ClientAuthRule = { need, option, off: 'false' };
  return {
    port,
    tls: {
      ...common(settings, 'metricsProvider.ssl.', 'metrics over HTTPS', rule, warnings),
      ...WITHOUT_OPTIONS,
      verifyClientHost: false,
      reload: true, // as Apache's does
    },
    accepts: values.get('metricsProvider.httpPort') === port ? 'either' : 'tls',
  };
}

function ownRule({ values }: Settings, prefix: Prefix): ClientAuthRule {
  const need = (values.get(`${prefix}clientAuth`) ?? 'need') as ClientAuth;
  return { need, option: `${prefix}clientAuth`, off: 'none' };
}

function common(
  settings: Settings,
  prefix: Prefix,
  what: string,
  { need, option, off }: ClientAuthRule,
  warnings: string[],
): Omit<TlsConfig, 'reload' | 'superUser' | 'handshakeLimit'> {
  const { values } = settings;
  const b = (name: string): boolean => values.get(prefix + name) === true;
  const s = (name: string): string | undefined => (values.get(prefix + name) as string | undefined) || undefined;
  const fail = (option: string, what: string): ConfigError =>
    new ConfigError(`${settings.placeOf(prefix + option)}: ${what}`);
  const keyStore = store(settings, prefix, 'keyStore');
  if (keyStore === undefined)
    throw fail('keyStore.location', `${what} needs ${prefix}keyStore.location (a PEM, PKCS12 or JKS file)`);
  const trustStore = store(settings, prefix, 'trustStore');
  if (need !== 'none' && trustStore === undefined) {
    throw new ConfigError(
      `${settings.placeOf(option)}: ${option}=${String(settings.values.get(option))} needs ${prefix}trustStore.location, the authorities of the certificates; ${option}=${off} lets everybody in without one`,
    );
  }
  if (b('crl') || b('ocsp')) {
    throw fail(
      b('crl') ? 'crl' : 'ocsp',
      `${prefix}crl and ${prefix}ocsp: this server cannot ask whether certificates were revoked; use short-lived ones`,
    );
  }
  if (s('context.supplier.class') !== undefined) {
    throw fail(
      'context.supplier.class',
      `${prefix}context.supplier.class: a Java class cannot be loaded here; use ${prefix}keyStore and ${prefix}trustStore`,
    );
  }
  return {
    prefix,
    keyStore,
    trustStore,
    clientAuth: need,
    ...versions(settings, prefix, warnings),
    cipherSuites: list(s('ciphersuites')),
    verifyClientHost: b('hostnameVerification') && b('clientHostnameVerification'),
    reverseDns: b('allowReverseDnsLookup'),
  };
}

function store(
  { values, placeOf }: Settings,
  prefix: Prefix,
  name: 'keyStore' | 'trustStore',
): StoreConfig | undefined {
  const s = (option: string): string => String(values.get(`${prefix}${name}.${option}`) ?? '');
  const path = s('location');
  if (path === '') return undefined;
  const type = s('type').toUpperCase();
  if (type === 'BCFKS' || path.endsWith('.bcfks')) {
    throw new ConfigError(
      `${placeOf(`${prefix}${name}.location`)}: ${prefix}${name}.location=${path}: BCFKS files are not read; PEM, PKCS12 and JKS are. Convert it with: keytool -importkeystore -srckeystore ${path} -srcstoretype BCFKS -destkeystore ${name}.p12 -deststoretype PKCS12`,
    );
  }
  if (!['', 'JKS', 'PEM', 'PKCS12'].includes(type)) {
    throw new ConfigError(
      `${placeOf(`${prefix}${name}.type`)}: ${prefix}${name}.type=${type}: one of 'PEM', 'PKCS12', 'JKS' is expected`,
    );
  }
  const option = `${prefix}${name}.location`;
  return { option, path, password: s('password'), passwordPath: s('passwordPath') || undefined };
}

/** TLS 1.0 and 1.1 are not offered, whatever is asked for. */
function versions(
  settings: Settings,
  prefix: Prefix,
  warnings: string[],
): Pick<TlsConfig, 'minVersion' | 'maxVersion'> {
  const protocol = settings.values.get(`${prefix}protocol`);
  const enabled = list(settings.values.get(`${prefix}enabledProtocols`) as string | undefined);
  if (enabled.length === 0)
    return { minVersion: 'TLSv1.2', maxVersion: protocol === 'TLSv1.2' ? 'TLSv1.2' : 'TLSv1.3' };
  const offered = enabled.filter((version) => version === 'TLSv1.2' || version === 'TLSv1.3');
  const option = `${settings.placeOf(`${prefix}enabledProtocols`)}: ${prefix}enabledProtocols=${enabled.join(',')}`;
  if (offered.length === 0) throw new ConfigError(`${option}: only TLSv1.2 and TLSv1.3 are offered`);
  for (const version of enabled)
    if (!/^TLSv1\.[23]$/.test(version)) warnings.push(`${option}: ${version} is not offered`);
  return {
    minVersion: offered.includes('TLSv1.2') ? 'TLSv1.2' : 'TLSv1.3',
    maxVersion: offered.includes('TLSv1.3') ? 'TLSv1.3' : 'TLSv1.2',
  };
}

function list(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
