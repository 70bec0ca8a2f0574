// The storage layer's public face, for the server and for tools.

export { ADLER_START, adler32 } from './adler32.js';
export * from './data-dir.js';
export { type DataLock, lockDataDir } from './data-lock.js';
export type { Disk, LogFile, ReadableFile, WritableFile } from './disk.js';
export { StorageError } from './errors.js';
export * from './file-names.js';
export { nodeDisk } from './node-disk.js';
export { purge, purgeable } from './purge.js';
export * from './recovery.js';
export * from './snapshot-reader.js';
export * from './snapshot-writer.js';
export * from './txn-log.js';
export * from './txn-log-reader.js';
