// The package's public face.
export { Acceptor, type AcceptorOptions, CLOCK_SKEW } from './acceptor.js';
export { type KerberosLoginOptions, type KerberosMechanism, kerberosLogin } from './client-login.js';
export { type KdcAddress, type Krb5Config, loadKrb5Config, parseKrb5Config, realmOfHost } from './config.js';
export { type CredentialCache, loadCredentialCache, parseCredentialCache } from './credential-cache.js';
export { KerberosError } from './errors.js';
export { Initiator, type InitiatorOptions } from './initiator.js';
export { Keytab, type KeytabEntry, parseKeytab } from './keytab.js';
export { formatPrincipal, type Principal, parsePrincipal } from './principal.js';
export { GssapiClient } from './sasl-client.js';
export { GssapiServer } from './sasl-server.js';
export type { ServiceTicket } from './service-ticket.js';
