// The configuration in a reconfiguration's entry. Entry: TxnHeader, ustring path, buffer text, int version [, digest].

import { JuteReader } from '@nodekeeper/protocol';
import { parseConfig, type QuorumConfig } from '../quorum/quorum-config.js';
import { TXN_HEADER_SIZE } from '../tree/txn-types.js';

/** @throws Error if there is none that can be read */
export function configIn(entry: Buffer): QuorumConfig {
  const r = new JuteReader(entry, TXN_HEADER_SIZE, entry.length);
  r.string();
  const text = r.buffer();
  if (text === null) throw new Error('a reconfiguration without its members');
  return parseConfig(text.toString('utf8'));
}
