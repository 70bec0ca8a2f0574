// The package's public face.
export { Acceptor, type AcceptorOptions, CLOCK_SKEW } from './acceptor.js';
export { type KdcAddress, type Krb5Config, loadKrb5Config, parseKrb5Config, realmOfHost } from './config.js';
export { KerberosError } from './errors.js';
export { Keytab, type KeytabEntry, parseKeytab } from './keytab.js';
export { formatPrincipal, type Principal, parsePrincipal } from './principal.js';
export { GssapiClient } from './sasl-client.js';
export { GssapiServer } from './sasl-server.js';
export type { ServiceTicket } from './service-ticket.js';
