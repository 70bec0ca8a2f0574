// What a client needs to log in to a service.

import type { Key } from './crypto/key.js';
import type { Principal } from './principal.js';

export interface ServiceTicket {
  readonly client: Principal;
  readonly service: Principal;
  /** As the KDC gave it; only the service can open it. */
  readonly ticket: Buffer;
  /** The key that only the client, the service and the KDC know. */
  readonly key: Key;
  /** Until when it holds, milliseconds since 1970. */
  readonly end: number;
}
