// The audit log: a line per write with who, from where, what and the result. Source: AuditHelper of Apache ZooKeeper.

import { ErrorCode, OpCode } from '@nodekeeper/protocol';
import type { Logger } from '../log.js';
import type { PendingWrite } from '../request/fifo.js';
import { userName } from '../request/identity.js';

const OPERATIONS = new Map<number, string>([
  [OpCode.create, 'create'],
  [OpCode.create2, 'create'],
  [OpCode.createContainer, 'create'],
  [OpCode.createTTL, 'create'],
  [OpCode.delete, 'delete'],
  [OpCode.deleteContainer, 'delete'],
  [OpCode.setData, 'setData'],
  [OpCode.setACL, 'setAcl'],
  [OpCode.multi, 'multiOperation'],
  [OpCode.reconfig, 'reconfig'],
]);

/** A function that writes a line for each decided write; tab-separated `key=value`, absent fields left out. */
export function createAudit(logger: Logger): (write: PendingWrite, error: number) => void {
  return (write, error) => {
    const operation = OPERATIONS.get(write.op);
    if (operation === undefined) return;
    const { client } = write;
    const fields: [string, string | undefined][] = [
      [
        'session',
        client?.session === undefined ? undefined : `0x${BigInt.asUintN(64, client.session.id).toString(16)}`,
      ],
      ['user', write.identities.map(userName).join(',') || process.env.USER],
      ['ip', client?.remoteAddress],
      ['operation', operation],
      ['znode', write.path ?? undefined],
      ['result', error === ErrorCode.Ok ? 'success' : 'failure'],
    ];
    const line = fields
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}=${value}`)
      .join('\t');
    if (error === ErrorCode.Ok) logger.info({ audit: true }, line);
    else logger.error({ audit: true }, line);
  };
}
