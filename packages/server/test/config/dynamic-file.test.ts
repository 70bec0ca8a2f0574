// The files that a reconfiguration changes, on a disk whose power fails.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
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

test('a member keeps its client port if its new line names none, and the file is named by its whole path', () => {
  const files = new Map([['conf/zoo.cfg', 'dataDir=/d\nserver.1=h:1:2;3\n']]);
  const disk: TextFiles = {
    readText: (path) => files.get(path),
    replaceText: (path, text) => files.set(path, text),
    size: (path) => files.get(path)?.length,
    remove: (path) => files.delete(path),
    syncDir: () => {},
  };
  const file = new DynamicFile(disk, 'conf/zoo.cfg');
  const activate = (line: string, before: string): string => {
    const own = parseConfig(`server.1=${before}`).members.get(1);
    assert.ok(own !== undefined);
    file.activate(parseConfig(`server.1=${line}\nversion=5`), own);
    return files.get('conf/zoo.cfg') ?? '';
  };
  const named = `dynamicConfigFile=${resolve('conf/zoo.cfg.dynamic.5')}\n`;
  assert.equal(activate('h:1:2;4', 'h:1:2;3'), `dataDir=/d\n${named}`);
  assert.equal(
    activate('h:1:2', 'h:1:2;127.0.0.1:4'),
    `dataDir=/d\nclientPort=4\nclientPortAddress=127.0.0.1\n${named}`,
  );
  assert.equal(activate('h:1:2', 'h:1:2'), `dataDir=/d\nclientPort=4\nclientPortAddress=127.0.0.1\n${named}`);
  assert.equal(activate('h:1:2;5', 'h:1:2'), `dataDir=/d\n${named}`);
});
