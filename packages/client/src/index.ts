// The package's public face.
export {
  type Acl,
  CREATOR_ALL_ACL,
  CreateMode,
  ErrorCode,
  OPEN_ACL_UNSAFE,
  Perms,
  READ_ACL_UNSAFE,
  type Stat,
} from '#protocol';
export type {
  CreateModeName,
  CreateOptions,
  CreateSettings,
  Data,
  ReadOptions,
  VersionOptions,
  WatchOptions,
} from './arguments.js';
export {
  Client,
  type ClientEvents,
  connect,
  type ReconfigOptions,
  type StreamOptions,
  type WatcherTypeName,
} from './client.js';
export { type ConnectString, parseConnectString, type ServerAddress } from './connect-string.js';
export { CLOSED, isKeeperError, KeeperError } from './errors.js';
export { EventStream, type UnreadLimit } from './event-stream.js';
export type { BackOff, Resolver } from './hosts.js';
export { type CreatedInTransaction, type ReadOperation, type ReadResult, TransactionError } from './multi.js';
export { onAbort } from './on-abort.js';
export type { CallOptions, ClientOptions, Credential } from './options.js';
export type { PersistentWatchHandle } from './persistent-watch.js';
export type { ClientIdentity, CreatedNode, NodeAcl, NodeChildren, NodeData } from './requests.js';
export {
  boundedExponentialBackoff,
  exponentialBackoff,
  noRetry,
  pause,
  type RetryPolicy,
  retryForever,
  retryNTimes,
  retryUntilElapsed,
} from './retry.js';
export type { SaslExchange, SaslMechanism, SaslOptions } from './sasl.js';
export type { PasswordLogin } from './sasl-digest-md5.js';
export type { SessionState, StateChange } from './states.js';
export { after, MAX_DELAY, type Timer } from './timers.js';
export { Transaction } from './transaction.js';
export {
  type NextEvent,
  nextEvent,
  type PersistentEvent,
  type PersistentWatcher,
  type ResyncEvent,
  type WatchEvent,
  type WatchEventType,
  type Watcher,
} from './watch-events.js';
export type { WatchStream } from './watch-stream.js';
