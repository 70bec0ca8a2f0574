// What the packages say of themselves: all that a program finds in them when they come from a registry.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

for (const name of readdirSync(join(ROOT, 'packages'))) {
  test(`@nodekeeper/${name} is whole`, () => {
    const dir = join(ROOT, 'packages', name);
    const about = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
    assert.deepEqual(readFileSync(join(dir, 'LICENSE')), readFileSync(join(ROOT, 'LICENSE')));
    assert.ok(existsSync(join(dir, 'README.md')));
    assert.match(about.scripts.prepack, /prepack\.js/, 'nothing is packed without being built');
    // Source maps name the sources.
    assert.ok(!about.files.includes('dist') || about.files.includes('src'));
    if (about.exports === undefined) return;
    // For resolution as of before `exports`.
    for (const key of ['main', 'types']) assert.ok(existsSync(join(dir, about[key])), key);
  });
}
