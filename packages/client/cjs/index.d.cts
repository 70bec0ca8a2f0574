// The types for `require`: those of `import`, so that a client fits where another package asks for one (the recipes, which are ES
// modules, know no other).

import type { Transaction as Builder, EventStream as Stream } from '../dist/index.js' with {
  'resolution-mode': 'import',
};

export type * from '../dist/index.js' with { 'resolution-mode': 'import' };

type Module = typeof import('../dist/index.js', { with: { 'resolution-mode': 'import' }});

export declare const after: Module['after'];
export declare const boundedExponentialBackoff: Module['boundedExponentialBackoff'];
export declare const Client: Module['Client'];
export declare const CLOSED: Module['CLOSED'];
export declare const connect: Module['connect'];
export declare const CREATOR_ALL_ACL: Module['CREATOR_ALL_ACL'];
export declare const CreateMode: Module['CreateMode'];
export declare const ErrorCode: Module['ErrorCode'];
export declare const EventStream: Module['EventStream'];
export declare const exponentialBackoff: Module['exponentialBackoff'];
export declare const isKeeperError: Module['isKeeperError'];
export declare const KeeperError: Module['KeeperError'];
export declare const MAX_DELAY: Module['MAX_DELAY'];
export declare const nextEvent: Module['nextEvent'];
export declare const noRetry: Module['noRetry'];
export declare const onAbort: Module['onAbort'];
export declare const OPEN_ACL_UNSAFE: Module['OPEN_ACL_UNSAFE'];
export declare const parseConnectString: Module['parseConnectString'];
export declare const pause: Module['pause'];
export declare const Perms: Module['Perms'];
export declare const READ_ACL_UNSAFE: Module['READ_ACL_UNSAFE'];
export declare const retryForever: Module['retryForever'];
export declare const retryNTimes: Module['retryNTimes'];
export declare const retryUntilElapsed: Module['retryUntilElapsed'];
export declare const Transaction: Module['Transaction'];
export declare const TransactionError: Module['TransactionError'];

export type Client = Module['Client']['prototype'];
export type CreateMode = Module['CreateMode'][keyof Module['CreateMode']];
export type ErrorCode = Module['ErrorCode'][keyof Module['ErrorCode']];
export type EventStream<T> = Stream<T>;
export type KeeperError = Module['KeeperError']['prototype'];
export type Transaction<R extends readonly unknown[] = []> = Builder<R>;
export type TransactionError = Module['TransactionError']['prototype'];
