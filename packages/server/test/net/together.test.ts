// Very many clients that ask for much at the same moment: the loop comes round in between, for others and for time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpCode } from '@nodekeeper/protocol';
import { RawClient, serve } from '../server/raw-client.js';

const CLIENTS = 60;
const WATCHES = 3000;

test('requests that come together and are much are done in several rounds of the loop', async (t) => {
  const { clientPort, server } = await serve(t);
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => RawClient.open(t, clientPort)));
  let round = 0;
  let going = true;
  const nextRound = (): void => {
    round++;
    if (going) setImmediate(nextRound);
  };
  const inRound = new Map<number, number>();
  const { processor } = server.port;
  const submit = processor.submit.bind(processor);
  t.mock.method(processor, 'submit', (...request: Parameters<typeof submit>) => {
    inRound.set(round, (inRound.get(round) ?? 0) + 1);
    submit(...request);
  });
  nextRound();
  const none: readonly string[] = [];
  const paths = Array.from({ length: WATCHES }, (_, i) => `/some/path/that/is/not/there/${i}`);
  for (const client of clients) {
    client.send(OpCode.setWatches, (w) => {
      w.long53(0);
      for (const list of [none, paths, none]) w.vector(list, (x, path) => x.string(path));
    });
  }
  for (const client of clients) assert.equal((await client.reply()).error, 0);
  going = false;
  assert.equal(server.database.tree.watches.count, CLIENTS * WATCHES);
  const most = Math.max(...inRound.values());
  assert.ok(most <= 10, `${most} requests of 100 KB in one round`);
});
