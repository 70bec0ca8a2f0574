// Data directories on small disks of their own, which a test can fill: a tmpfs for each server. Needs the right to mount.

import { execFileSync } from 'node:child_process';
import { cpSync, lstatSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ensemble } from '../ensemble/ensemble.js';
import type { Member } from '../ensemble/member.js';

const SIZE = '64m';
const PIECE = Buffer.alloc(64 * 1024);

export class SmallDisks {
  readonly #members: readonly Member[];
  readonly #full = new Set<Member>();

  private constructor(members: readonly Member[]) {
    this.#members = members;
  }

  /** Mounts a disk for each server, none of which runs yet. Undefined where that is not allowed. */
  static of(ensemble: Ensemble): SmallDisks | undefined {
    const mounted: Member[] = [];
    try {
      for (const member of ensemble.members) {
        execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', member.dataDir], { stdio: 'ignore' });
        mounted.push(member);
        writeFileSync(join(member.dataDir, 'myid'), `${member.id}\n`);
      }
    } catch {
      new SmallDisks(mounted).unmount();
      return undefined;
    }
    return new SmallDisks(mounted);
  }

  /** Leaves no byte free. */
  fill(member: Member): void {
    this.#full.add(member);
    try {
      for (;;) writeFileSync(filler(member), PIECE, { flag: 'a' });
    } catch {
      // It is full.
    }
  }

  /** Returns those whose disks were full. */
  free(): Member[] {
    for (const member of this.#members) rmSync(filler(member), { force: true });
    const full = [...this.#full];
    this.#full.clear();
    return full;
  }

  /** Takes the disks away; what is on them is copied beside them first if it shall be kept. */
  unmount(keep = false): void {
    for (const member of this.#members) {
      if (keep) {
        // The lock of a server is a socket, which cannot be copied.
        const filter = (path: string): boolean => !lstatSync(path).isSocket();
        cpSync(member.dataDir, `${member.dataDir}-kept`, { recursive: true, filter });
      }
      execFileSync('umount', ['-l', member.dataDir]);
    }
  }
}

const filler = (member: Member): string => join(member.dataDir, 'filler');
