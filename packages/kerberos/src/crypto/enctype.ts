// What an encryption type does, and the keys that are used with one. Source: RFC 3961, section 3.

export interface Enctype {
  readonly id: number;
  /** As MIT's tools call it. */
  readonly name: string;
  readonly keyBytes: number;
  /** The type of its checksums, and how long they are. */
  readonly checksumId: number;
  readonly checksumBytes: number;
  /** `confounder` is for tests: 16 random bytes. */
  encrypt(key: Buffer, usage: number, plain: Buffer, confounder?: Buffer): Buffer;
  /** @throws KerberosError if it was not made with this key for this usage */
  decrypt(key: Buffer, usage: number, cipher: Buffer): Buffer;
  checksum(key: Buffer, usage: number, data: Buffer): Buffer;
}

/** What a key is used for, so that what was made for one purpose proves nothing in another. Source: RFC 4120, 7.5.1; RFC 4121, 2. */
export const Usage = {
  preauthTimestamp: 1,
  ticket: 2,
  asReply: 3,
  tgsChecksum: 6,
  tgsAuthenticator: 7,
  tgsReply: 8,
  tgsReplySubkey: 9,
  authenticator: 11,
  apReply: 12,
  acceptorSeal: 22,
  initiatorSeal: 24,
} as const;
