// A tree with its preparer and no log: what is prepared is applied when the test says so.
import { type Acl, JuteReader, JuteWriter, OPEN_ACL_UNSAFE, OpCode, writeAclList } from '@nodekeeper/protocol';
import type { Identity } from '../../dist/request/identity.js';
import { Preparer } from '../../dist/request/prepare.js';
import { DataTree } from '../../dist/tree/data-tree.js';

export const AUTHOR = { idHi: 0x01000000, idLo: 7 };
export const AUTHOR_ID = 0x0100000000000007n;

export class Harness {
  readonly tree: DataTree;
  readonly preparer: Preparer;
  readonly entries: Buffer[] = [];
  /** Whose session the requests are of. */
  author = AUTHOR;
  zxid = 0;
  time = 1_700_000_000_000;
  private waiting: { zxid: number; error: number; entry: Buffer }[] = [];

  constructor(options: { extendedTypes?: boolean; enforceQuota?: boolean; maxEntry?: number } = {}) {
    const extendedTypesEnabled = options.extendedTypes ?? true;
    this.tree = new DataTree(
      { seed: 5, extendedTypesEnabled, digestEnabled: true },
      { onSessionCreated: () => {}, onSessionClosed: () => {} },
    );
    this.preparer = new Preparer(this.tree, {
      auth: { skipAcl: false, digestEnabled: true, extraSchemes: new Set(), anySaslUser: undefined },
      extendedTypesEnabled,
      enforceQuota: options.enforceQuota ?? false,
      digestEnabled: true,
      closeSessionTxnEnabled: true,
      reconfigEnabled: false,
      maxEntry: options.maxEntry ?? 2 * 0xfffff,
      onQuotaExceeded: () => {},
    });
  }

  /** Prepares a request without applying it. */
  prepare(op: number, body: (w: JuteWriter) => void, identities: readonly Identity[] = []): number {
    const w = new JuteWriter();
    body(w);
    const error = this.preparer.prepare(
      op,
      new JuteReader(w.bytes()),
      this.author,
      identities,
      1,
      ++this.zxid,
      this.time++,
    );
    this.keep(error);
    return error;
  }

  closeSession(): void {
    const { idHi, idLo } = this.author;
    const id = (BigInt(idHi) << 32n) | BigInt.asUintN(32, BigInt(idLo));
    this.preparer.prepareCloseSession(id, this.author, 1, ++this.zxid, this.time++);
    this.keep(0);
  }

  private keep(error: number): void {
    const entry = Buffer.from(this.preparer.entry.bytes());
    this.entries.push(entry);
    this.waiting.push({ zxid: this.zxid, error, entry });
  }

  /** Applies everything prepared so far. */
  commit(): void {
    for (const { zxid, error, entry } of this.waiting) {
      const applied = this.tree.apply(entry, 0, entry.length);
      if (applied !== error) throw new Error(`prepared with ${error}, applied with ${applied}`);
      this.preparer.applied(zxid);
    }
    this.waiting = [];
  }

  run(op: number, body: (w: JuteWriter) => void, identities?: readonly Identity[]): number {
    const error = this.prepare(op, body, identities);
    this.commit();
    return error;
  }

  create(
    path: string,
    options: { data?: string | null; flags?: number; acl?: readonly Acl[]; op?: number; ttl?: number } = {},
  ): number {
    return this.run(options.op ?? OpCode.create, createBody(path, options));
  }

  delete(path: string, version = -1): number {
    return this.run(OpCode.delete, (w) => w.string(path).int(version));
  }

  set(path: string, data: string, version = -1): number {
    return this.run(OpCode.setData, (w) => w.string(path).buffer(Buffer.from(data)).int(version));
  }
}

export function createBody(
  path: string,
  options: { data?: string | null; flags?: number; acl?: readonly Acl[]; ttl?: number } = {},
): (w: JuteWriter) => void {
  return (w) => {
    w.string(path).buffer(options.data === null ? null : Buffer.from(options.data ?? ''));
    writeAclList(w, options.acl ?? OPEN_ACL_UNSAFE);
    w.int(options.flags ?? 0);
    if (options.ttl !== undefined) w.long53(options.ttl);
  };
}
