// What /commands/system_properties tells: of the process, and what Apache's server makes a property of the Java machine, which is
// every line of zoo.cfg whose key it does not know by name. Source: QuorumPeerConfig.parseProperties of Apache ZooKeeper.

import { parseProperties } from '../config/properties.js';

const BY_NAME: ReadonlySet<string> = new Set(
  `dataDir dataLogDir clientPort clientPortAddress secureClientPort secureClientPortAddress clientPortListenBacklog
  observerMasterPort tickTime maxClientCnxns minSessionTimeout maxSessionTimeout initLimit syncLimit
  connectToLearnerMasterLimit electionAlg quorumListenOnAllIPs peerType syncEnabled dynamicConfigFile
  autopurge.snapRetainCount autopurge.purgeInterval standaloneEnabled reconfigEnabled localSessionsEnabled
  localSessionsUpgradingEnabled sslQuorum portUnification sslQuorumReloadCertFiles quorum.auth.enableSasl
  quorum.auth.serverRequireSasl quorum.auth.learnerRequireSasl quorum.auth.learner.saslLoginContext
  quorum.auth.server.saslLoginContext quorum.auth.kerberos.servicePrincipal quorum.cnxn.threads.size jvm.pause.monitor
  jvm.pause.info-threshold.ms jvm.pause.warn-threshold.ms jvm.pause.sleep.time.ms multiAddress.enabled
  multiAddress.reachabilityCheckTimeoutMs multiAddress.reachabilityCheckEnabled oraclePath`.split(/\s+/),
);
const FAMILY = /^(server\.|group|weight|metricsProvider\.)/;
/** Apache's server shows them. */
const SECRET_NAME = '(?:password|superDigest)';
const SECRET = new RegExp(`${SECRET_NAME}$`, 'i');
/** A line of zoo.cfg that holds one, with the lines that go on with its value. */
const SECRET_LINE = new RegExp(`^([^=:#!\\n]*${SECRET_NAME}[ \\t]*[=:])(?:.*\\\\\\r?\\n)*.*$`, 'gim');

/** The configuration as it was written, but for what nobody else may know. */
export function withoutSecrets(text: string): string {
  return text.replace(SECRET_LINE, '$1********');
}

/** @param text zoo.cfg */
export function systemProperties(text: string): Record<string, string> {
  const properties: [string, string][] = [
    ['node.version', process.version],
    ['user.dir', process.cwd()],
  ];
  for (const { key, value } of parseProperties(text))
    if (!BY_NAME.has(key) && !FAMILY.test(key) && !SECRET.test(key))
      properties.push([`zookeeper.${key}`, value.trim()]);
  return Object.fromEntries(properties.sort(([a], [b]) => (a < b ? -1 : 1)));
}
