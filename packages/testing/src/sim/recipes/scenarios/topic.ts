// A topic: every message that is published is there once, and all subscribers get the same ones in the same order.

import { isKeeperError } from '@nodekeeper/client';
import { stringSerializer, Topic } from '@nodekeeper/recipes';
import type { Finding } from '../../checks.js';
import { type Part, type Scenario, until } from '../scenario.js';

const PATH = '/topic';

export function topicScenario(): Scenario {
  const findings: Finding[] = [];
  /** What is at each sequence, as the first who was told saw it. */
  const messages = new Map<number, string>();
  const published = new Map<string, number>();
  let last = -1;
  return {
    async play(part) {
      const topic = new Topic(part.client, PATH, stringSerializer, { retention: 100_000 });
      const subscription = topic.subscribe({ from: 'oldest' });
      let seen = -1;
      const reading = (async () => {
        for await (const delivery of subscription) {
          if (delivery.type !== 'message') {
            findings.push({ kind: 'topic', message: `${part.name} is told of a ${delivery.type} after ${seen}` });
            continue;
          }
          if (delivery.sequence !== seen + 1)
            findings.push({ kind: 'topic', message: `${part.name} gets ${delivery.sequence} after ${seen}` });
          seen = delivery.sequence;
          delivered(seen, delivery.value);
        }
      })();
      for (let i = 0; !part.isOver(); i++) {
        await publish(part, topic, `${part.name}-${i}`);
        await part.sleep(part.random.between(0, 100));
      }
      part.ended();
      await until(part, part.othersHaveEnded);
      last = Math.max(last, ...(await topic.sequences()));
      await until(part, () => seen >= last);
      await subscription.return();
      await reading;
    },
    *check() {
      yield* findings;
      const times = new Map<string, number>();
      for (const message of messages.values()) times.set(message, (times.get(message) ?? 0) + 1);
      for (const [message, count] of times)
        if (count > 1) yield { kind: 'topic', message: `${message} is there ${count} times` };
      // If all clients died, nobody may have read what was published last.
      const reached = Math.max(last, ...messages.keys());
      for (const [message, sequence] of published) {
        if (sequence <= reached && messages.get(sequence) !== message)
          yield { kind: 'topic', message: `${message} is not at ${sequence}` };
      }
    },
    mayStay: (path) => path.startsWith(PATH),
  };

  function delivered(sequence: number, message: string): void {
    const known = messages.get(sequence);
    if (known !== undefined && known !== message)
      findings.push({ kind: 'topic', message: `${sequence} is ${known}, and ${message} for others` });
    messages.set(sequence, message);
  }

  async function publish(part: Part, topic: Topic<string>, message: string): Promise<void> {
    try {
      published.set(message, await topic.publish(message));
    } catch (error) {
      if (!isKeeperError(error)) throw error;
      part.trace(`publish ${message}: ${error.message}`);
    }
  }
}
