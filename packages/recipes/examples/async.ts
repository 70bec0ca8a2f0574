// Many calls at once: sent in order, answered in order, given up when a limit has passed.

import { connect, exponentialBackoff, isKeeperError } from '@nodekeeper/client';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181', { retry: exponentialBackoff(50, 5) });
await client.ensurePath('/examples/many');

const names = Array.from({ length: 1000 }, (_, i) => `/examples/many/${i}`);
await Promise.all(names.map((name) => client.create(name, { data: name }))); // not awaited one by one
const results = await client.multiRead(names.slice(0, 3).map((path) => ({ op: 'getData', path }) as const));
console.log(results.map((result) => ('data' in result ? String(result.data) : result.codeName)).join(' '));

const controller = new AbortController();
const waiting = (async () => {
  for await (const event of client.watch('/examples/many', { recursive: true, signal: controller.signal })) {
    if (event.type === 'nodeDeleted') return event.path;
  }
  return 'nothing';
})();
const deleting = client.deleteRecursive('/examples/many');
console.log(`the first to go: ${(await waiting).startsWith('/examples/many/')}`);
console.log(`deleted ${await deleting} nodes`);
controller.abort();

await client.getData('/examples/none', { signal: AbortSignal.timeout(5000) }).catch((error) => {
  if (isKeeperError(error, 'NoNode')) console.log(`no node ${error.path}`);
});
