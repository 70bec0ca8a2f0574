// The configuration in a reconfiguration's entry. Entry: TxnHeader, ustring path, buffer text, int version [, digest].

import { DecodeError, JuteReader } from '@nodekeeper/protocol';
import { parseConfig, type QuorumConfig } from '../quorum/quorum-config.js';
import { TXN_HEADER_SIZE } from '../tree/txn-types.js';
import { PacketError } from './packet.js';

/** @throws PacketError if there is none that can be read */
export function configIn(entry: Buffer): QuorumConfig {
  const r = new JuteReader(entry, TXN_HEADER_SIZE, entry.length, entry.length);
  try {
    r.string();
    return configFrom((r.buffer() ?? '').toString());
  } catch (e) {
    if (!(e instanceof DecodeError)) throw e;
    throw new PacketError(`a reconfiguration that cannot be read: ${e.message}`);
  }
}

/** @throws PacketError if the text cannot be read */
export function configFrom(text: string): QuorumConfig {
  try {
    return parseConfig(text);
  } catch (e) {
    throw new PacketError(`members that cannot be read: ${(e as Error).message}`);
  }
}
