// The package's public face.
export { ConfigError, loadConfig, type ServerConfig } from './config/index.js';
export { createLogger, type Logger, silentLogger } from './log.js';
export { type ServerOptions, StandaloneServer } from './server.js';
export { type RunningServer, startServer } from './start.js';
export { StorageError } from './storage/errors.js';
export { FULL_VERSION, NODEKEEPER_VERSION, ZOOKEEPER_VERSION } from './version.js';
