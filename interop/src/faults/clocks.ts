// Wall clocks of servers that jump: libfaketime reads an offset from a file of each server, before every call.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ensemble } from '../ensemble/ensemble.js';
import type { Member } from '../ensemble/member.js';

const LIBRARY = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';

export class Clocks {
  readonly #members: readonly Member[];

  private constructor(members: readonly Member[]) {
    this.#members = members;
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

  /** Undefined where Debian's package `faketime` is not installed. */
  static of(ensemble: Ensemble): Clocks | undefined {
    return existsSync(LIBRARY) ? new Clocks(ensemble.members) : undefined;
  }

  /** The server's clock goes wrong by that much, from now on. */
  set(member: Member, seconds: number): void {
    writeFileSync(file(member), `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}\n`);
  }

  reset(): void {
    for (const member of this.#members) this.set(member, 0);
  }
}

const file = (member: Member): string => join(member.dir, 'clock');
