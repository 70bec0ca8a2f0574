// The package's public face.
export { ConfigError, loadConfig, type ServerConfig } from './config/index.js';
export { createLogger, type Logger, silentLogger } from './log.js';
export { Server, type ServerOptions } from './server.js';
export { StandaloneServer } from './standalone-server.js';
export { type RunningServer, startServer } from './start.js';
export { StorageError } from './storage/errors.js';
export { FULL_VERSION, NODEKEEPER_VERSION, ZOOKEEPER_VERSION } from './version.js';
