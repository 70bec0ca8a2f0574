// What tests of Kerberos need: tickets, keytabs and a KDC of their own.
export { TestKdc } from './test-kdc.js';
export { issueTicket, keytabOf, newEntry } from './tickets.js';
