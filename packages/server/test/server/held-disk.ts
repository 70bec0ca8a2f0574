// The real disk, whose log finishes no write while it is held.

import type { Disk } from '../../dist/storage/disk.js';
import { diskWithLogs } from './changed-logs.js';

export class HeldDisk {
  private held = false;
  private readonly waiting: (() => void)[] = [];
  readonly disk: Disk = diskWithLogs((file) => {
    const write = file.write.bind(file);
    file.write = (parts, position, written) =>
      write(parts, position, (e) => {
        if (this.held) this.waiting.push(() => written(e));
        else written(e);
      });
  });

  hold(): void {
    this.held = true;
  }

  release(): void {
    this.held = false;
    for (const go of this.waiting.splice(0)) go();
  }
}
