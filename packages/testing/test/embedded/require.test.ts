// The package by `require`: the same modules as by `import`, also in a context whose own loader takes no ES modules.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import * as testing from '../../dist/index.js';

const require = createRequire(import.meta.url);

test('by require, the package has what it has by import', () => {
  const required = require('@nodekeeper/testing') as typeof testing;
  assert.deepEqual(Object.keys(required).sort(), Object.keys(testing).sort());
  assert.equal(required.startServer, testing.startServer);
});

test('a runner with a loader of its own is gone around', () => {
  const file = require.resolve('@nodekeeper/testing');
  const module: { exports: Partial<typeof testing> } = { exports: {} };
  const refuse = (): never => {
    throw new Error('this loader takes no ES modules');
  };
  const sandbox = { Buffer, module, require: refuse, __filename: file, process: { getBuiltinModule: refuse } };
  runInNewContext(readFileSync(file, 'utf8'), sandbox);
  assert.equal(module.exports.startServer, testing.startServer);
});
