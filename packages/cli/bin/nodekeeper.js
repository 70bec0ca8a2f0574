#!/usr/bin/env node
// The command as npm links it: npm does so at installation, when a clone has no dist yet.

import { existsSync } from 'node:fs';

const main = new URL('../dist/main.js', import.meta.url);
if (existsSync(main)) await import(main);
else {
  process.stderr.write('nodekeeper is not built yet: npm run build\n');
  process.exitCode = 1;
}
