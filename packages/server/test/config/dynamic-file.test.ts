// The files that a reconfiguration changes, on a disk whose power fails.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DynamicFile, type TextFiles } from '../../dist/config/dynamic-file.js';
import { parseConfig } from '../../dist/quorum/quorum-config.js';

test('members that were proposed and withdrawn do not come back with the power', () => {
  const seen = new Map<string, string>();
  const medium = new Map<string, string>();
  const disk: TextFiles = {
    readText: (path) => seen.get(path),
    replaceText: (path, text) => {
      for (const files of [seen, medium]) files.set(path, text);
    },
    size: (path) => seen.get(path)?.length,
    remove: (path) => seen.delete(path),
    syncDir: (dir) => {
      for (const path of medium.keys()) if (path.startsWith(`${dir}/`) && !seen.has(path)) medium.delete(path);
    },
  };
  const file = new DynamicFile(disk, '/conf/zoo.cfg');
  file.propose(parseConfig('server.1=h:1:2;3\nversion=5'));
  assert.equal(file.proposed()?.version, 5);
  file.withdraw();
  assert.equal(file.proposed(), undefined);
  assert.equal(
    new DynamicFile({ ...disk, readText: (path) => medium.get(path) }, '/conf/zoo.cfg').proposed(),
    undefined,
  );
});
