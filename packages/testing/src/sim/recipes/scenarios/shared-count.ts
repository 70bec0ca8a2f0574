// A shared count that several set on what they have seen: no set on the same version succeeds twice; all end up with the same.

import { isKeeperError } from '@nodekeeper/client';
import { SharedCount } from '@nodekeeper/recipes';
import type { Finding } from '../../checks.js';
import { type Part, type Scenario, until } from '../scenario.js';

const PATH = '/shared-count';

export function sharedCountScenario(): Scenario {
  /** Who has set it on which version. */
  const setters = new Map<number, string>();
  const findings: Finding[] = [];
  const counts = new Map<string, SharedCount>();
  let isEqual = false;
  return {
    async play(part) {
      const count = await started(part);
      let seen = 0;
      count.on('change', ({ zxid }) => {
        if (zxid <= seen) findings.push({ kind: 'shared count', message: `${part.name} is shown what is older` });
        seen = zxid;
      });
      while (!part.isOver()) {
        await set(part, count);
        await part.sleep(part.random.between(0, 60));
      }
      part.ended();
      await until(part, part.othersHaveEnded);
      await until(part, () => isEqual);
      counts.delete(part.name);
      await count.close();
    },
    missing({ model }, isAlive) {
      const node = model.nodes.get(PATH);
      for (const [name, count] of counts)
        if (isAlive(name) && count.versionedValue.zxid !== node?.mzxid) return `the shared count of ${name} is old`;
      isEqual = true;
      return undefined;
    },
    check: () => findings,
    mayStay: (path) => path === PATH,
  };

  async function started(part: Part): Promise<SharedCount> {
    for (;;) {
      const count = new SharedCount(part.client, PATH, 0);
      try {
        await count.start();
        counts.set(part.name, count);
        return count;
      } catch (error) {
        if (!isKeeperError(error)) throw error;
        part.trace(`${PATH}: ${error.message}`);
      }
    }
  }

  async function set({ name, random }: Part, count: SharedCount): Promise<void> {
    const before = count.versionedValue;
    try {
      if (!(await count.trySetCount(before, random.int(1_000_000)))) return;
    } catch (error) {
      if (!isKeeperError(error)) throw error; // nobody knows
      return;
    }
    const other = setters.get(before.version);
    if (other !== undefined)
      findings.push({ kind: 'shared count', message: `${other} and ${name} have both set version ${before.version}` });
    setters.set(before.version, name);
  }
}
