// The files that a reconfiguration changes: `<zoo.cfg>.dynamic.<version>` with the members, `<zoo.cfg>.dynamic.next` while one is
// proposed, and zoo.cfg itself, which then names the former. Source: QuorumPeerConfig of Apache ZooKeeper.

import { dirname, resolve } from 'node:path';
import { formatConfig, type Member, parseConfig, type QuorumConfig } from '../quorum/quorum-config.js';

/** What is needed of a disk. */
export interface TextFiles {
  readText(path: string): string | undefined;
  /** Durable when it returns; after a crash the file holds the old text or the new one. */
  replaceText(path: string, text: string): void;
  size(path: string): number | undefined;
  remove(path: string): void;
  /** Makes names that were removed from the directory stay removed. */
  syncDir(dir: string): void;
}

/** Keys of zoo.cfg that the dynamic file takes over. */
const MOVED = /^\s*((server|group|weight)\.\d+|dynamicConfigFile|peerType)\s*[=:]/;
const CLIENT = /^\s*(clientPort|clientPortAddress)\s*[=:]/;

export class DynamicFile {
  private readonly disk: TextFiles;
  private readonly path: string;

  /** @param path of zoo.cfg */
  constructor(disk: TextFiles, path: string) {
    this.disk = disk;
    this.path = path;
  }

  private get next(): string {
    return `${this.path}.dynamic.next`;
  }

  /**
   * The members that were proposed before a crash, if some were.
   * @throws Error naming the file if it cannot be read
   */
  proposed(): QuorumConfig | undefined {
    try {
      const text = this.disk.readText(this.next);
      if (text === undefined) return undefined;
      const config = parseConfig(text);
      if (config.version === 0) throw new Error('it tells no version');
      return config;
    } catch (e) {
      throw new Error(`${this.next} cannot be read: ${(e as Error).message}`);
    }
  }

  propose(config: QuorumConfig): void {
    this.disk.replaceText(this.next, formatConfig(config));
  }

  /** Durable when it returns: members that came back would have to agree to every leader. */
  withdraw(): void {
    const { disk, next } = this;
    if (disk.size(next) === undefined) return;
    disk.remove(next);
    disk.syncDir(dirname(next));
  }

  /**
   * Writes the members down, and has zoo.cfg name them.
   * @param before the server's own line until now, whose client port it keeps if the new one names none
   */
  activate(config: QuorumConfig, { id, clientAddress: before }: Member): void {
    const { disk, path } = this;
    const text = disk.readText(path);
    if (text === undefined) return;
    const lines = text.split('\n');
    if (lines.some((line) => /^\s*server\.\d+\s*[=:]/.test(line))) disk.replaceText(`${path}.bak`, text);
    const file = `${path}.dynamic.${config.version.toString(16)}`;
    const members = formatConfig(config).split('\n').slice(0, -1).sort();
    disk.replaceText(file, members.join('\n'));
    const withClients = config.members.get(id)?.clientAddress !== undefined;
    const kept = lines.filter((line) => !MOVED.test(line) && !(withClients && CLIENT.test(line)));
    while (kept.length > 0 && kept[kept.length - 1]?.trim() === '') kept.pop();
    if (!withClients && before !== undefined && !lines.some((line) => CLIENT.test(line))) {
      kept.push(`clientPort=${before.port}`);
      if (before.host !== '0.0.0.0') kept.push(`clientPortAddress=${before.host}`);
    }
    disk.replaceText(path, `${kept.join('\n')}\ndynamicConfigFile=${resolve(file)}\n`);
  }
}
