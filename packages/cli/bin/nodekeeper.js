#!/usr/bin/env node
// The command as npm links it: npm does so at installation, when a clone has nothing built yet.

import { existsSync } from 'node:fs';

const built = ['../bundle/main.js', '../dist/main.js'].map((file) => new URL(file, import.meta.url)).find(existsSync);
if (built !== undefined) await import(built);
else {
  process.stderr.write('nodekeeper is not built yet: npm run build\n');
  process.exitCode = 1;
}
