// Faults to plant into the server, the recipes and the client, each a replacement in its compiled code, to see that the simulator finds them. Whoever changes
// the text that is replaced has to change it here too: a text that is not there exactly once is an error.

import { PLANTED_IN_RECIPES } from './recipe-faults.js';

export interface PlantedFault {
  readonly name: string;
  /** The server if not given. */
  readonly package?: string;
  /** What clients use when it is looked for; single calls if not given. */
  readonly recipe?: string;
  /** Below the package's dist. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** Where it shows; an ensemble of three unless said otherwise. */
  readonly servers?: number;
  /** Machines that wait to be taken in; none if not given. */
  readonly spares?: number;
  /** What the runs have for certain; see the simulator's `--with`. */
  readonly with?: string;
  /** The kind of violation that has to be among those found; any if not given. */
  readonly finds?: string;
}

const PLANTED_IN_THE_SERVER: readonly PlantedFault[] = [
  {
    name: 'the log is not synced',
    file: 'storage/txn-log.js',
    from: 'createLog(temporary, this.options.forceSync, (error, file)',
    to: 'createLog(temporary, false, (error, file)',
    servers: 1,
  },
  {
    name: 'the name of a new log is not synced',
    file: 'storage/txn-log.js',
    from: 'this.disk.syncDirLater(this.dir, (syncError) => {',
    to: '((_dir, done) => done(null))(this.dir, (syncError) => {',
    servers: 1,
    finds: 'durability',
  },
  {
    name: 'a write that failed is taken for durable',
    file: 'storage/txn-log.js',
    from: 'file.write(parts, start, (error) => {',
    to: 'file.write(parts, start, () => { const error = null;',
    servers: 1,
  },
  {
    name: 'a write is taken for one of what another still writes, too',
    file: 'storage/txn-log.js',
    from: 'const batches = [...this.unsynced];',
    to: 'const batches = this.unsynced.slice(-1);',
    servers: 1,
  },
  {
    name: 'the bytes of a batch are used again while another write reads them',
    file: 'storage/txn-log.js',
    from: 'if (--batch.writes > 0)',
    to: 'batch.writes--; if (!durable.includes(batch))',
    servers: 1,
  },
  {
    name: 'a snapshot is not synced before it gets its name',
    file: 'storage/snapshot-writer.js',
    from: 'await output.sync();\n        await output.close();',
    to: 'await output.close();',
  },
  {
    name: 'what recovery read is not made durable',
    file: 'storage/recovery.js',
    from: 'disk.rewrite(path, Math.max(0, lastAt - LARGEST_UNDER_WAY), offset);',
    to: '',
    servers: 1,
  },
  {
    name: 'replies leave before the log is written',
    file: 'storage/txn-log.js',
    from: 'const parts = batches.map(',
    to: 'this.hooks.onDurable(batches.at(-1)); const parts = batches.map(',
    servers: 1,
  },
  {
    name: 'a follower acknowledges what is not on its disk',
    file: 'broadcast/learner.js',
    from: 'this.toAck.push(zxid);',
    to: 'this.link.send(PacketType.ack, zxid);',
  },
  {
    name: 'the leader counts itself before its disk has it',
    file: 'broadcast/leader.js',
    from: 'return this.durableZxid;',
    to: 'return this.lastProposed;',
  },
  {
    name: 'one server is a quorum of three',
    file: 'quorum/quorum-verifier.js',
    from: 'return count > voters.length / 2;',
    to: 'return count > voters.length / 2 - 1;',
  },
  {
    name: 'half of the groups are enough',
    file: 'quorum/quorum-verifier.js',
    from: 'return won > counted.length / 2;',
    to: 'return won >= counted.length / 2;',
    servers: 5,
    with: 'groups',
  },
  {
    name: 'half of the weight of a group is enough',
    file: 'quorum/quorum-verifier.js',
    from: 'if (sum > half)',
    to: 'if (sum >= half)',
    servers: 5,
    with: 'groups',
  },
  {
    name: 'who was just made an observer counts for the next reconfiguration',
    file: 'broadcast/leader.js',
    from: ' && !host.isObserver(id))',
    to: ')',
    servers: 2,
    spares: 1,
    finds: 'liveness',
  },
  {
    name: "the oracle's word is not asked for again",
    file: 'oracle.js',
    from: "return this.disk.readText(this.path)?.startsWith('1') ?? false;",
    to: "return (this.was ||= this.disk.readText(this.path)?.startsWith('1') ?? false);",
    servers: 2,
    with: 'oracle',
  },
  {
    name: 'votes are ordered by server id before zxid',
    file: 'election/notification.js',
    from: 'if (a.zxid !== b.zxid)',
    to: 'if (a.zxid !== b.zxid && a.leader === b.leader)',
  },
  {
    name: 'votes are ordered without their epoch',
    file: 'election/notification.js',
    from: 'if (a.peerEpoch !== b.peerEpoch)',
    to: 'if (false)',
  },
  {
    name: 'the leader is acknowledged before its history is durable',
    file: 'broadcast/learner.js',
    from: 'host.flushLog(finish);',
    to: 'finish();',
  },
  {
    name: 'the new epoch is written before its history is durable',
    file: 'broadcast/learner.js',
    from: 'this.link.hold();\n        const finish',
    to: 'this.link.hold();\n        host.setCurrentEpoch(this.epoch);\n        const finish',
  },
  {
    name: 'the accepted epoch is kept in memory only',
    file: 'storage/epochs.js',
    from: "this.acceptedEpoch = this.write('acceptedEpoch', epoch);",
    to: 'this.acceptedEpoch = epoch;',
    finds: 'start',
  },
  {
    name: 'the leader does not look whether a learner is ahead',
    file: 'broadcast/leader.js',
    from: 'if (peerEpoch > currentEpoch || (peerEpoch === currentEpoch && peerZxid > lastZxid)) {',
    to: 'if (false) {',
  },
  {
    name: 'what is left of bytes that a client sent is not copied, though they were lent',
    file: 'net/client-connection.js',
    from: 'if (!this.ownsUnread && this.unreadStart < this.unreadEnd)',
    to: 'if (false)',
    finds: 'protocol',
  },
  {
    name: 'what is left of bytes that a server sent is not copied, though they were lent',
    file: 'broadcast/packet.js',
    from: 'else if (!this.owned)',
    to: 'else if (false)',
  },
  {
    name: 'a learner does not cut its log, and says that it did',
    file: 'replica.js',
    from: 'cut = truncateLog(this.disk, this.dirs, zxid, this.maxPacket);',
    to: 'cut = false; done(true); done = () => {};',
  },
  {
    name: 'a learner is sent one transaction too few',
    file: 'broadcast/learner-handler.js',
    from: 'for (const { zxid, entry } of this.master.host.recent.after(after))',
    to: 'for (const { zxid, entry } of [...this.master.host.recent.after(after)].slice(0, -1))',
  },
  {
    name: 'the leader does not step down without a quorum',
    file: 'broadcast/leader.js',
    from: 'if (!host.verifiers().every((verifier) => this.isSynced(verifier)) && !host.oracleGrants()) {',
    to: 'if (false) {',
    finds: 'liveness',
  },
  {
    name: 'a client may go back to an older state',
    file: 'net/client-port.js',
    from: 'if (lastZxidSeen > this.tree.lastProcessedZxid) {',
    to: 'if (false) {',
    finds: 'time',
  },
  {
    name: 'a follower answers a sync by itself',
    file: 'request/forwarding.js',
    from: 'if (request === null)\n            return false;\n        const session = client.session;\n        this.forwardSync',
    to: 'return true;\n        const session = client.session;\n        this.forwardSync',
    finds: 'linearizability',
  },
  {
    name: 'reads do not wait for the writes before them',
    file: 'request/processor.js',
    from: 'else if (client.fifo.length > 0 || client.blocked || (op === OpCode.sync',
    to: 'else if ((op === OpCode.sync',
    finds: 'fifo',
  },
  {
    name: 'the version given to a set is not compared',
    file: 'request/prepare.js',
    from: 'if (request.version !== -1 && request.version !== node.version)\n            return ErrorCode.BadVersion;\n        const version = (node.version + 1) | 0;\n        this.entry.string(path).buffer',
    to: 'const version = (node.version + 1) | 0;\n        this.entry.string(path).buffer',
    servers: 1,
    finds: 'answers',
  },
  {
    name: 'a session leaves an ephemeral behind',
    file: 'request/prepare.js',
    from: 'const changed = pending.endSession(id, author.idHi, author.idLo, zxid, (node) => {',
    to: 'let first = true; const changed = pending.endSession(id, author.idHi, author.idLo, zxid, (node) => { if (first) { first = false; return; }',
    servers: 1,
    finds: 'transactions',
  },
  {
    name: 'sessions expire early',
    file: 'session/session-table.js',
    from: '(Math.floor((now + session.timeout) / this.tick) + 1)',
    to: '(Math.floor((now + session.timeout / 4) / this.tick) + 1)',
    servers: 1,
    finds: 'sessions',
  },
  {
    name: 'a deleted node does not fire its watches',
    file: 'tree/watches.js',
    from: 'const told = this.trigger(this.data, EventType.nodeDeleted, path, zxid, aclId);',
    to: 'const told = undefined;',
    servers: 1,
    finds: 'watches',
  },
  {
    name: 'watches set again do not look at what was missed',
    file: 'request/reads.js',
    from: 'const relative = r.long53();',
    to: 'r.long53(); const relative = Number.MAX_SAFE_INTEGER;',
  },
  {
    name: 'persistent watches fire once',
    file: 'tree/watches.js',
    from: 'if ((modes & WatchMode.standard) === 0)\n                    continue;\n                table.remove(path, watcher, WatchMode.standard);',
    to: 'table.remove(path, watcher, modes);',
    servers: 1,
  },
  {
    name: 'recursive watches do not tell of deletions',
    file: 'tree/watches.js',
    from: 'if (!this.recursive.empty && table === this.data)',
    to: 'if (!this.recursive.empty && table === this.data && type !== EventType.nodeDeleted)',
  },
  {
    name: 'persistent watches are not set again on another server',
    file: 'request/reads.js',
    from: 'watches.addPersistent(path, client, kind === 3',
    to: '(() => {})(path, client, kind === 3',
  },
  {
    name: 'a request is forwarded twice',
    file: 'request/forwarding.js',
    from: 'this.link.request(session.id, xid, op, buf.subarray(start, end), client.identities);',
    to: 'for (const _ of [1, 2]) this.link.request(session.id, xid, op, buf.subarray(start, end), client.identities);',
    finds: 'order',
  },
  {
    name: 'learners are proposed another transaction than the leader logs',
    file: 'broadcast/leader.js',
    from: 'learner.proposal(zxid, entry);',
    to: 'learner.proposal(zxid, ((other) => { other[27] ^= 1; return other; })(Buffer.from(entry)));',
    finds: 'one-history',
  },
  {
    name: 'nodes with children are deleted',
    file: 'request/prepare.js',
    from: '            return ErrorCode.NotEmpty;\n        this.entry.string(path);',
    to: '            this.now;\n        this.entry.string(path);',
    servers: 1,
    finds: 'transactions',
  },
  {
    name: 'replies have lengths that cannot be',
    file: 'request/reply-buffer.js',
    from: 'this.view.setInt32(start, this.pos - start - 4);',
    to: 'this.view.setInt32(start, start - this.pos);',
    servers: 1,
    finds: 'protocol',
  },
];

export const PLANTED: readonly PlantedFault[] = [...PLANTED_IN_THE_SERVER, ...PLANTED_IN_RECIPES];
