// A file that holds what a node holds: cluster-wide configuration for programs that read files.

import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Client } from '@nodekeeper/client';
import { Callback } from '../base/callback.js';
import { RecipeEmitter } from '../base/emitter.js';
import { followData } from '../base/follow.js';
import { Lifecycle } from '../base/lifecycle.js';
import { recipePath } from '../base/paths.js';
import { deferred, startOrClose, type WaitOptions } from '../base/wait.js';

export interface SyncedFileOptions {
  /** Of the file; 0o644 if not given. */
  readonly mode?: number | undefined;
  /** Called after the file was written, one call at a time: tell a program to read it again. What it changes is written behind it. */
  readonly onReload?: ((file: string) => void | Promise<void>) | undefined;
}

/** Writes a file whole or not at all: readers see the old content or the new, also after a crash. */
export class SyncedFile {
  readonly file: string;
  private readonly options: SyncedFileOptions;
  private readonly reloading = new Callback();
  private wanted: Uint8Array | undefined;
  private writing: Promise<void> | undefined;

  constructor(file: string, options: SyncedFileOptions = {}) {
    this.file = file;
    this.options = options;
  }

  /** Whether this is called by the hook, which cannot wait for a write: that waits for the hook. */
  get isInHook(): boolean {
    return this.reloading.isInside;
  }

  /** Resolves when the file holds this content or a later one, and the hook was called if it did not before. */
  write(content: Uint8Array): Promise<void> {
    this.wanted = content;
    this.writing ??= this.writeWanted();
    return this.writing;
  }

  /** Resolves when nothing is being written. */
  async written(): Promise<void> {
    await this.writing?.catch(() => {});
  }

  private async writeWanted(): Promise<void> {
    try {
      while (this.wanted !== undefined) {
        const content = this.wanted;
        this.wanted = undefined;
        try {
          await this.writeNow(content);
        } catch (error) {
          if (this.wanted === undefined) throw error; // else a later content makes up for it
        }
      }
    } finally {
      this.writing = undefined; // in the same turn as the last look, so that nothing is wanted between
    }
  }

  private async writeNow(content: Uint8Array): Promise<void> {
    const before = await readFile(this.file).catch(() => undefined);
    if (before?.equals(content)) return;
    await replaceFile(this.file, content, this.options.mode ?? 0o644);
    await this.reloading.run(() => this.options.onReload?.(this.file));
  }
}

async function replaceFile(file: string, content: Uint8Array, mode: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const temporary = `${file}.${randomUUID()}`;
  try {
    const handle = await open(temporary, 'wx', mode);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

export interface FileSyncEvents {
  /** The file holds what the node held. */
  synced: [file: string];
}

/** Keeps a file equal to a node, byte for byte. While there is no node the file stays as it is. */
export class FileSync extends RecipeEmitter<FileSyncEvents> implements AsyncDisposable {
  readonly path: string;
  readonly file: string;
  private readonly client: Client;
  private readonly target: SyncedFile;
  private readonly life: Lifecycle;
  private following: Promise<void> | undefined;

  /** @throws RecipeError BadPath */
  constructor(client: Client, path: string, file: string, options: SyncedFileOptions = {}) {
    super();
    this.path = recipePath('FileSync', path);
    this.file = file;
    this.client = client.untimed;
    this.target = new SyncedFile(file, options);
    this.life = new Lifecycle('FileSync', path);
  }

  /** Resolves when the node was read, and the file written. Rejects with AlreadyStarted, Closed, or what went wrong. */
  async start(wait: WaitOptions = {}): Promise<this> {
    this.life.start();
    const first = deferred();
    let isStarting = true;
    this.following = followData(this.client, this.path, this.life.signal, (node) => {
      const written = node === null ? Promise.resolve() : this.write(node.data ?? Buffer.alloc(0));
      written.then(first.resolve, (error) => (isStarting ? first.reject(error) : this.fail(error)));
    });
    this.following.then(() => first.reject(this.life.signal.reason), first.reject);
    await startOrClose(this, wait, { recipe: 'FileSync', path: this.path }, () => first.promise);
    isStarting = false;
    this.following.catch((error) => this.fail(error));
    return this;
  }

  /** Resolves when nothing is being written any more; called by the hook, which is part of that, at once. */
  async close(): Promise<void> {
    if (!this.life.close()) return;
    this.endStreams();
    if (!this.target.isInHook) await this.target.written();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async write(content: Buffer): Promise<void> {
    await this.target.write(content);
    if (!this.life.isClosed) this.tell('synced', this.file);
  }
}
