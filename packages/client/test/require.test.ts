// What `require` gives, and what its types say that it gives.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import * as imported from '@nodekeeper/client';

test('the types for require name all that is there, as import has it', () => {
  const required = createRequire(import.meta.url)('@nodekeeper/client') as object;
  const types = readFileSync(new URL('../cjs/index.d.cts', import.meta.url), 'utf8');
  const declared = [...types.matchAll(/^export declare const (\w+): Module\['\1'\];$/gm)].map(([, name]) => name);
  assert.deepEqual(declared.sort(), Object.keys(required).sort());
  assert.deepEqual(Object.keys(required).sort(), Object.keys(imported).sort());
});
