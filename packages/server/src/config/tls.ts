// What the ssl.* options say about TLS on the client port.

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

/** Whether a port with TLS is asked for. */
export function wantsTls({ values }: Settings): boolean {
  return values.has('secureClientPort') || values.get('client.portUnification') === true;
}

/** @throws ConfigError if a port with TLS cannot work with these options */
export function tlsConfig(settings: Settings, where: string, warnings: string[]): TlsConfig {
  const { values } = settings;
  const b = (name: string): boolean => values.get(name) === true;
  const s = (name: string): string | undefined => (values.get(name) as string | undefined) || undefined;
  const fail = (what: string): ConfigError => new ConfigError(`${where}: ${what}`);

  const keyStore = store(settings, 'keyStore', where);
  if (keyStore === undefined) throw fail('a client port with TLS needs ssl.keyStore.location (a PEM or PKCS12 file)');
  const trustStore = store(settings, 'trustStore', where);
  const clientAuth = (s('ssl.clientAuth') ?? 'need').toLowerCase();
  if (clientAuth !== 'none' && clientAuth !== 'want' && clientAuth !== 'need') {
    throw fail(`ssl.clientAuth=${clientAuth}: one of 'none', 'want', 'need' is expected`);
  }
  if (clientAuth !== 'none' && trustStore === undefined) {
    throw fail(
      `ssl.clientAuth=${clientAuth} needs ssl.trustStore.location, the authorities of client certificates; ssl.clientAuth=none lets clients in without one`,
    );
  }
  if (b('ssl.crl') || b('ssl.ocsp')) {
    throw fail('ssl.crl and ssl.ocsp: this server cannot ask whether certificates were revoked; use short-lived ones');
  }
  if (s('ssl.context.supplier.class') !== undefined) {
    throw fail('ssl.context.supplier.class: a Java class cannot be loaded here; use ssl.keyStore and ssl.trustStore');
  }
  const scheme = s('ssl.authProvider') ?? 'x509';
  if (scheme !== 'x509') throw fail(`ssl.authProvider=${scheme}: there is no provider of that name, only 'x509'`);
  return {
    keyStore,
    trustStore,
    clientAuth,
    ...versions(settings, where, warnings),
    cipherSuites: list(s('ssl.ciphersuites')),
    verifyClientHost: b('ssl.hostnameVerification') && b('ssl.clientHostnameVerification'),
    reverseDns: b('ssl.allowReverseDnsLookup'),
    reload: b('client.certReload'),
    superUser: s('X509AuthenticationProvider.superUser'),
    handshakeLimit: values.get('netty.server.outstandingHandshake.limit') as number,
  };
}

function store({ values }: Settings, name: 'keyStore' | 'trustStore', where: string): StoreConfig | undefined {
  const s = (option: string): string => String(values.get(`ssl.${name}.${option}`) ?? '');
  const path = s('location');
  if (path === '') return undefined;
  const type = s('type').toUpperCase();
  if (type === 'BCFKS' || path.endsWith('.bcfks')) {
    throw new ConfigError(
      `${where}: ssl.${name}.location=${path}: BCFKS files are not read; PEM and PKCS12 are. Convert it with: keytool -importkeystore -srckeystore ${path} -srcstoretype BCFKS -destkeystore ${name}.p12 -deststoretype PKCS12`,
    );
  }
  if (!['', 'JKS', 'PEM', 'PKCS12'].includes(type)) {
    throw new ConfigError(`${where}: ssl.${name}.type=${type}: one of 'PEM', 'PKCS12' is expected`);
  }
  return { path, password: s('password'), passwordPath: s('passwordPath') || undefined };
}

/** TLS 1.0 and 1.1 are not offered, whatever is asked for. */
function versions(settings: Settings, where: string, warnings: string[]): Pick<TlsConfig, 'minVersion' | 'maxVersion'> {
  const protocol = settings.values.get('ssl.protocol');
  const enabled = list(settings.values.get('ssl.enabledProtocols') as string | undefined);
  if (enabled.length === 0)
    return { minVersion: 'TLSv1.2', maxVersion: protocol === 'TLSv1.2' ? 'TLSv1.2' : 'TLSv1.3' };
  const offered = enabled.filter((version) => version === 'TLSv1.2' || version === 'TLSv1.3');
  const option = `${where}: ssl.enabledProtocols=${enabled.join(',')}`;
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
