// A lock for many readers or one writer. Source: InterProcessReadWriteLock of Apache Curator; ReadLock, WriteLock of kazoo.

import type { Client } from '@nodekeeper/client';
import { RecipeError } from '../base/errors.js';
import { nameOf } from '../base/paths.js';
import type { Contest } from './contend.js';
import type { LockHold } from './hold.js';
import { type AcquireOptions, Lock, type LockOptions, newOwnerScope, type OwnerScope } from './lock.js';
import { type Contender, contendersBefore, namesBefore, newLockName, sequenceDigits } from './names.js';

const RECIPE = 'InterProcessReadWriteLock';

/** Excludes all others. */
export class WriteLock extends Lock {
  /** Set by the pair that this lock is part of. */
  private readonly readsOf: (owner: unknown) => boolean;

  constructor(
    client: Client,
    path: string,
    options: LockOptions,
    scope: OwnerScope,
    readsOf: (owner: unknown) => boolean,
  ) {
    super(RECIPE, client, path, options, scope);
    this.readsOf = readsOf;
  }

  /** As {@link Lock.acquire}; rejects with `WouldDeadlock` if the owner holds the read lock, which it would wait for. */
  override async acquire(options: AcquireOptions = {}): Promise<LockHold> {
    this.refuseReader(options.owner);
    return super.acquire(options);
  }

  override async tryAcquire(options: AcquireOptions = {}): Promise<LockHold | undefined> {
    this.refuseReader(options.owner);
    return super.tryAcquire(options);
  }

  /** By what the owner holds the lock: the node's name, and the fencing token. */
  placeOf(owner: unknown): { readonly name: string; readonly fencingToken: number } | undefined {
    const seat = this.seatOf(owner);
    return seat && { name: nameOf(seat.path), fencingToken: seat.token };
  }

  protected contest(): Contest {
    const { layout = 'curator', data } = this.options;
    return { path: this.path, newName: () => newLockName(layout, 'write'), data, ahead: namesBefore };
  }

  protected isParticipant({ isReader }: Contender): boolean {
    return !isReader;
  }

  private refuseReader(owner: unknown): void {
    if (owner === undefined || this.isOwnedBy(owner) || !this.readsOf(owner)) return;
    throw new RecipeError('WouldDeadlock', RECIPE, this.path, 'a reader cannot become the writer: release first');
  }
}

/** Excludes writers. The owner of the write lock gets it at once, and may then release the write lock: a downgrade. */
export class ReadLock extends Lock {
  private readonly writeLock: WriteLock;

  constructor(client: Client, path: string, options: LockOptions, scope: OwnerScope, writeLock: WriteLock) {
    super(RECIPE, client, path, options, scope);
    this.writeLock = writeLock;
  }

  protected contest(owner: unknown): Contest {
    const { layout = 'curator', data } = this.options;
    const newName = (): string => newLockName(layout, 'read');
    const atTheEnd: Contest = { path: this.path, newName, data, ahead: writersBefore };
    const place = this.writeLock.placeOf(owner);
    if (place === undefined) return atTheEnd;
    // With the writer's own number the reader keeps the writer's place before all those who wait; and its token, as theirs
    // are greater than the writer's, but may be smaller than that of a node that is made now.
    return {
      ...atTheEnd,
      newName: () => newName() + sequenceDigits(place.name),
      mode: 'ephemeral',
      heir: { of: place.name, fencingToken: place.fencingToken, otherwise: atTheEnd },
    };
  }

  protected isParticipant({ isReader }: Contender): boolean {
    return isReader;
  }
}

/**
 * Two locks on one path. Readers and writers come in the order of asking, so neither starves. Both are re-entrant per owner;
 * a writer may also read.
 */
export class InterProcessReadWriteLock {
  readonly readLock: ReadLock;
  readonly writeLock: WriteLock;

  /** @throws RecipeError BadPath */
  constructor(client: Client, path: string, options: LockOptions = {}) {
    const scope = newOwnerScope();
    this.writeLock = new WriteLock(client, path, options, scope, (owner) => this.readLock.isOwnedBy(owner));
    this.readLock = new ReadLock(client, path, options, scope, this.writeLock);
  }
}

function writersBefore(children: readonly string[], own: string): string[] {
  return contendersBefore(children, own).flatMap(({ name, isReader }) => (isReader ? [] : [name]));
}
