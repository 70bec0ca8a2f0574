// The package's public face.

export { DistributedBarrier } from './barriers/barrier.js';
export { DistributedDoubleBarrier, type DoubleBarrierOptions } from './barriers/double-barrier.js';
export { isRecipeError, RecipeError, type RecipeErrorCode } from './base/errors.js';
export {
  bytesSerializer,
  decimalSerializer,
  int32Serializer,
  int64Serializer,
  jsonSerializer,
  type Serializer,
  stringSerializer,
} from './base/serializer.js';
export type { TenureOptions } from './base/tenure.js';
export type { WaitOptions } from './base/wait.js';
export { Cache, type CachedNode, type CacheEvent, type CacheEvents, type CacheOptions } from './caches/cache.js';
export { NodeCache, PathChildrenCache, TreeCache, type ViewOptions } from './caches/views.js';
export {
  Cluster,
  type ClusterChange,
  type ClusterEvents,
  type ClusterOptions,
  type Member,
  type MemberReport,
  type MemberUpdate,
} from './cluster/cluster.js';
export {
  type Assignment,
  type BalancedServer,
  LoadBalancer,
  type LoadBalancerEvents,
  type Offer,
  type ServerInfo,
} from './cluster/load-balancer.js';
export { type Address, type Binding, NameService, type ResolvedName } from './cluster/name-service.js';
export { SetPartitioner, type SetPartitionerOptions, type WorkOnItems } from './cluster/set-partitioner.js';
export { type Delivery, type SubscribeOptions, type Subscription, Topic, type TopicOptions } from './cluster/topic.js';
export { FileSync, type FileSyncEvents, type SyncedFileOptions } from './configuration/file-sync.js';
export {
  type ConfigurationVersion,
  LiveConfiguration,
  type LiveConfigurationEvents,
  type LiveConfigurationOptions,
} from './configuration/live-configuration.js';
export type { StandardIssue, StandardResult, StandardSchema } from './configuration/schema.js';
export {
  CachedAtomicLong,
  Counter,
  DistributedAtomicInteger,
  DistributedAtomicLong,
} from './counters/atomic-number.js';
export {
  type AtomicOptions,
  type AtomicResult,
  DistributedAtomicValue,
  type PromotedToLock,
} from './counters/atomic-value.js';
export { SharedCount, SharedValue, type SharedValueEvents, type VersionedValue } from './counters/shared-value.js';
export {
  LeaderLatch,
  type LeaderLatchEvents,
  type LeaderLatchOptions,
} from './election/leader-latch.js';
export { LeaderSelector, type LeaderSelectorOptions, type TakeLeadership } from './election/leader-selector.js';
export type { Leadership } from './election/leadership.js';
export { type FollowLeaderOptions, followLeader, type Participant } from './election/participants.js';
export type { LockHold } from './locks/hold.js';
export type { AcquireOptions, LockOptions, RevocableHold } from './locks/lock.js';
export { type AcquirableLock, InterProcessMultiLock, type MultiHold, type Releasable } from './locks/multi-lock.js';
export { InterProcessMutex } from './locks/mutex.js';
export type { LockLayout } from './locks/names.js';
export {
  type LeaseTerm,
  type LeaseTermOptions,
  MultiNonBlockingLease,
  NonBlockingLease,
} from './locks/non-blocking-lease.js';
export { InterProcessReadWriteLock, type ReadLock, type WriteLock } from './locks/read-write-lock.js';
export { attemptRevoke } from './locks/revocation.js';
export {
  InterProcessSemaphoreMutex,
  InterProcessSemaphoreV2,
  type Lease,
  type SemaphoreOptions,
} from './locks/semaphore.js';
export { Model, type Modelled } from './model/model.js';
export { type GroupEvents, GroupMember } from './nodes/group-member.js';
export { Party, ShallowParty } from './nodes/party.js';
export { PersistentNode, type PersistentNodeEvents, type PersistentNodeOptions } from './nodes/persistent-node.js';
export { PersistentTtlNode, type PersistentTtlNodeOptions } from './nodes/persistent-ttl-node.js';
export {
  DistributedDelayQueue,
  DistributedIdQueue,
  DistributedPriorityQueue,
  DistributedQueue,
  type DistributedQueueOptions,
} from './queues/distributed-queue.js';
export type { ConsumeOptions, ItemContext, ItemHandler, QueueConsumer, QueueOptions } from './queues/queue-core.js';
export { QueueSharder, type QueueSharderOptions } from './queues/queue-sharder.js';
export { LockingQueue, Queue, SimpleDistributedQueue } from './queues/simple-queues.js';
