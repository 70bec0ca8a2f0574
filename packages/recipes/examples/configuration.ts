// A configuration that all machines share: typed, changed as a whole, with a way back, and in a file for others.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nodekeeper/client';
import { LiveConfiguration, type StandardSchema } from '@nodekeeper/recipes';

interface Settings {
  readonly host: string;
  readonly port: number;
}

// Zod, Valibot, ArkType and others make such a schema of less.
const schema: StandardSchema<Settings> = {
  '~standard': {
    version: 1,
    vendor: 'example',
    validate(value) {
      const { host, port } = value as Settings;
      if (!(port > 0 && port < 65_536)) return { issues: [{ message: 'not a port', path: ['port'] }] };
      return { value: { host, port } };
    },
  },
};

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
const dir = mkdtempSync(join(tmpdir(), 'configuration-'));
const file = { path: join(dir, 'settings.json'), onReload: () => console.log('the file has changed: reload') };
const initial = { host: 'db-1', port: 5432 };
{
  await using settings = await new LiveConfiguration(client, '/examples/settings', { schema, initial, file }).start();
  settings.on('change', (now, before) => console.log(`${before.host}:${before.port} to ${now.host}:${now.port}`));
  await settings.update({ host: 'db-2', port: 5433 });
  await settings.update({ port: 0 }).catch((error) => console.log(error.message));
  await settings.rollBack(0);
  console.log(`versions kept: ${(await settings.history()).map(({ version }) => version).join()}`);
}
console.log(readFileSync(file.path, 'utf8').trim());
rmSync(dir, { recursive: true });
