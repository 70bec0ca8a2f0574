// The line that `version` prints, in the form of zkServer.sh's.

import { BUILD_DATE, FULL_VERSION } from '@nodekeeper/server/version';

export function versionLine(): string {
  return `Apache ZooKeeper, version ${FULL_VERSION} ${BUILD_DATE}`;
}
