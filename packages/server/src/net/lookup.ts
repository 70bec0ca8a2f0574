// Finds what names stand for where something is dialled, on machines of every kind.

import dns from 'node:dns';
import type { LookupFunction } from 'node:net';

/**
 * Without Node's hint, which leaves out 127.0.0.1 on a machine that has IPv6 addresses alone, while a server with that name listens
 * there.
 */
export const lookupAll: LookupFunction = (name, options, found) => dns.lookup(name, { ...options, hints: 0 }, found);
