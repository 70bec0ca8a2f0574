// The server's configuration as one typed object.

import { isAbsolute, resolve } from 'node:path';
import { type ConnectionThrottleConfig, connectionThrottleConfig } from './connection-throttle.js';
import { type Ensemble, ensembleOf } from './ensemble.js';
import { ConfigError, readSettings, type Settings, type Sources } from './parse.js';
import { type QuorumAuthConfig, quorumAuthConfig, type SaslConfig, saslConfig } from './sasl.js';
import {
  adminHttpsConfig,
  type HttpsConfig,
  metricsHttpsConfig,
  type QuorumTlsConfig,
  quorumTlsConfig,
  type TlsConfig,
  tlsConfig,
  wantsTls,
} from './tls.js';

export { isWildcard, javaAddress } from '../quorum/java-address.js';
export type { Ensemble } from './ensemble.js';
export { environmentName, KEY_FAMILIES, KEYS, type Key, nearestKey } from './keys.js';
export { checkClientAddress, clientPlace, ownMember } from './own-member.js';
export { ConfigError, type Sources } from './parse.js';
export { parseProperties } from './properties.js';

/** When pauses of the process are told, in milliseconds. */
export interface PauseConfig {
  /** How often is looked. */
  readonly sleepTime: number;
  /** Longer pauses are told. */
  readonly infoThreshold: number;
  readonly warnThreshold: number;
}

/** Times in milliseconds, sizes in bytes unless the name says otherwise. */
export interface ServerConfig {
  /** Undefined if there is only a port with TLS. */
  readonly clientPort: number | undefined;
  readonly clientPortAddress: string | undefined;
  readonly secureClientPort: number | undefined;
  readonly secureClientPortAddress: string | undefined;
  /** Whether the client port takes TLS too. */
  readonly portUnification: boolean;
  /** Undefined if no port has TLS. */
  readonly tls: TlsConfig | undefined;
  readonly clientPortListenBacklog: number | undefined;
  readonly dataDir: string;
  readonly dataLogDir: string;
  readonly tickTime: number;
  readonly minSessionTimeout: number;
  readonly maxSessionTimeout: number;
  readonly maxClientCnxns: number;
  readonly maxCnxns: number;
  readonly globalOutstandingLimit: number;
  readonly juteMaxBuffer: number;
  /** Bytes of the largest log entry: of a request, and of what a transaction may have beside it (jute.maxbuffer.extrasize). */
  readonly maxEntry: number;
  readonly clientTcpKeepAlive: boolean;
  readonly sessionlessCnxnTimeout: number;
  readonly snapCount: number;
  readonly snapSizeLimit: number;
  readonly txnLogSizeLimit: number;
  readonly preAllocBytes: number;
  readonly forceSync: boolean;
  readonly fsyncWarningThreshold: number;
  readonly flushDelay: number;
  readonly maxWriteQueuePollTime: number;
  readonly maxBatchSize: number;
  readonly snapshotCompression: '' | 'gz' | 'snappy';
  readonly snapshotTrustEmpty: boolean;
  readonly serializeLastProcessedZxid: boolean;
  readonly digestEnabled: boolean;
  readonly dbAutocreate: boolean;
  readonly dataDirAutocreate: boolean;
  readonly closeSessionTxnEnabled: boolean;
  readonly snapRetainCount: number;
  readonly purgeIntervalHours: number;
  /** With TTL nodes of 3.5.3, too, or those of later versions only. */
  readonly extendedTypesEnabled: boolean | '3.5.3';
  readonly containerCheckInterval: number;
  readonly containerMaxPerMinute: number;
  readonly containerMaxNeverUsedInterval: number;
  readonly enforceQuota: boolean;
  readonly skipAcl: boolean;
  readonly superDigest: string | undefined;
  readonly digestAlg: string;
  readonly digestAuthEnabled: boolean;
  /** Undefined if no SASL login is configured. */
  readonly sasl: SaslConfig | undefined;
  /** Whose permissions every SASL user has. */
  readonly anySaslUser: string | undefined;
  /** Schemes of which a client must have an identity; empty if it need not. */
  readonly requiredSchemes: readonly string[];
  /** What clients may take this ensemble for, by scheme `ensemble`; null for anything, undefined if there is no such scheme. */
  readonly ensembleNames: ReadonlySet<string> | null | undefined;
  /** Schemes of further providers (sasl, x509 …). */
  readonly extraSchemes: readonly string[];
  readonly reconfigEnabled: boolean;
  /** Whether learners refuse what their own tree does not permit. */
  readonly eagerAclCheck: boolean;
  /** Whether connections with TLS are closed, before the handshake, while nothing is served. */
  readonly dropsHandshakesEarly: boolean;
  readonly requestThrottle: {
    readonly maxRequests: number;
    readonly stallTime: number;
    readonly dropStale: boolean;
    readonly staleConnectionCheck: boolean;
    readonly staleLatencyCheck: boolean;
    readonly throttledOpWaitTime: number;
  };
  /** Infinite for no large requests. */
  readonly largeRequestThreshold: number;
  readonly largeRequestMaxBytes: number;
  readonly connectionThrottle: ConnectionThrottleConfig;
  readonly fourLetterWords: readonly string[];
  readonly admin: {
    readonly enabled: boolean;
    readonly address: string;
    readonly port: number;
    readonly commandUrl: string;
    readonly idleTimeout: number;
    readonly snapshotEnabled: boolean;
    readonly restoreEnabled: boolean;
    readonly rateLimiterInterval: number;
    /** Whether a proxy's word is taken for the address that a request comes from. */
    readonly forwardedFor: boolean;
    /** Undefined for HTTP alone. */
    readonly https: HttpsConfig | undefined;
  };
  /** Undefined if pauses are not looked for. */
  readonly pauseMonitor: PauseConfig | undefined;
  /** Undefined unless the Prometheus provider is chosen. */
  readonly prometheus:
    | {
        readonly host: string;
        /** Undefined for HTTPS alone. */
        readonly port: number | undefined;
        readonly https: ({ readonly port: number } & HttpsConfig) | undefined;
        readonly exportProcess: boolean;
      }
    | undefined;
  readonly auditEnabled: boolean;
  /** Undefined for a standalone server. */
  readonly ensemble: Ensemble | undefined;
  /** TLS between servers; undefined for none. */
  readonly quorumTls: QuorumTlsConfig | undefined;
  /** How servers prove to each other who they are; undefined if they need not. */
  readonly quorumAuth: QuorumAuthConfig | undefined;
  /** zoo.cfg as it was read. */
  readonly text: string;
  readonly path: string | undefined;
  readonly warnings: readonly string[];
}

/**
 * Reads the configuration from all sources.
 * @throws ConfigError with place, key and what is allowed
 */
export function loadConfig(sources: Sources = {}): ServerConfig {
  return build(readSettings(sources), sources.file === undefined);
}

/** Where an embedded server keeps its data, and where it listens. */
const EMBEDDED = { dataDir: 'data', clientPort: 2181 } as const;

function build(settings: Settings, embedded: boolean): ServerConfig {
  const { values, placeOf } = settings;
  const warnings = [...settings.warnings];
  const n = (name: string): number => values.get(name) as number;
  const b = (name: string): boolean => values.get(name) as boolean;
  const s = (name: string): string | undefined => values.get(name) as string | undefined;
  const where = settings.path ?? 'configuration';

  const schemes: string[] = [];
  let ensembleNames: ReadonlySet<string> | null | undefined;
  for (const [name, value] of settings.families) {
    if (name.startsWith('authProvider.')) {
      if (value.endsWith('SASLAuthenticationProvider')) schemes.push('sasl');
      else if (value.endsWith('X509AuthenticationProvider')) schemes.push('x509');
      else if (value.endsWith('EnsembleAuthenticationProvider')) ensembleNames = namesOf(s('ensembleAuthName'));
      else
        warnings.push(
          `${placeOf(name)}: ${name}=${value}: a Java class cannot be loaded here; its scheme is not available`,
        );
    }
  }
  const { ensemble, only } = ensembleOf(settings);
  const dataDir = s('dataDir') ?? (embedded ? EMBEDDED.dataDir : undefined);
  if (dataDir === undefined) throw missing(settings, `${where}: dataDir is not set. Add dataDir=<path>`);
  for (const name of ['dataDir', 'dataLogDir']) {
    const path = s(name);
    const place = settings.placeOf(name);
    if (path === undefined || isAbsolute(path) || path.startsWith('.') || !place.startsWith(`${settings.path}:`))
      continue;
    warnings.push(
      `${place}: ${name}=${path} is ${resolve(path)} for a server started from this directory, and another one for a server started elsewhere. Give the whole path, or ./${path} if that is meant`,
    );
  }
  const secureClientPort = values.get('secureClientPort') as number | undefined;
  const clientPort =
    values.get('clientPort') ??
    only?.port ??
    (embedded && secureClientPort === undefined ? EMBEDDED.clientPort : undefined);
  for (const name of ['clientPort', 'secureClientPort'])
    if (values.has(`${name}Address`) && !values.has(name) && !embedded)
      throw new ConfigError(
        `${placeOf(`${name}Address`)}: ${name}Address is set, but ${name} is not. Add ${name}=<port>`,
      );
  if (clientPort === undefined && secureClientPort === undefined && ensemble?.clientAddresses !== true)
    throw missing(settings, `${where}: clientPort is not set. Add clientPort=2181`);
  const sasl = saslConfig(settings);
  const tls = wantsTls(settings) ? tlsConfig(settings, warnings) : undefined;
  if (tls !== undefined && !schemes.includes('x509')) schemes.push('x509');
  const tickTime = n('tickTime');
  const min = n('minSessionTimeout') === -1 ? 2 * tickTime : n('minSessionTimeout');
  const max = n('maxSessionTimeout') === -1 ? 20 * tickTime : n('maxSessionTimeout');
  if (min > max)
    throw new ConfigError(
      `${placeOf(n('minSessionTimeout') === -1 ? 'maxSessionTimeout' : 'minSessionTimeout')}: minSessionTimeout (${min}) must not be larger than maxSessionTimeout (${max})`,
    );
  const requiredSchemes = requiredAuth(settings, schemes);
  let snapRetainCount = n('autopurge.snapRetainCount');
  if (snapRetainCount < 3) {
    warnings.push(`${placeOf('autopurge.snapRetainCount')}: autopurge.snapRetainCount=${snapRetainCount}: 3 are kept`);
    snapRetainCount = 3;
  }
  let snapCount = n('snapCount');
  if (snapCount < 2) {
    warnings.push(`${placeOf('snapCount')}: snapCount=${snapCount}: 2 is the least, and taken`);
    snapCount = 2;
  }
  const extra = n('jute.maxbuffer.extrasize');
  const backlog = n('clientPortListenBacklog');
  const address = s('clientPortAddress') ?? (only === undefined || only.host === '0.0.0.0' ? undefined : only.host);
  return Object.freeze({
    clientPort: clientPort as number | undefined,
    clientPortAddress: address,
    secureClientPort,
    secureClientPortAddress: s('secureClientPortAddress'),
    portUnification: b('client.portUnification'),
    tls,
    clientPortListenBacklog: backlog < 1 ? undefined : backlog,
    dataDir,
    dataLogDir: s('dataLogDir') ?? dataDir,
    tickTime,
    minSessionTimeout: min,
    maxSessionTimeout: max,
    maxClientCnxns: n('maxClientCnxns'),
    maxCnxns: n('maxCnxns'),
    globalOutstandingLimit: n('globalOutstandingLimit'),
    juteMaxBuffer: n('jute.maxbuffer'),
    maxEntry: n('jute.maxbuffer') + (extra === -1 ? n('jute.maxbuffer') : Math.max(extra, 1024)),
    clientTcpKeepAlive: b('clientTcpKeepAlive'),
    sessionlessCnxnTimeout: n('nio.sessionlessCnxnTimeout'),
    snapCount,
    snapSizeLimit: n('snapSizeLimitInKb') * 1024,
    txnLogSizeLimit: n('txnLogSizeLimitInKb') * 1024,
    preAllocBytes: n('preAllocSize') * 1024,
    forceSync: s('forceSync') !== 'no',
    fsyncWarningThreshold: n('fsync.warningthresholdms'),
    flushDelay: n('flushDelay'),
    maxWriteQueuePollTime: n('maxWriteQueuePollTime') < 0 ? n('flushDelay') / 3 : n('maxWriteQueuePollTime'),
    maxBatchSize: n('maxBatchSize'),
    snapshotCompression: s('snapshot.compression.method') as ServerConfig['snapshotCompression'],
    snapshotTrustEmpty: b('snapshot.trust.empty'),
    serializeLastProcessedZxid: b('serializeLastProcessedZxid.enabled'),
    digestEnabled: b('digest.enabled'),
    dbAutocreate: b('db.autocreate'),
    dataDirAutocreate: b('datadir.autocreate'),
    closeSessionTxnEnabled: b('closeSessionTxn.enabled'),
    snapRetainCount,
    purgeIntervalHours: n('autopurge.purgeInterval'),
    extendedTypesEnabled: b('extendedTypesEnabled') && b('emulate353TTLNodes') ? '3.5.3' : b('extendedTypesEnabled'),
    containerCheckInterval: n('znode.container.checkIntervalMs'),
    containerMaxPerMinute: n('znode.container.maxPerMinute'),
    containerMaxNeverUsedInterval: n('znode.container.maxNeverUsedIntervalMs'),
    enforceQuota: b('enforceQuota'),
    skipAcl: s('skipACL') === 'yes',
    superDigest: s('DigestAuthenticationProvider.superDigest'),
    digestAlg: s('DigestAuthenticationProvider.digestAlg') ?? 'SHA1',
    digestAuthEnabled: b('DigestAuthenticationProvider.enabled'),
    sasl,
    ensembleNames,
    anySaslUser: s('letAnySaslUserDoX'),
    requiredSchemes,
    extraSchemes: schemes,
    reconfigEnabled: b('reconfigEnabled'),
    eagerAclCheck: b('enableEagerACLCheck'),
    dropsHandshakesEarly: b('netty.server.earlyDropSecureConnectionHandshakes'),
    requestThrottle: {
      maxRequests: n('request_throttle_max_requests'),
      stallTime: n('request_throttle_stall_time'),
      dropStale: b('request_throttle_drop_stale'),
      staleConnectionCheck: b('request_stale_connection_check'),
      staleLatencyCheck: b('request_stale_latency_check'),
      throttledOpWaitTime: n('throttled_op_wait_time'),
    },
    largeRequestThreshold: n('largeRequestThreshold') > 0 ? n('largeRequestThreshold') : Number.POSITIVE_INFINITY,
    largeRequestMaxBytes: n('largeRequestMaxBytes'),
    connectionThrottle: connectionThrottleConfig(settings, ensemble?.localSessions === true),
    fourLetterWords: [
      ...(s('4lw.commands.whitelist') ?? '')
        .split(',')
        .map((word) => word.trim())
        .filter((word) => word !== ''),
      // Clients of a server without quorum look for one that takes writes with it.
      ...(b('readonlymode.enabled') ? ['isro'] : []),
    ],
    admin: {
      enabled: b('admin.enableServer'),
      address: s('admin.serverAddress') ?? '0.0.0.0',
      port: n('admin.serverPort'),
      commandUrl: s('admin.commandURL') ?? '/commands',
      idleTimeout: n('admin.idleTimeout'),
      snapshotEnabled: b('admin.snapshot.enabled'),
      restoreEnabled: b('admin.restore.enabled'),
      rateLimiterInterval: n('admin.rateLimiterIntervalInMS'),
      https: adminHttpsConfig(settings, warnings),
      forwardedFor: b('IPAuthenticationProvider.usexforwardedfor'),
    },
    pauseMonitor: b('jvm.pause.monitor')
      ? {
          sleepTime: n('jvm.pause.sleep.time.ms'),
          infoThreshold: n('jvm.pause.info-threshold.ms'),
          warnThreshold: n('jvm.pause.warn-threshold.ms'),
        }
      : undefined,
    prometheus: wantsPrometheus(settings)
      ? {
          host: s('metricsProvider.httpHost') ?? '0.0.0.0',
          port: metricsPort(settings),
          https: metricsHttpsConfig(settings, warnings),
          exportProcess: b('metricsProvider.exportJvmInfo'),
        }
      : undefined,
    auditEnabled: b('audit.enable'),
    ensemble,
    quorumAuth: ensemble === undefined ? undefined : quorumAuthConfig(settings),
    quorumTls: ensemble === undefined ? undefined : quorumTlsConfig(settings, warnings),
    text: settings.text,
    path: settings.path,
    warnings,
  });
}

/** With the warnings: an option that is not known may be the one that is missing. */
function missing({ warnings }: Settings, message: string): ConfigError {
  return new ConfigError([message, ...warnings].join('\n'));
}

/** Apache's servers up to 3.9 have it at 7000; later ones have none where there is one with TLS. */
function metricsPort({ values }: Settings): number | undefined {
  const port = values.get('metricsProvider.httpPort') as number | undefined;
  return port ?? (values.has('metricsProvider.httpsPort') ? undefined : 7000);
}

function namesOf(text: string | undefined): ReadonlySet<string> | null {
  return text === undefined ? null : new Set(text.split(',').map((name) => name.trim()));
}

const METRICS_PROVIDERS = [
  'org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider',
  'org.apache.zookeeper.metrics.impl.DefaultMetricsProvider',
  'org.apache.zookeeper.metrics.impl.NullMetricsProvider',
] as const;

function wantsPrometheus({ values, placeOf }: Settings): boolean {
  const name = String(values.get('metricsProvider.className'));
  const known = METRICS_PROVIDERS.find((provider) => provider.split('.').at(-1) === name.split('.').at(-1));
  if (known !== undefined) return known === METRICS_PROVIDERS[0];
  throw new ConfigError(
    `${placeOf('metricsProvider.className')}: metricsProvider.className=${name}: one of ${METRICS_PROVIDERS.join(', ')} is expected`,
  );
}

function requiredAuth(settings: Settings, extra: readonly string[]): string[] {
  const { values } = settings;
  const sasl = values.get('sessionRequireClientSASLAuth') === true;
  const where = settings.placeOf(sasl ? 'sessionRequireClientSASLAuth' : 'enforce.auth.enabled');
  if (!sasl && values.get('enforce.auth.enabled') !== true) return [];
  const schemes = (sasl ? 'sasl' : String(values.get('enforce.auth.schemes') ?? ''))
    .split(',')
    .map((x) => x.trim())
    .filter((x) => x !== '');
  if (schemes.length === 0) throw new ConfigError(`${where}: enforce.auth.enabled=true needs enforce.auth.schemes`);
  const there = ['ip', ...(values.get('DigestAuthenticationProvider.enabled') === true ? ['digest'] : []), ...extra];
  for (const scheme of schemes) {
    if (there.includes(scheme)) continue;
    const remedy = {
      sasl: 'add authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider',
      x509: 'add secureClientPort',
    }[scheme];
    throw new ConfigError(
      `${where}: clients are required to use scheme ${scheme}, which is not there${remedy === undefined ? '' : `; ${remedy}`}`,
    );
  }
  return schemes;
}
