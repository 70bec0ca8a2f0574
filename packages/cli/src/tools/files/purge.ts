// `tools purge`: deletes snapshots and logs that the newest few snapshots do not need, as Apache's zkCleanup.sh does.

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { nodeDisk, purge, purgeable } from '@nodekeeper/server/storage';
import { Failure, type Output } from '../output.js';
import { mediumDate } from './dates.js';

const LEAST = 3;

export async function runPurge(
  logDir: string,
  snapshotDir: string | undefined,
  { count, dryRun = false }: { readonly count: number; readonly dryRun?: boolean },
  output: Output,
): Promise<void> {
  if (!(count >= LEAST)) throw new Failure(`count should be greater than or equal to ${LEAST}`, 2);
  const dataDir = snapshotDir ?? logDir;
  for (const dir of [logDir, dataDir]) if (!existsSync(dir)) throw new Failure(`Path '${dir}' does not exist. `, 2);
  const dirs = { dataDir, dataLogDir: logDir, snapshots: join(dataDir, 'version-2'), logs: join(logDir, 'version-2') };
  const tell = (path: string): void => {
    if (output.json) output.value({ file: path, removed: !dryRun });
    else output.line(`${dryRun ? 'Would remove' : 'Removing'} file: ${mediumDate(statSync(path).mtimeMs)}\t${path}`);
  };
  if (dryRun) {
    const { snapshots, logs } = await purgeable(nodeDisk, dirs, count);
    for (const path of [...snapshots, ...logs]) tell(path);
  } else await purge(nodeDisk, dirs, count, tell);
}
