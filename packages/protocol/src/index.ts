// The package's public face.
export * from './acl.js';
export * from './create-mode.js';
export * from './errors.js';
export * from './opcodes.js';
export * from './path-lengths.js';
export * from './paths.js';
export * from './reader.js';
export * from './stat.js';
export * from './strings.js';
export * from './watch-types.js';
export * from './writer.js';
