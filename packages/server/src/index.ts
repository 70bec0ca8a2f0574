// The package's public face.
export { ConfigError, loadConfig, type ServerConfig } from './config/index.js';
export type { EnsembleServer } from './ensemble-server.js';
export { createLogger, type Logger, silentLogger } from './log.js';
export { type Connection, type Listener, type ListenOptions, type Network, nodeNetwork } from './net/network.js';
export type { Runtime, Timer } from './runtime.js';
export { Server, type ServerOptions } from './server.js';
export { StandaloneServer } from './standalone-server.js';
export { type RunningServer, startServer } from './start.js';
export type { Disk, LogFile, ReadableFile, WritableFile } from './storage/disk.js';
export { StorageError } from './storage/errors.js';
export { FULL_VERSION, NODEKEEPER_VERSION, ZOOKEEPER_VERSION } from './version.js';
