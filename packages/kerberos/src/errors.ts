// The one error of this package.

/** The peer, the KDC or a file is not what it has to be; the message is for the log. */
export class KerberosError extends Error {
  override readonly name = 'KerberosError';
}
