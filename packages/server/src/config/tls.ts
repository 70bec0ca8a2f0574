// What the ssl.* options say about TLS on the client port, and the ssl.quorum.* options about TLS between servers.

import { ConfigError, type Settings } from './parse.js';

export interface StoreConfig {
  readonly path: string;
  readonly password: string;
  readonly passwordPath: string | undefined;
}

export interface TlsConfig {
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

type Prefix = 'ssl.' | 'ssl.quorum.';

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
    ...common(settings, 'ssl.', warnings),
    reload: values.get('client.certReload') === true,
    superUser: (values.get('X509AuthenticationProvider.superUser') as string | undefined) || undefined,
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
      ...common(settings, 'ssl.quorum.', warnings),
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

function common(
  settings: Settings,
  prefix: Prefix,
  warnings: string[],
): Omit<TlsConfig, 'reload' | 'superUser' | 'handshakeLimit'> {
  const { values } = settings;
  const b = (name: string): boolean => values.get(prefix + name) === true;
  const s = (name: string): string | undefined => (values.get(prefix + name) as string | undefined) || undefined;
  const fail = (option: string, what: string): ConfigError =>
    new ConfigError(`${settings.placeOf(prefix + option)}: ${what}`);
  const what = prefix === 'ssl.' ? 'a client port with TLS' : 'TLS between servers';

  const keyStore = store(settings, prefix, 'keyStore');
  if (keyStore === undefined)
    throw fail('keyStore.location', `${what} needs ${prefix}keyStore.location (a PEM, PKCS12 or JKS file)`);
  const trustStore = store(settings, prefix, 'trustStore');
  const clientAuth = (s('clientAuth') ?? 'need') as TlsConfig['clientAuth'];
  if (clientAuth !== 'none' && trustStore === undefined) {
    throw fail(
      'clientAuth',
      `${prefix}clientAuth=${clientAuth} needs ${prefix}trustStore.location, the authorities of the certificates; ${prefix}clientAuth=none lets everybody in without one`,
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
    keyStore,
    trustStore,
    clientAuth,
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
  return { path, password: s('password'), passwordPath: s('passwordPath') || undefined };
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
