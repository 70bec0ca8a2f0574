// A live configuration that several edit: every edit is made once, none undoes another's, and all end up with the same.

import { isKeeperError } from '@nodekeeper/client';
import { LiveConfiguration, type StandardSchema } from '@nodekeeper/recipes';
import type { Finding } from '../../checks.js';
import { type Part, type Scenario, until } from '../scenario.js';

const PATH = '/configuration';

type Counts = Readonly<Record<string, number>>;

const schema: StandardSchema<Counts> = {
  '~standard': { version: 1, vendor: 'simulator', validate: (value) => ({ value: value as Counts }) },
};

export function configurationScenario(): Scenario {
  /** How often each program has edited for certain, and perhaps. */
  const made = new Map<string, { sure: number; unsure: number }>();
  const configurations = new Map<string, LiveConfiguration<Counts>>();
  let isEqual = false;
  return {
    async play(part) {
      const tally = { sure: 0, unsure: 0 };
      made.set(part.name, tally);
      const configuration = await started(part);
      while (!part.isOver()) {
        await edit(part, configuration, tally);
        await part.sleep(part.random.between(0, 80));
      }
      part.ended();
      await until(part, part.othersHaveEnded);
      await until(part, () => isEqual);
      configurations.delete(part.name);
      await configuration.close();
    },
    missing({ model }, isAlive) {
      const due = model.nodes.get(PATH)?.data.toString();
      for (const [name, { values }] of configurations)
        if (isAlive(name) && JSON.stringify(values) !== due)
          return `${name} has ${JSON.stringify(values)}, and ${due} is there`;
      isEqual = true;
      return undefined;
    },
    *check({ model }): Generator<Finding> {
      const counts = JSON.parse(model.nodes.get(PATH)?.data.toString() ?? '{}') as Counts;
      for (const [name, { sure, unsure }] of made) {
        const count = counts[name] ?? 0;
        if (count < sure || count > sure + unsure)
          yield {
            kind: 'configuration',
            message: `${name} has edited ${sure} times, perhaps ${unsure} more: ${count}`,
          };
      }
    },
    mayStay: (path) => path === PATH || path.startsWith(`${PATH}/history`),
  };

  /** The first program writes the first configuration. */
  async function started(part: Part): Promise<LiveConfiguration<Counts>> {
    for (;;) {
      const configuration = new LiveConfiguration(part.client, PATH, { schema, initial: {}, historySize: 4 });
      configuration.on('error', (error) => part.trace(`${PATH}: ${error}`));
      try {
        await configuration.start();
        configurations.set(part.name, configuration);
        return configuration;
      } catch (error) {
        if (!isKeeperError(error)) throw error;
        part.trace(`${PATH}: ${error.message}`);
      }
    }
  }

  async function edit(
    { name }: Part,
    configuration: LiveConfiguration<Counts>,
    tally: { sure: number; unsure: number },
  ): Promise<void> {
    tally.unsure++; // until it is known
    try {
      await configuration.edit((counts) => ({ ...counts, [name]: (counts[name] ?? 0) + 1 }));
      tally.sure++;
      tally.unsure--;
    } catch (error) {
      if (!isKeeperError(error)) throw error;
      if (!error.outcomeUnknown) tally.unsure--;
    }
  }
}
