// Waiting for something that follows from events of servers alone.
import assert from 'node:assert/strict';

const LIMIT_MS = 60_000;

export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'it does not come about');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
