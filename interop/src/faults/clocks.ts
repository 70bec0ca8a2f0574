// Wall clocks of servers that jump: libfaketime reads an offset from a file of each server, before every call. Java virtual machines
// ask for the time so often that they would do nothing else: only this project's servers get such clocks.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ensemble } from '../ensemble/ensemble.js';
import type { Member } from '../ensemble/member.js';

const LIBRARY = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';

export class Clocks {
  readonly members: readonly Member[];

  private constructor(members: readonly Member[]) {
    this.members = members;
    for (const member of members) {
      this.set(member, 0);
      member.env = {
        LD_PRELOAD: LIBRARY,
        FAKETIME_TIMESTAMP_FILE: file(member),
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        DONT_FAKE_MONOTONIC: '1',
      };
    }
  }

  /** Undefined where Debian's package `faketime` is not installed, or all servers are Apache's. */
  static of(ensemble: Ensemble): Clocks | undefined {
    const members = ensemble.members.filter(({ kind }) => kind === 'nodekeeper');
    return existsSync(LIBRARY) && members.length > 0 ? new Clocks(members) : undefined;
  }

  /** The server's clock goes wrong by that much, from now on. */
  set(member: Member, seconds: number): void {
    writeFileSync(file(member), `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}\n`);
  }

  reset(): void {
    for (const member of this.members) this.set(member, 0);
  }
}

const file = (member: Member): string => join(member.dir, 'clock');
