// start and stop where not everything is as it should be: other servers, other users, wrong configurations, full disks.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createConnection, createServer } from 'node:net';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect } from '@nodekeeper/client';
import { hintsOfLookups } from '../../server/dist-test/net/lookups.js';
import { reach, tryTls } from '../dist/doctor/probes.js';
import { isAlive, readPidFile } from '../dist/server-process.js';
import { accepts, answersHandshake, fourLetterWord } from '../dist/server-status.js';
import { atEnd, freeRange, MAIN, run, runMain, runWith, temporary, zooCfg } from './support.js';

const hasProc = existsSync('/proc');

test('a server is looked for where it listens, whatever addresses the machine has', async (t) => {
  const listener = createServer((socket) => socket.on('error', () => {}).end('yes')).listen(0, 'localhost');
  atEnd(t, () => listener.close());
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const hints = hintsOfLookups(t);
  assert.equal(await fourLetterWord('localhost', port, 'ruok'), 'yes');
  assert.ok(await answersHandshake('localhost', port));
  assert.ok(await accepts('localhost', port));
  assert.equal((await reach('localhost', port, 1000)).how, 'open');
  assert.equal((await tryTls('localhost', port, {}, 1000)).isTls, false);
  assert.deepEqual(
    hints,
    [0, 0, 0, 0, 0],
    'not dns.ADDRCONFIG, which leaves out 127.0.0.1 beside IPv6 addresses alone',
  );
});

/** A process with this word in its command line, written down as the server of the data directory. */
async function standIn(t: TestContext, dataDir: string, word: string): Promise<{ pid: number; file: string }> {
  const child = spawn(process.execPath, ['-e', 'console.log("up"); setInterval(() => {}, 60_000)', word]);
  atEnd(t, () => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  mkdirSync(dataDir, { recursive: true });
  const file = join(dataDir, 'zookeeper_server.pid');
  writeFileSync(file, String(child.pid));
  return { pid: child.pid as number, file };
}

test("Apache's server on the directory is known as one, and can be stopped", { skip: !hasProc }, async (t) => {
  const { file: cfg, dataDir } = await zooCfg(t);
  const { pid, file } = await standIn(t, dataDir, 'org.apache.zookeeper.server.quorum.QuorumPeerMain');
  const started = run('start', cfg);
  assert.equal(started.code, 1);
  assert.match(started.out, new RegExp(`already running as process ${pid}\\.`));
  assert.equal(run('stop', cfg).out, 'Stopping zookeeper ... STOPPED\n');
  assert.ok(!isAlive(pid));
  assert.ok(!existsSync(file));
});

test('a process that is no server is not stopped, and its file stays', { skip: !hasProc }, async (t) => {
  const { file: cfg, dataDir } = await zooCfg(t);
  const { pid, file } = await standIn(t, dataDir, 'something');
  const stopped = run('stop', cfg);
  assert.equal(stopped.code, 0);
  assert.match(stopped.out, /no zookeeper to stop \(the process that .* names is no server\)/);
  assert.ok(isAlive(pid));
  assert.ok(existsSync(file));
});

test('a server with another data directory that has got the number is let alone', { skip: !hasProc }, async (t) => {
  const [mine, other] = [await zooCfg(t), await zooCfg(t)];
  for (const { file } of [mine, other]) atEnd(t, () => run('stop', file));
  assert.equal(run('start', other.file).code, 0);
  const pid = readFileSync(join(other.dataDir, 'zookeeper_server.pid'), 'utf8');
  mkdirSync(mine.dataDir);
  writeFileSync(join(mine.dataDir, 'zookeeper_server.pid'), pid);
  const stopped = run('stop', mine.file);
  assert.equal(stopped.code, 0);
  assert.match(
    stopped.out,
    /no zookeeper to stop \(the process that .* names is a server with another data directory\)/,
  );
  assert.ok(isAlive(Number(pid)));
  assert.equal(run('start', mine.file).out, 'Starting zookeeper ... STARTED\n');
  assert.equal(run('stop', mine.file).out, 'Stopping zookeeper ... STOPPED\n');
  assert.equal(run('stop', other.file).out, 'Stopping zookeeper ... STOPPED\n');
});

test('of several starts at once one starts, and its process can be stopped', { skip: !hasProc }, async (t) => {
  const { file: cfg, dataDir } = await zooCfg(t);
  atEnd(t, () => run('stop', cfg));
  let starts = await Promise.all([1, 2, 3, 4].map(() => runMain(['start', cfg])));
  // All can have given way to each other.
  for (let again = 0; again < 5 && starts.every(({ code }) => code !== 0); again++)
    starts = await Promise.all([1, 2, 3, 4].map(() => runMain(['start', cfg])));
  assert.equal(starts.filter(({ code }) => code === 0).length, 1);
  for (const { out } of starts.filter(({ code }) => code !== 0))
    assert.match(out, /^Starting zookeeper \.\.\. (already running as process \d+\.|FAILED TO START)\n$/);
  const written = readPidFile(join(dataDir, 'zookeeper_server.pid'));
  assert.equal(written.state, 'running');
  assert.equal(run('stop', cfg).out, 'Stopping zookeeper ... STOPPED\n');
  assert.match(run('status', cfg).out, /It is probably not running/);
});

test('the file of a server that has ended goes', async (t) => {
  const { file: cfg, dataDir } = await zooCfg(t);
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  mkdirSync(dataDir);
  const file = join(dataDir, 'zookeeper_server.pid');
  writeFileSync(file, `${pid}\n`);
  assert.match(run('stop', cfg).out, /no zookeeper to stop \(the process that .* has ended\)/);
  assert.ok(!existsSync(file));
});

test('a pid file that is no file stays where it is', { skip: !existsSync('/dev/null') }, async (t) => {
  const { file: cfg, dataDir } = await zooCfg(t);
  mkdirSync(dataDir);
  const file = join(dataDir, 'zookeeper_server.pid');
  symlinkSync('/dev/null', file);
  assert.match(run('stop', cfg).out, /names no process/);
  assert.ok(lstatSync(file).isSymbolicLink());
});

test("another user's process counts as alive", (t) => {
  t.mock.method(process, 'kill', () => {
    throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' });
  });
  assert.equal(isAlive(process.pid), true);
});

test("another user's server is not stopped, and that is told", {
  skip: !hasProc || process.getuid?.() !== 0,
}, async (t) => {
  const { file: cfg, dataDir } = await zooCfg(t);
  const { pid, file } = await standIn(t, dataDir, 'QuorumPeerMain');
  // The same command, by a user who may read and do nothing: without rights as root has them.
  const drop = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, MAIN];
  spawnSync('chmod', ['-R', 'a+rX', join(dataDir, '..')]);
  const able = spawnSync('setpriv', [...drop, 'version']);
  if (able.status !== 0) return t.skip('a command of another user cannot be run here');
  const stopped = spawnSync('setpriv', [...drop, 'stop', cfg], { encoding: 'utf8' });
  assert.equal(stopped.status, 1);
  assert.match(stopped.stderr, new RegExp(`process ${pid} belongs to another user`));
  assert.ok(isAlive(pid) && existsSync(file));
  const started = spawnSync('setpriv', [...drop, 'start', cfg], { encoding: 'utf8' });
  assert.equal(started.status, 1);
  assert.match(started.stdout, /already running as process/);
});

test('a directory in the place of the pid file is told', async (t) => {
  const { file: cfg, dataDir } = await zooCfg(t);
  const file = join(dataDir, 'zookeeper_server.pid');
  mkdirSync(file, { recursive: true });
  assert.equal(readPidFile(file).state, 'unreadable');
  for (const verb of ['start', 'stop']) {
    const { code, err } = run(verb, cfg);
    assert.equal(code, 1);
    assert.match(err, /zookeeper_server\.pid cannot be (read|written): EISDIR/);
    assert.doesNotMatch(err, / at /, 'no stack');
  }
});

test('a server is stopped when its configuration has become wrong, and not restarted', async (t) => {
  const { file: cfg } = await zooCfg(t);
  atEnd(t, () => run('stop', cfg));
  assert.equal(run('start', cfg).code, 0);
  writeFileSync(cfg, `${readFileSync(cfg, 'utf8')}tickTime=never\n`);
  const restarted = run('restart', cfg);
  assert.equal(restarted.code, 2);
  assert.match(restarted.err, /Nothing was stopped[\s\S]*tickTime=never/);
  const stopped = run('stop', cfg);
  assert.equal(stopped.out, 'Stopping zookeeper ... STOPPED\n');
  assert.equal(stopped.code, 0);
  assert.match(stopped.err, /tickTime=never/);
});

test('ZOO_DATADIR_AUTOCREATE_DISABLE: a missing data directory is a mistake, as with zkServer.sh', async (t) => {
  const { file: cfg, dataDir } = await zooCfg(t);
  for (const verb of ['start', 'start-foreground']) {
    const refused = runWith({ ZOO_DATADIR_AUTOCREATE_DISABLE: '1' }, verb, cfg);
    assert.equal(refused.code, 1);
    assert.equal(refused.out, `ZooKeeper data directory is missing at ${dataDir} fix the path or run initialize\n`);
    assert.ok(!existsSync(dataDir));
  }
});

test('a data directory where none can be made fails in words', { skip: !hasProc }, () => {
  const started = run('start', '--data-dir', '/proc/none');
  assert.equal(started.code, 1);
  assert.match(started.err, /\/proc\/none.* cannot be written: ENOENT/);
  const here = run('start-foreground', '--data-dir', '/proc/none');
  assert.equal(here.code, 3);
  assert.match(here.err, /Unable to access datadir/);
});

test('a disk on which no epoch can be written is told with the file', { skip: !existsSync('/dev/full') }, async (t) => {
  const members = [1, 2].map((id) => `server.${id}=127.0.0.1:${id}:${id + 2}`);
  const { file: cfg, dataDir } = await zooCfg(t, ['initLimit=5', 'syncLimit=5', ...members]);
  mkdirSync(join(dataDir, 'version-2'), { recursive: true });
  writeFileSync(join(dataDir, 'myid'), '1');
  symlinkSync('/dev/full', join(dataDir, 'version-2', 'currentEpoch.tmp'));
  const { code, err } = run('start-foreground', cfg);
  assert.equal(code, 3);
  assert.match(err, /Unable to access datadir, exiting abnormally\nENOSPC.*currentEpoch\.tmp'\. Check the disk\n$/);
});

test('an id beyond what is possible is not advised to be listed', async (t) => {
  const members = [1, 2].map((id) => `server.${id}=127.0.0.1:${id}:${id + 2}`);
  const { file: cfg, dataDir } = await zooCfg(t, ['initLimit=5', 'syncLimit=5', ...members]);
  mkdirSync(dataDir);
  writeFileSync(join(dataDir, 'myid'), '300');
  const { code, err } = run('start-foreground', cfg);
  assert.equal(code, 2);
  assert.match(err, /myid says 300, but the servers are 1, 2\. Correct myid: ids are from 1 to 255/);
});

test('a file in the place of the data directory ends the server with code 3', async (t) => {
  const { file: cfg, dataDir } = await zooCfg(t);
  writeFileSync(dataDir, '');
  const { code, err } = run('start-foreground', cfg);
  assert.equal(code, 3);
  assert.match(err, /Unable to access datadir[\s\S]*ENOTDIR/);
});

test('a server whose log cannot take a word is told with the reason', {
  skip: process.platform === 'win32',
}, async (t) => {
  const { file: cfg, dataDir } = await zooCfg(t);
  // A limit on the size of files stands in for a full disk, and the log has reached it; so the server, which cannot use its
  // directory, ends without a word.
  const logs = join(dataDir, 'logs');
  mkdirSync(logs, { recursive: true });
  writeFileSync(join(dataDir, 'version-2'), '');
  const log = join(logs, `nodekeeper-${userInfo().username}-server-${hostname()}.out`);
  writeFileSync(log, Buffer.alloc(8192));
  const { stderr } = spawnSync('sh', ['-c', 'ulimit -f 1; exec "$0" "$@"', process.execPath, MAIN, 'start', cfg], {
    encoding: 'utf8',
  });
  assert.match(stderr, /The server ended with code 3:\nit could not write its log, .*: EFBIG/);
});

test('connections leave the server descriptors for its logs and snapshots', { skip: !hasProc }, async (t) => {
  const { file: cfg, port, dataDir } = await zooCfg(t, ['maxClientCnxns=0', 'snapCount=20']);
  const server = spawn('sh', ['-c', 'ulimit -n 200; exec "$0" "$@"', process.execPath, MAIN, 'start-foreground', cfg], {
    stdio: 'ignore',
  });
  atEnd(t, () => server.kill('SIGKILL'));
  const client = await connect(`127.0.0.1:${port}`);
  atEnd(t, () => client.close());
  const sockets = Array.from({ length: 400 }, () => createConnection(port, '127.0.0.1').on('error', () => {}));
  atEnd(t, () => {
    for (const socket of sockets) socket.destroy();
  });
  let refused = 0;
  await new Promise<void>((resolve) => {
    for (const socket of sockets) socket.on('close', () => ++refused === 250 && resolve()).resume();
  });
  const log = readdirSync(join(dataDir, 'version-2')).filter((name) => name.startsWith('log.'));
  for (let i = 0; i < 100; i++) await client.create(`/n${i}`);
  assert.notDeepEqual(
    readdirSync(join(dataDir, 'version-2')).filter((name) => name.startsWith('log.')),
    log,
  );
  assert.equal(server.exitCode, null);
});

test('where no more files may be opened every command says so in one line, with the remedy', {
  skip: !hasProc,
}, async (t) => {
  const { file: cfg } = await zooCfg(t);
  const takeFiles =
    'import{openSync as o,closeSync as c}from"node:fs";const f=[];try{for(;;)f.push(o("/dev/null"))}catch{}f.splice(-2).map(fd=>c(fd))';
  const args = ['--import', `data:text/javascript,${takeFiles}`, MAIN];
  for (const [command, failure] of [
    [['start-foreground', cfg], 1],
    [['status', cfg], 1],
    [['tools', 'snapshot', cfg], 2],
  ] as const) {
    const limited = ['-c', 'ulimit -n 100; exec "$0" "$@"', process.execPath, ...args, ...command];
    const { status, stderr } = spawnSync('sh', limited, { encoding: 'utf8' });
    assert.match(stderr, /^EMFILE: too many open files, .*: allow more with ulimit -n 65536 before the start, .*\n$/);
    assert.equal(status, failure);
  }
});

test('a pid file that cannot be written is told with the reason, and is not left empty', {
  skip: process.platform === 'win32',
}, async (t) => {
  const { file: cfg, dataDir } = await zooCfg(t);
  const { status, stdout, stderr } = spawnSync(
    'sh',
    ['-c', 'ulimit -f 0; exec "$0" "$@"', process.execPath, MAIN, 'start', cfg],
    { encoding: 'utf8' },
  );
  assert.equal(status, 1);
  assert.equal(stdout, 'Starting zookeeper ... FAILED TO WRITE PID\n');
  assert.match(stderr, /zookeeper_server\.pid cannot be written: EFBIG/);
  assert.ok(!existsSync(join(dataDir, 'zookeeper_server.pid')));
});

test('a port is taken at an address: two servers may share its number', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const one = await zooCfg(t);
  const two = await zooCfg(t);
  const same = readFileSync(two.file, 'utf8').replace(/clientPort=\d+/, `clientPort=${one.port}`);
  writeFileSync(two.file, same.replace('127.0.0.1', '127.0.0.2'));
  for (const { file } of [one, two]) {
    atEnd(t, () => run('stop', file));
    const started = run('start', file);
    assert.equal(started.code, 0, started.err);
  }
  const all = await zooCfg(t);
  writeFileSync(all.file, same.replace('clientPortAddress=127.0.0.1\n', '').replace(two.dataDir, all.dataDir));
  const refused = run('start', all.file);
  assert.equal(refused.code, 1);
  assert.match(refused.err, new RegExp(`Port ${one.port} is taken`));
});

test('start and stop tell programs what they did', async (t) => {
  const { file: cfg } = await zooCfg(t);
  atEnd(t, () => run('stop', cfg));
  const { started, pid } = JSON.parse(run('start', '--json', cfg).out);
  assert.equal(started, true);
  assert.match(JSON.parse(run('start', '--json', cfg).out).error, /already running/);
  assert.deepEqual(JSON.parse(run('stop', '--json', cfg).out), { stopped: true, pid });
  assert.equal(JSON.parse(run('stop', '--json', cfg).out).stopped, false);
  assert.match(JSON.parse(run('print-cmd', '--json', cfg).out).command, /start-foreground/);
});

test('an ensemble that is asked for wrongly writes nothing', (t) => {
  const dir = join(temporary(t), 'ensemble');
  for (const args of [
    ['--client-port', 'x'],
    ['--servers', 'x'],
    ['--servers', '0'],
    ['--set', 'tickTime=x'],
  ]) {
    const { code, err } = run('ensemble', '--dir', dir, ...args);
    assert.equal(code, 2, err);
    assert.doesNotMatch(err, /NaN/);
    assert.ok(!existsSync(dir));
  }
});

test('an ensemble of which one server does not start leaves none running; another shape is refused', async (t) => {
  const dir = temporary(t);
  const first = freeRange();
  atEnd(t, () => run('ensemble', '--stop', '--dir', dir));
  const args = ['ensemble', '--detach', '--dir', dir, '--set', 'preAllocSize=64'];
  const made = run(...args, '--servers', '2', '--client-port', String(first));
  assert.equal(made.code, 0, made.err);
  // One that cannot be stopped keeps none of the others running.
  const [one, two] = ['1', '2'].map((id) => join(dir, id, 'data', 'zookeeper_server.pid')) as [string, string];
  renameSync(one, `${one}.kept`);
  mkdirSync(one);
  assert.equal(run('ensemble', '--stop', '--dir', dir).code, 1);
  assert.ok(!existsSync(two));
  rmdirSync(one);
  renameSync(`${one}.kept`, one);
  assert.equal(run('ensemble', '--stop', '--dir', dir).code, 0);
  for (const [option, value] of [
    ['--servers', '3'],
    ['--observers', '1'],
    ['--client-port', String(first + 1)],
  ] as const) {
    const refused = run(...args, option, value);
    assert.equal(refused.code, 2);
    assert.match(refused.err, new RegExp(`was made with ${option} \\d+, not ${value}`));
  }
  const unset = run(...args, '--set', 'snapCount=1000');
  assert.equal(unset.code, 2);
  assert.match(unset.err, /was made without --set snapCount=1000/);
  const taken = createServer().listen(first + 1, '127.0.0.1');
  await once(taken, 'listening');
  atEnd(t, () => taken.close());
  assert.equal(run(...args).code, 1);
  assert.ok(!existsSync(join(dir, '1', 'data', 'zookeeper_server.pid')), 'the first is stopped again');
});
