// How stat and cons show a connection.

import { hex } from './java-text.js';
import type { ConnectionView } from './server-view.js';

/**
 * What Java's selector waits for: 1, requests; 0 for the connection that asks, which is read no further.
 * @param asking the identity of the connection that asks; undefined if it is none
 */
export function interestOps(c: ConnectionView, asking: unknown): number {
  return asking !== undefined && c.identity === asking ? 0 : 1;
}

export function shortLine(c: ConnectionView, asking: unknown): string {
  return ` /${c.remote}[${interestOps(c, asking)}](${packets(c)})`;
}

export function longLine(c: ConnectionView, asking: unknown): string {
  const s = c.session;
  if (s === undefined) return shortLine(c, asking);
  const cxid = s.lastCxid >= 0 ? `,lcxid=${hex(s.lastCxid)}` : '';
  return ` /${c.remote}[${interestOps(c, asking)}](${packets(c)},sid=${hex(s.id)},lop=${s.lastOperation},est=${s.established},to=${s.timeout}${cxid},lzxid=${hex(s.lastZxid)},lresp=${s.lastResponseAt},llat=${s.lastLatency},minlat=${s.minLatency},avglat=${s.avgLatency},maxlat=${s.maxLatency})`;
}

function packets(c: ConnectionView): string {
  return `queued=${c.outstanding},recved=${c.packetsReceived},sent=${c.packetsSent}`;
}
