// What the server says it is. Clients look for x.y.z in it and take it for ZooKeeper's version.

/** The version of ZooKeeper whose behaviour is offered. */
export const ZOOKEEPER_VERSION = '3.9.5';
export const NODEKEEPER_VERSION = '0.1.0';
export const BUILD_DATE = '2026-11-21 00:00 UTC';
export const FULL_VERSION = `${ZOOKEEPER_VERSION}-nodekeeper-${NODEKEEPER_VERSION}`;
