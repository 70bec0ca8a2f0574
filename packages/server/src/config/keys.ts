// Every option Apache ZooKeeper documents, in one table: what it is called, what it may be, what it is by default, what it does
// here. docs/configuration.md is made from it.

import { LARGEST_MAX_LENGTH } from '@nodekeeper/protocol';

export type KeyType = 'int' | 'bool' | 'yesno' | 'text' | 'host' | 'path' | 'port' | 'ratio';

export interface Key {
  /** As in zoo.cfg. */
  readonly name: string;
  readonly type: KeyType;
  readonly default: number | boolean | string | undefined;
  /** Smallest and largest value of a number. */
  readonly min?: number;
  readonly max?: number;
  readonly choices?: readonly string[];
  readonly unit?: string;
  readonly meaning: string;
  /** `ignored`: accepted so that existing files work, without effect in this server. */
  readonly effect: 'honoured' | 'ignored';
  /** The Java system property, where it is not `zookeeper.` and the name. */
  readonly property?: string;
}

type Extra = Partial<Omit<Key, 'name' | 'type' | 'default' | 'meaning'>>;

const key = (name: string, type: KeyType, fallback: Key['default'], meaning: string, extra: Extra = {}): Key => ({
  name,
  type,
  default: fallback,
  meaning,
  effect: 'honoured',
  ...extra,
});

const ignored: Extra = { effect: 'ignored' };
/** Java's. */
const LARGEST_INT = 2 ** 31 - 1;
const ms: Extra = { unit: 'ms', min: 0 };

export const KEYS: readonly Key[] = [
  // where and how it listens
  key('clientPort', 'port', undefined, 'Port for clients; 0 in zoo.cfg for none, as a flag for any that is free.'),
  key('clientPortAddress', 'host', undefined, 'Address to listen on for clients; all if not set.'),
  key('secureClientPort', 'port', undefined, 'Port for clients over TLS; 0 likewise.'),
  key('secureClientPortAddress', 'host', undefined, 'Address to listen on for clients over TLS; all if not set.'),
  key('client.portUnification', 'bool', false, 'Whether clientPort takes TLS too.'),
  key(
    'clientPortListenBacklog',
    'int',
    -1,
    'Connections the system queues before they are accepted; 0 or less leaves it to the system.',
  ),
  key('tickTime', 'int', 3000, 'The unit of time: session deadlines are rounded to it.', {
    unit: 'ms',
    min: 1,
    max: Math.floor(LARGEST_INT / 20),
  }),
  key('minSessionTimeout', 'int', -1, 'Shortest session timeout granted; -1 for 2 ticks.', {
    unit: 'ms',
    min: -1,
    max: LARGEST_INT,
  }),
  key('maxSessionTimeout', 'int', -1, 'Longest session timeout granted; -1 for 20 ticks.', {
    unit: 'ms',
    min: -1,
    max: LARGEST_INT,
  }),
  key('maxClientCnxns', 'int', 60, 'Connections from one address; 0 or less for no limit.'),
  key('maxCnxns', 'int', 0, 'Connections in all; 0 for as many as the process may open files for.', { min: 0 }),
  key(
    'globalOutstandingLimit',
    'int',
    1000,
    'Requests in work beyond which connections with a request in work are not read.',
    { min: 1 },
  ),
  key('jute.maxbuffer', 'int', 0xfffff, 'Largest request.', {
    unit: 'bytes',
    min: 1,
    max: LARGEST_MAX_LENGTH,
    property: 'jute.maxbuffer',
  }),
  key(
    'jute.maxbuffer.extrasize',
    'int',
    -1,
    'How much larger than jute.maxbuffer a log entry may be; -1 for as much again.',
    { unit: 'bytes', min: -1 },
  ),
  key('clientTcpKeepAlive', 'bool', false, 'Whether the system probes idle client connections.'),
  key('nio.sessionlessCnxnTimeout', 'int', 10000, 'How long a connection may be without a session.', ms),
  key('nio.numSelectorThreads', 'int', undefined, 'Threads of the Java server.', ignored),
  key('nio.numWorkerThreads', 'int', undefined, 'Threads of the Java server.', ignored),
  key('nio.directBufferBytes', 'int', 65536, 'Buffers of the Java server.', ignored),
  key('nio.shutdownTimeout', 'int', 5000, 'Threads of the Java server.', ignored),
  key('serverCnxnFactory', 'text', undefined, 'Network layer of the Java server.', ignored),
  key('netty.advancedFlowControl.enabled', 'bool', false, 'Network layer of the Java server.', ignored),
  key(
    'netty.server.outstandingHandshake.limit',
    'int',
    -1,
    'TLS handshakes under way at once, beyond which connections are refused; -1 for no limit.',
  ),
  key(
    'netty.server.earlyDropSecureConnectionHandshakes',
    'bool',
    false,
    'Whether connections to secureClientPort are closed before the handshake while nothing is served.',
  ),
  // TLS for clients
  key('ssl.keyStore.location', 'path', undefined, "The server's key and certificates: a PEM, PKCS12 or JKS file."),
  key('ssl.keyStore.password', 'text', undefined, 'Its password.'),
  key('ssl.keyStore.passwordPath', 'path', undefined, 'File that holds its password.'),
  key('ssl.keyStore.type', 'text', undefined, 'PEM, PKCS12 or JKS; the file itself shows which it is.'),
  key('ssl.trustStore.location', 'path', undefined, 'Authorities of client certificates: a PEM, PKCS12 or JKS file.'),
  key('ssl.trustStore.password', 'text', undefined, 'Its password.'),
  key('ssl.trustStore.passwordPath', 'path', undefined, 'File that holds its password.'),
  key('ssl.trustStore.type', 'text', undefined, 'PEM, PKCS12 or JKS; the file itself shows which it is.'),
  key('ssl.clientAuth', 'text', 'need', 'Whether clients show a certificate. One that is shown must be trusted.', {
    choices: ['none', 'want', 'need'],
  }),
  key('ssl.protocol', 'text', undefined, 'With TLSv1.2, TLS 1.3 is not offered.'),
  key('ssl.enabledProtocols', 'text', undefined, 'TLSv1.2, TLSv1.3 or both, separated by commas; both if not set.'),
  key('ssl.ciphersuites', 'text', undefined, "Cipher suites by Java's or OpenSSL's names, separated by commas."),
  key('ssl.hostnameVerification', 'bool', true, 'With false, ssl.clientHostnameVerification is off too.'),
  key('ssl.clientHostnameVerification', 'bool', false, "Whether a client's certificate must name its address."),
  key(
    'ssl.allowReverseDnsLookup',
    'bool',
    false,
    'Whether the names the DNS or /etc/hosts has for the address count then.',
  ),
  key('ssl.authProvider', 'text', 'x509', 'Scheme of TLS clients; there is only this one.'),
  key('ssl.crl', 'bool', false, 'Revoked certificates: true stops the start.'),
  key('ssl.ocsp', 'bool', false, 'Revoked certificates: true stops the start.'),
  key('ssl.context.supplier.class', 'text', undefined, 'A Java class: stops the start.'),
  key('ssl.handshakeDetectionTimeoutMillis', 'int', 5000, 'TLS in the Java server.', { ...ignored, unit: 'ms' }),
  key('ssl.sslProvider', 'text', undefined, 'TLS in the Java server.', ignored),
  key('client.certReload', 'bool', false, 'Whether key and trust store are read again when their files change.'),
  // storage
  key('dataDir', 'path', undefined, 'Directory of snapshots, of myid and, unless dataLogDir is set, of logs.'),
  key('dataLogDir', 'path', undefined, 'Directory of transaction logs.'),
  key(
    'snapCount',
    'int',
    100000,
    'Transactions between snapshots: from half of it to all of it, at random. At least 2 are taken.',
  ),
  key('snapSizeLimitInKb', 'int', 4194304, 'Log size between snapshots, likewise; 0 or less for no limit.', {
    unit: 'KB',
  }),
  key('txnLogSizeLimitInKb', 'int', -1, 'Size above which a new log is begun; -1 for no limit.', {
    unit: 'KB',
    min: -1,
  }),
  key('preAllocSize', 'int', 65536, 'By how much a log grows ahead of need; 0 for not at all.', {
    unit: 'KB',
    min: 0,
    max: 2 ** 30,
  }),
  key(
    'forceSync',
    'yesno',
    'yes',
    'Whether writes are on disk before they are acknowledged. `no` can lose acknowledged writes.',
    { property: 'zookeeper.forceSync' },
  ),
  key('fsync.warningthresholdms', 'int', 1000, 'A sync slower than this is logged.', {
    ...ms,
    property: 'fsync.warningthresholdms',
  }),
  key('flushDelay', 'int', 0, 'How long to gather writes for one sync; 0 for no waiting.', ms),
  key('maxWriteQueuePollTime', 'int', -1, 'Time without a write that ends such a wait; -1 for a third of it.', {
    unit: 'ms',
    min: -1,
  }),
  key('maxBatchSize', 'int', 1000, 'Writes that end such a wait.', { min: 1 }),
  key('snapshot.compression.method', 'text', '', 'Compression of snapshots.', { choices: ['', 'gz', 'snappy'] }),
  key('snapshot.trust.empty', 'bool', false, 'Start from logs without a snapshot, once, when upgrading from 3.4.'),
  key(
    'serializeLastProcessedZxid.enabled',
    'bool',
    true,
    'Whether snapshots carry their last zxid; the snapshot and restore commands need it.',
  ),
  key('digest.enabled', 'bool', true, 'Whether transactions and snapshots carry a digest of the tree.'),
  key('db.autocreate', 'bool', true, 'Whether an empty database may be used without an `initialize` file.'),
  key('datadir.autocreate', 'bool', true, 'Whether missing data directories are created.'),
  key('closeSessionTxn.enabled', 'bool', true, 'Whether closing a session lists its ephemerals in the log.'),
  key('autopurge.snapRetainCount', 'int', 3, 'Snapshots that purging keeps, at least 3.'),
  key('autopurge.purgeInterval', 'int', 0, 'Hours between purges; 0 or less for never.', { unit: 'hours' }),
  key(
    'snapshotSizeFactor',
    'ratio',
    0.33,
    'How much log, in snapshots, is read to bring a learner up to date; -1 for none.',
    {
      min: -1,
    },
  ),
  key('forceSnapshotSync', 'bool', false, 'Whether every learner is brought up to date by a snapshot; for tests.'),
  key('commitLogCount', 'int', 500, 'Transactions kept in memory for learners.'),
  // nodes
  key(
    'extendedTypesEnabled',
    'bool',
    false,
    'Whether TTL nodes can be created. Where it is off, those that are there stay.',
  ),
  key('emulate353TTLNodes', 'bool', false, 'With extendedTypesEnabled: TTL nodes of 3.5.3 are ones, too.'),
  key(
    'znode.container.checkIntervalMs',
    'int',
    60000,
    'How often empty containers and outlived TTL nodes are looked for.',
    { unit: 'ms', min: 1, property: 'znode.container.checkIntervalMs' },
  ),
  key('znode.container.maxPerMinute', 'int', 10000, 'How many of them are deleted per minute.', {
    min: 1,
    property: 'znode.container.maxPerMinute',
  }),
  key(
    'znode.container.maxNeverUsedIntervalMs',
    'int',
    0,
    'After how long a container that never had children goes; 0 for never.',
    { ...ms, property: 'znode.container.maxNeverUsedIntervalMs' },
  ),
  key('enforceQuota', 'bool', false, 'Whether hard quotas are enforced.'),
  // access
  key('skipACL', 'yesno', 'no', 'Switches permission checks off.'),
  key('DigestAuthenticationProvider.superDigest', 'text', undefined, 'user:hash of the superuser.'),
  key('DigestAuthenticationProvider.digestAlg', 'text', 'SHA1', 'Hash of the digest scheme.', {
    choices: ['SHA1', 'SHA-256', 'SHA3-256', 'SHA-512'],
  }),
  key('DigestAuthenticationProvider.enabled', 'bool', true, 'Whether the digest scheme is there.'),
  key('enforce.auth.enabled', 'bool', false, 'Whether clients must authenticate.'),
  key('enforce.auth.schemes', 'text', undefined, 'The schemes, one of which they must use, separated by commas.'),
  key('sessionRequireClientSASLAuth', 'bool', false, 'The same with scheme sasl.'),
  key(
    'java.security.auth.login.config',
    'path',
    undefined,
    'JAAS file whose section has the users of SASL DIGEST-MD5, `user_<name>="<password>"`, or the keytab and principal of this server for Kerberos.',
    { property: 'java.security.auth.login.config' },
  ),
  key('sasl.serverconfig', 'text', 'Server', 'Name of that section.'),
  key(
    'SASLAuthenticationProvider.superPassword',
    'text',
    undefined,
    'Password of the SASL user `super`, if there is one.',
  ),
  key('allowSaslFailedClients', 'bool', false, 'Whether clients go on, without an identity, after SASL failed.'),
  key('letAnySaslUserDoX', 'text', undefined, 'Whose permissions in ACLs every SASL user has.'),
  key('kerberos.removeHostFromPrincipal', 'bool', false, 'Whether names of Kerberos clients in ACLs lack the host.'),
  key('kerberos.removeRealmFromPrincipal', 'bool', false, 'Whether they lack the realm.'),
  key(
    'security.auth_to_local',
    'text',
    'DEFAULT',
    'Rules that make such names: `DEFAULT`, `RULE:[1:$1@$0](.*@EXAMPLE)s/@.*//`, one behind the other.',
  ),
  key('java.security.krb5.conf', 'path', undefined, 'krb5.conf; otherwise that of KRB5_CONFIG, or /etc/krb5.conf.', {
    property: 'java.security.krb5.conf',
  }),
  key('java.security.krb5.realm', 'text', undefined, 'Default realm, if not the one of krb5.conf.', {
    property: 'java.security.krb5.realm',
  }),
  key('superUser', 'text', undefined, 'SASL user that may do everything.'),
  key(
    'requireClientAuthScheme',
    'text',
    undefined,
    'Named in guides, but has no effect in the Java server either; sessionRequireClientSASLAuth has.',
    ignored,
  ),
  key('jaasLoginRenew', 'int', 3600000, 'Keytabs need no renewal here.', ignored),
  key('X509AuthenticationProvider.superUser', 'text', undefined, 'Certificate subject of the superuser.'),
  key(
    'IPAuthenticationProvider.usexforwardedfor',
    'bool',
    false,
    'Whether X-Forwarded-For says where admin requests come from: only behind a proxy that writes it, anybody else can.',
  ),
  key(
    'ensembleAuthName',
    'text',
    undefined,
    'Names of this ensemble, separated by commas: clients that tell another (scheme ensemble) are turned away. Needs authProvider.1=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider.',
  ),
  key('enableEagerACLCheck', 'bool', false, 'Whether followers and observers check ACLs before they forward a write.'),
  // throttling
  key('largeRequestThreshold', 'int', -1, 'Requests longer than this count as large; -1 for none.', { unit: 'bytes' }),
  key(
    'largeRequestMaxBytes',
    'int',
    104857600,
    'Bytes of large requests in work beyond which the connection of a further one is closed.',
    { unit: 'bytes', min: 1 },
  ),
  key('request_throttle_max_requests', 'int', 0, 'Requests in work beyond which further ones wait; 0 for no limit.', {
    min: 0,
  }),
  key('request_throttle_stall_time', 'int', 100, 'How often the oldest of them is looked at, at least.', {
    unit: 'ms',
    min: 1,
  }),
  key(
    'request_throttle_drop_stale',
    'bool',
    true,
    'Whether a waiting request that is stale is dropped, and its connection closed.',
  ),
  key('request_stale_connection_check', 'bool', true, 'Whether a request is stale when its connection has ended.'),
  key(
    'request_stale_latency_check',
    'bool',
    false,
    "Whether a request is stale when it is older than its session's timeout.",
  ),
  key('throttled_op_wait_time', 'int', 0, 'Requests that waited longer are refused; 0 for none.', {
    unit: 'ms',
    min: 0,
  }),
  key('request_throttler.shutdownTimeout', 'int', 10000, 'A stop has no queue to wait for.', {
    ...ignored,
    unit: 'ms',
  }),
  key('connection_throttle_tokens', 'int', 0, 'Tokens for connecting; 0 for no throttle.', { min: 0 }),
  key('connection_throttle_fill_time', 'int', 1, 'After how long tokens come back.', { unit: 'ms', min: 1 }),
  key('connection_throttle_fill_count', 'int', 1, 'How many come back.', { min: 1 }),
  key('connection_throttle_freeze_time', 'int', -1, 'How often the drop probability changes; -1 for no dropping.', {
    unit: 'ms',
    min: -1,
  }),
  key('connection_throttle_drop_increase', 'ratio', 0.02, 'By how much it rises.'),
  key('connection_throttle_drop_decrease', 'ratio', 0.002, 'By how much it falls.'),
  key('connection_throttle_decrease_ratio', 'ratio', 0, 'Share of tokens in use below which it falls.'),
  key(
    'connection_throttle_weight_enabled',
    'bool',
    false,
    'Whether connects are weighed: one takes its weight, divided by that of a new session, in tokens.',
  ),
  key(
    'connection_throttle_global_session_weight',
    'int',
    3,
    'Weight of a new session; at least that of a local one. Tokens are counted in sessions of this weight.',
    { min: 1 },
  ),
  key(
    'connection_throttle_renew_session_weight',
    'int',
    2,
    'Weight of a known session; at least that of a local one.',
    { min: 1 },
  ),
  key(
    'connection_throttle_local_session_weight',
    'int',
    1,
    'Weight of a new session where localSessionsEnabled=true.',
    { min: 1 },
  ),
  // caches of the Java server
  key('maxResponseCacheSize', 'int', 400, 'Reply cache of the Java server.', ignored),
  key('maxGetChildrenResponseCacheSize', 'int', 400, 'Reply cache of the Java server.', ignored),
  key('watchManagerName', 'text', undefined, 'Watch tables of the Java server.', ignored),
  key('watcherCleanThreadsNum', 'int', 2, 'Watch tables of the Java server.', ignored),
  key('watcherCleanThreshold', 'int', 1000, 'Watch tables of the Java server.', ignored),
  key('watcherCleanIntervalInSeconds', 'int', 600, 'Watch tables of the Java server.', ignored),
  key('maxInProcessingDeadWatchers', 'int', -1, 'Watch tables of the Java server.', ignored),
  key('bitHashCacheSize', 'int', 10, 'Watch tables of the Java server.', ignored),
  key('commitProcessor.numWorkerThreads', 'int', undefined, 'Threads of the Java server.', ignored),
  key('commitProcessor.shutdownTimeout', 'int', 5000, 'Threads of the Java server.', ignored),
  key('commitProcessor.maxReadBatchSize', 'int', -1, 'Threads of the Java server.', ignored),
  key('commitProcessor.maxCommitBatchSize', 'int', 1, 'Threads of the Java server.', ignored),
  key(
    'forward_learner_requests_to_commit_processor_disabled',
    'bool',
    false,
    'Forwarded requests in the Java server.',
    ignored,
  ),
  key('maxReadBatchSize', 'int', -1, 'Threads of the Java server.', ignored),
  key('maxCommitBatchSize', 'int', 1, 'Threads of the Java server.', ignored),
  key(
    'jvm.pause.monitor',
    'bool',
    false,
    'Whether it is measured how long the process stands still (jvm_pause_time_ms).',
  ),
  key('jvm.pause.info-threshold.ms', 'int', 1000, 'Longer pauses are logged as information.', ms),
  key('jvm.pause.warn-threshold.ms', 'int', 10000, 'Longer pauses are logged as a warning.', ms),
  key('jvm.pause.sleep.time.ms', 'int', 500, 'How often is looked.', { unit: 'ms', min: 1 }),
  key(
    'messageTracker.Enabled',
    'bool',
    false,
    'Whether the last packets between leader and learner are logged when their connection ends.',
  ),
  key('messageTracker.BufferSize', 'int', 10, 'How many, each way.', { min: 1 }),
  key('pathStats.enabled', 'bool', false, 'Counts per path in the Java server.', ignored),
  key('intBufferStartingSizeBytes', 'int', 1024, 'Buffers of the Java server.', ignored),
  key('jmx.log4j.disable', 'bool', false, 'Logging of the Java server.', ignored),
  // administration
  key(
    '4lw.commands.whitelist',
    'text',
    'srvr',
    'Four-letter words that are answered, separated by commas; `*` for all. `srvr` always is, and `isro` with readonlymode.enabled.',
  ),
  key('admin.enableServer', 'bool', true, 'Whether there is an HTTP admin server.'),
  key('admin.serverAddress', 'host', '0.0.0.0', 'Where it listens.'),
  key('admin.serverPort', 'port', 8080, 'Where it listens.'),
  key('admin.idleTimeout', 'int', 30000, 'When it closes an idle connection.', ms),
  key('admin.commandURL', 'text', '/commands', 'Where its commands are.'),
  key('admin.httpVersion', 'int', 11, 'HTTP version of the Java server.', ignored),
  key('admin.portUnification', 'bool', false, 'Whether it takes HTTPS, too, with the stores of ssl.quorum.*.'),
  key('admin.forceHttps', 'bool', false, 'Whether it takes HTTPS alone.'),
  key(
    'admin.needClientAuth',
    'bool',
    false,
    'Whether HTTPS needs a client certificate that ssl.quorum.trustStore trusts.',
  ),
  key('admin.snapshot.enabled', 'bool', true, 'Whether the snapshot command is there.'),
  key('admin.restore.enabled', 'bool', true, 'Whether the restore command is there.'),
  key(
    'admin.rateLimiterIntervalInMS',
    'int',
    300000,
    'How often restore may be called; snapshot a thousand times as often, as with Apache.',
    ms,
  ),
  key(
    'metricsProvider.className',
    'text',
    'org.apache.zookeeper.metrics.impl.DefaultMetricsProvider',
    'With PrometheusMetricsProvider, metrics are served over HTTP.',
  ),
  key('metricsProvider.httpHost', 'host', '0.0.0.0', 'Where.'),
  key('metricsProvider.httpPort', 'port', undefined, 'Where; 7000 if there is no httpsPort either.'),
  key('metricsProvider.exportJvmInfo', 'bool', true, 'Whether metrics of the process are among them.'),
  key('metricsProvider.numWorkerThreads', 'int', 1, 'Threads of the Java server.', ignored),
  key('metricsProvider.maxQueueSize', 'int', 1000000, 'Threads of the Java server.', ignored),
  key('metricsProvider.workerShutdownTimeoutMs', 'int', 1000, 'Threads of the Java server.', ignored),
  key(
    'metricsProvider.httpsPort',
    'port',
    undefined,
    'Where over HTTPS; with the same port as httpPort both are taken there.',
  ),
  key('metricsProvider.ssl.keyStore.location', 'path', undefined, 'Its key and certificates: a PEM or PKCS12 file.'),
  key('metricsProvider.ssl.keyStore.password', 'text', undefined, 'Its password.'),
  key('metricsProvider.ssl.keyStore.type', 'text', undefined, 'PEM or PKCS12; the file itself shows which it is.'),
  key(
    'metricsProvider.ssl.trustStore.location',
    'path',
    undefined,
    'Authorities of client certificates: a PEM or PKCS12 file.',
  ),
  key('metricsProvider.ssl.trustStore.password', 'text', undefined, 'Its password.'),
  key('metricsProvider.ssl.trustStore.type', 'text', undefined, 'PEM or PKCS12; the file itself shows which it is.'),
  key('metricsProvider.ssl.need.client.auth', 'bool', true, 'Whether clients must show a certificate.'),
  key('metricsProvider.ssl.want.client.auth', 'bool', true, 'Whether they are asked for one.'),
  key(
    'metricsProvider.ssl.enabledProtocols',
    'text',
    undefined,
    'TLSv1.2, TLSv1.3 or both, separated by commas; both if not set.',
  ),
  key(
    'metricsProvider.ssl.ciphersuites',
    'text',
    undefined,
    "Cipher suites by Java's or OpenSSL's names, separated by commas.",
  ),
  key('audit.enable', 'bool', false, 'Whether writes are logged for audit.'),
  key('audit.impl.class', 'text', undefined, 'Audit logger of the Java server.', ignored),
  // ensembles
  key('initLimit', 'int', undefined, 'Ticks for a follower to connect and catch up.'),
  key('syncLimit', 'int', undefined, 'Ticks for a follower to answer.'),
  key('connectToLearnerMasterLimit', 'int', 0, 'Ticks for a follower to connect; 0 for initLimit.', { min: 0 }),
  key('electionAlg', 'int', 3, 'The election algorithm.', { min: 3, max: 3 }),
  key('quorumListenOnAllIPs', 'bool', false, 'Listen on all addresses for the other servers.'),
  key(
    'peerType',
    'text',
    undefined,
    'Whether this server votes. Its line in the list counts; it is told if they differ.',
    {
      choices: ['participant', 'observer'],
    },
  ),
  key(
    'observerMasterPort',
    'port',
    undefined,
    'Where followers serve observers; an observer that has it looks there before it goes to the leader.',
  ),
  key(
    'syncEnabled',
    'bool',
    true,
    'Whether an observer writes a log and snapshots; without, it gets more from the leader when it starts again.',
    { property: 'zookeeper.observer.syncEnabled' },
  ),
  key('dynamicConfigFile', 'path', undefined, 'File with the members.'),
  key('standaloneEnabled', 'bool', true, 'Whether one server alone runs without the quorum code.'),
  key('reconfigEnabled', 'bool', false, 'Whether members can be changed at run time.'),
  key('localSessionsEnabled', 'bool', false, 'Sessions known to one server only.'),
  key('localSessionsUpgradingEnabled', 'bool', false, 'Whether such a session becomes a global one when it must.'),
  key(
    'readonlymode.enabled',
    'bool',
    false,
    'Whether a server without quorum serves reads: to new sessions, where localSessionsEnabled=true.',
    {
      property: 'readonlymode.enabled',
    },
  ),
  key(
    'epochLength',
    'int',
    0xfff00000,
    'Transactions after which the leader begins a new epoch; lower only to see that happen.',
    {
      min: 1,
      max: 0xfff00000,
    },
  ),
  key('leaderServes', 'yesno', 'yes', 'Whether the leader serves clients.'),
  key('fastleader.minNotificationInterval', 'int', 200, 'Resending of votes.', ms),
  key('fastleader.maxNotificationInterval', 'int', 60000, 'Resending of votes.', ms),
  key('cnxTimeout', 'int', 5000, 'Connecting to other servers.', ms),
  key(
    'quorumCnxnTimeoutMs',
    'int',
    -1,
    'How long a connection at the election port may take to say whose it is; -1 for syncLimit ticks.',
    { unit: 'ms', min: -1 },
  ),
  key(
    'electionPortBindRetry',
    'int',
    3,
    'Attempts to open the election port, a second apart; 0 for without end. One that is taken is told at once.',
    { min: 0 },
  ),
  key('tcpKeepAlive', 'bool', false, 'Probing of idle connections between servers.'),
  key(
    'leader.maxConcurrentSnapSyncs',
    'int',
    10,
    'Learners that are brought up to date by a snapshot at once; observers beyond that have to come again.',
    { min: 1 },
  ),
  key(
    'leader.maxConcurrentDiffSyncs',
    'int',
    100,
    'Learners that are brought up to date by transactions at once; observers beyond that have to come again.',
    { min: 1 },
  ),
  key(
    'leader.maxTimeToWaitForEpoch',
    'int',
    -1,
    'How long a new leader waits for a quorum once one that elected it looks for a leader again; -1 for initLimit ticks.',
    { unit: 'ms', min: -1 },
  ),
  key(
    'leader.ackLoggingFrequency',
    'int',
    1000,
    'Every how many transactions the acks are timed (ack_latency); 0 for never.',
    {
      min: 0,
    },
  ),
  key('leader.closeSocketAsync', 'bool', false, 'Closing a connection never waits here, as with true.', ignored),
  key('learner.asyncSending', 'bool', false, 'Sending never waits here, as with true.', ignored),
  key('learner.closeSocketAsync', 'bool', false, 'Closing a connection never waits here, as with true.', ignored),
  key('leaderConnectDelayDuringRetryMs', 'int', 100, 'Connecting to the leader again.', ms),
  key('observer.reconnectDelayMs', 'int', 0, 'Up to how long an observer waits before it dials the leader.', ms),
  key(
    'observer.election.DelayMs',
    'int',
    200,
    'Up to how long an observer waits before it looks for the next leader.',
    { unit: 'ms' },
  ),
  key(
    'observerMaster.sizeLimit',
    'int',
    33554432,
    'How much an observer may leave unread, beside one transaction, before the follower that serves it lets it go.',
    { unit: 'bytes', min: 1 },
  ),
  key(
    'follower.skipLearnerRequestToNextProcessor',
    'bool',
    false,
    'Forwarded requests of observers are not queued here, as with true.',
    ignored,
  ),
  key('sslQuorum', 'bool', false, 'Whether servers speak TLS with each other, at election and quorum ports.'),
  key(
    'portUnification',
    'bool',
    false,
    'Whether those ports take both TLS and plain connections: for the change from one to the other.',
  ),
  key('sslQuorumReloadCertFiles', 'bool', false, 'Whether key and trust store are read again when their files change.'),
  key(
    'ssl.quorum.keyStore.location',
    'path',
    undefined,
    "The server's key and certificates: a PEM, PKCS12 or JKS file.",
  ),
  key('ssl.quorum.keyStore.password', 'text', undefined, 'Its password.'),
  key('ssl.quorum.keyStore.passwordPath', 'path', undefined, 'File that holds its password.'),
  key('ssl.quorum.keyStore.type', 'text', undefined, 'PEM, PKCS12 or JKS; the file itself shows which it is.'),
  key(
    'ssl.quorum.trustStore.location',
    'path',
    undefined,
    "Authorities of the servers' certificates: PEM, PKCS12 or JKS.",
  ),
  key('ssl.quorum.trustStore.password', 'text', undefined, 'Its password.'),
  key('ssl.quorum.trustStore.passwordPath', 'path', undefined, 'File that holds its password.'),
  key('ssl.quorum.trustStore.type', 'text', undefined, 'PEM, PKCS12 or JKS; the file itself shows which it is.'),
  key('ssl.quorum.clientAuth', 'text', 'need', 'Whether a server that dials shows a certificate.', {
    choices: ['none', 'want', 'need'],
  }),
  key('ssl.quorum.protocol', 'text', undefined, 'With TLSv1.2, TLS 1.3 is not offered.'),
  key(
    'ssl.quorum.enabledProtocols',
    'text',
    undefined,
    'TLSv1.2, TLSv1.3 or both, separated by commas; both if not set.',
  ),
  key('ssl.quorum.ciphersuites', 'text', undefined, "Cipher suites by Java's or OpenSSL's names, separated by commas."),
  key('ssl.quorum.hostnameVerification', 'bool', true, 'Whether certificates must name the address of their server.'),
  key('ssl.quorum.clientHostnameVerification', 'bool', true, 'Whether those of servers that dial must, too.'),
  key(
    'ssl.quorum.allowReverseDnsLookup',
    'bool',
    true,
    'Whether the names the DNS or /etc/hosts has for the address count then.',
  ),
  key(
    'ssl.quorum.handshakeDetectionTimeoutMillis',
    'int',
    5000,
    'How long a connection from another server may take to come through.',
    { unit: 'ms', min: 1 },
  ),
  key('ssl.quorum.crl', 'bool', false, 'Revoked certificates: true stops the start.'),
  key('ssl.quorum.ocsp', 'bool', false, 'Revoked certificates: true stops the start.'),
  key('ssl.quorum.context.supplier.class', 'text', undefined, 'A Java class: stops the start.'),
  key(
    'multiAddress.enabled',
    'bool',
    false,
    'Whether servers tell each other all their addresses; needs 3.6 or newer everywhere.',
  ),
  key(
    'multiAddress.reachabilityCheckTimeoutMs',
    'int',
    1000,
    'How long one of several addresses of a server may take to answer before the next is tried.',
    { unit: 'ms', min: 1 },
  ),
  key(
    'multiAddress.reachabilityCheckEnabled',
    'bool',
    true,
    'Whether that limit counts; otherwise it is cnxTimeout for each address.',
  ),
  key(
    'oraclePath',
    'path',
    undefined,
    'A file whose first character is 1 while this server, of two that vote, may decide without the other.',
  ),
  key(
    'quorum.auth.enableSasl',
    'bool',
    false,
    'Whether servers can prove to each other who they are, with SASL: DIGEST-MD5 or Kerberos. Needs a JAAS file.',
  ),
  key('quorum.auth.learnerRequireSasl', 'bool', false, 'Whether this server does so where it dials others.'),
  key('quorum.auth.serverRequireSasl', 'bool', false, 'Whether others must where they dial it.'),
  key(
    'quorum.auth.server.saslLoginContext',
    'text',
    'QuorumServer',
    'Section of the JAAS file with the users that others may be, `user_<name>="<password>"`, or keytab and principal for Kerberos.',
  ),
  key(
    'quorum.auth.learner.saslLoginContext',
    'text',
    'QuorumLearner',
    'Section with the user that this server is, `username="<name>" password="<password>"`, or keytab and principal for Kerberos.',
  ),
  key(
    'quorum.auth.kerberos.servicePrincipal',
    'text',
    'zkquorum/localhost',
    'Principal of the servers that this one dials; `_HOST` stands for the host of each.',
  ),
  key('quorum.cnxn.threads.size', 'int', 20, 'Threads of the Java server.', ignored),
  key('fips-mode', 'bool', true, 'TLS in the Java server.', ignored),
];

/** Keys that end in something free. */
export interface KeyFamily {
  readonly prefix: string;
  readonly meaning: string;
  /** Whether a number has to follow. */
  readonly isNumbered: boolean;
  readonly effect: Key['effect'];
}

const family = (prefix: string, meaning: string, extra: Partial<KeyFamily> = {}): KeyFamily => ({
  prefix,
  meaning,
  isNumbered: false,
  effect: 'honoured',
  ...extra,
});

export const KEY_FAMILIES: readonly KeyFamily[] = [
  family('server.', 'A member of the ensemble: host:quorumPort:electionPort[:role][;[host:]clientPort].', {
    isNumbered: true,
  }),
  family('group.', 'A group of members, for hierarchical quorums.', { isNumbered: true }),
  family('weight.', "A member's weight, for hierarchical quorums.", { isNumbered: true }),
  family('authProvider.', 'A further authentication provider, by its Java class.'),
  family('superUser.', 'A further SASL user that may do everything.'),
  family('metricsProvider.', 'Metrics of the Java server.', { effect: 'ignored' }),
  family('sasl.', 'SASL of the Java server.', { effect: 'ignored' }),
  family('kerberos.', 'Kerberos of the Java server.', { effect: 'ignored' }),
  family('pathStats.', 'Counts per path in the Java server.', { effect: 'ignored' }),
];

/** What the variables of this server begin with. */
export const OWN_VARIABLES = 'NODEKEEPER_';

const byName = new Map(KEYS.map((k) => [k.name, k]));
const byProperty = new Map(KEYS.map((k) => [k.property ?? `zookeeper.${k.name}`, k]));
const byEnvironment = new Map(KEYS.map((k) => [environmentName(k.name), k]));

export const keyByName = (name: string): Key | undefined => byName.get(name);
export const keyByProperty = (property: string): Key | undefined => byProperty.get(property);
export const keyByEnvironment = (variable: string): Key | undefined => byEnvironment.get(variable);

/** The environment variable of a key: `snapCount` is NODEKEEPER_SNAP_COUNT, `4lw.commands.whitelist` NODEKEEPER_4LW_COMMANDS_WHITELIST. */
export function environmentName(name: string): string {
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replace(/[.-]/g, '_');
  return `${OWN_VARIABLES}${words.toUpperCase()}`;
}

/** The key of a numbered family that a variable stands for: NODEKEEPER_SERVER_1 is server.1, NODEKEEPER_AUTH_PROVIDER_1 authProvider.1. */
export function numberedByEnvironment(variable: string): string | undefined {
  const [, words, number] = /^(NODEKEEPER_[A-Z_]+)_(\d+)$/.exec(variable) ?? [];
  const found = KEY_FAMILIES.find(({ prefix }) => words === environmentName(prefix.slice(0, -1)));
  return found === undefined || found.effect === 'ignored' ? undefined : `${found.prefix}${number}`;
}

/** The known key that is nearest to a name that is not known; undefined if none is near. */
export const nearestKey = (name: string): string | undefined => nearest(name, byName.keys());

/** Likewise the variable. */
export function nearestVariable(name: string): string | undefined {
  const bare = (variable: string): string => variable.slice(OWN_VARIABLES.length);
  const found = nearest(bare(name), [...byEnvironment.keys()].map(bare));
  return found === undefined ? undefined : `${OWN_VARIABLES}${found}`;
}

function nearest(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return best;
}

function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let k = 1; k <= b.length; k++) {
      const change = (row[k - 1] as number) + (a[i - 1] === b[k - 1] ? 0 : 1);
      next.push(Math.min(change, (row[k] as number) + 1, (next[k - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
