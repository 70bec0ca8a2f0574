// The command's verbs, run as a user runs them: as processes.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { loadConfig } from '@nodekeeper/server/config';
import { unusableAddress } from '../dist/address-unusable.js';
import { atEnd, freePort, freeRange, MAIN, run, runWith, temporary, zooCfg } from './support.js';

test('start, status, start again, stop, stop again: outputs and exit codes are those of zkServer.sh', async (t) => {
  const { file, port, dataDir } = await zooCfg(t);
  atEnd(t, () => run('stop', file));
  const started = run('start', file);
  assert.equal(started.code, 0, started.err);
  assert.equal(started.out, 'Starting zookeeper ... STARTED\n');
  assert.match(started.err, /^Using config: /);
  assert.ok(existsSync(join(dataDir, 'zookeeper_server.pid')));
  const status = run('status', file);
  assert.equal(status.code, 0);
  assert.equal(
    status.out,
    `Client port found: ${port}. Client address: 127.0.0.1. Client SSL: false.\nMode: standalone\n`,
  );
  assert.deepEqual(JSON.parse(run('status', '--json', file).out), {
    clientPort: port,
    clientAddress: '127.0.0.1',
    running: true,
    mode: 'standalone',
  });
  const again = run('start', file);
  assert.equal(again.code, 1);
  assert.match(again.out, /already running as process \d+\.\n$/);
  const restarted = run('restart', file);
  assert.equal(restarted.code, 0);
  assert.equal(restarted.out, 'Stopping zookeeper ... STOPPED\nStarting zookeeper ... STARTED\n');
  assert.equal(run('stop', file).out, 'Stopping zookeeper ... STOPPED\n');
  const gone = run('status', file);
  assert.equal(gone.code, 1);
  assert.match(gone.out, /Error contacting service\. It is probably not running\./);
  const nothing = run('stop', file);
  assert.equal(nothing.code, 0);
  assert.match(nothing.out, /no zookeeper to stop \(could not find file/);
});

test('a server with TLS alone tells its mode to who has a certificate', async (t) => {
  const stores = fileURLToPath(new URL('../../server/test/fixtures/tls/', import.meta.url));
  const { file, port } = await zooCfg(t, [
    `ssl.keyStore.location=${stores}server.pem`,
    `ssl.trustStore.location=${stores}ca.pem`,
  ]);
  writeFileSync(file, readFileSync(file, 'utf8').replace(/clientPort/g, 'secureClientPort'));
  atEnd(t, () => run('stop', file));
  assert.equal(run('start', file).code, 0);
  const first = `Client port found: ${port}. Client address: 127.0.0.1. Client SSL: true.\n`;
  const unasked = run('status', file);
  assert.equal(unasked.out, `${first}The server accepts connections.\n`);
  assert.match(unasked.err, /CLIENT_JVMFLAGS/);
  const keyStore = `-Dzookeeper.ssl.keyStore.location=${stores}client.pem`;
  const trusting = `-Dzookeeper.ssl.trustStore.location=${stores}ca.pem -Dzookeeper.ssl.hostnameVerification=false`;
  const asked = runWith({ CLIENT_JVMFLAGS: `${keyStore} ${trusting}` }, 'status', file);
  assert.equal(asked.out, `${first}Mode: standalone\n`);
  assert.equal(asked.code, 0);
  const refused = runWith({ CLIENT_JVMFLAGS: trusting }, 'status', file);
  assert.equal(refused.code, 1, 'it needs a certificate');
});

test('a port that is taken is told with its owner and ways out', async (t) => {
  const { file, port } = await zooCfg(t);
  const other = createServer().listen(port, '127.0.0.1');
  await once(other, 'listening');
  atEnd(t, () => other.close());
  const child = spawn(process.execPath, [MAIN, 'start', file]);
  let text = '';
  child.stdout.on('data', (chunk) => (text += chunk));
  child.stderr.on('data', (chunk) => (text += chunk));
  const [code] = await once(child, 'exit');
  assert.equal(code, 1);
  assert.match(text, /FAILED TO START/);
  assert.match(text, new RegExp(`Port ${port} is taken by process ${process.pid} `));
  assert.match(text, new RegExp(`nodekeeper start ${file} --client-port`), 'with the configuration that it was');
});

test('a port between servers that is taken is told as such, not as the client port', async (t) => {
  const electionPort = await freePort();
  const members = [1, 2, 3].map((id) => `server.${id}=127.0.0.1:${electionPort + 1}:${electionPort}`);
  const { file, dataDir } = await zooCfg(t, ['initLimit=5', 'syncLimit=5', ...members]);
  mkdirSync(dataDir);
  writeFileSync(join(dataDir, 'myid'), '1');
  const other = createServer().listen(electionPort, '127.0.0.1');
  await once(other, 'listening');
  atEnd(t, () => other.close());
  const child = spawn(process.execPath, [MAIN, 'start', file, '--set', 'snapCont=1']);
  let text = '';
  child.stdout.on('data', (chunk) => (text += chunk));
  child.stderr.on('data', (chunk) => (text += chunk));
  const [code] = await once(child, 'exit');
  assert.equal(code, 1);
  assert.match(
    text,
    /'snapCont' is not a known option; did you mean 'snapCount'\?/,
    'told by start, not in the log alone',
  );
  assert.match(text, new RegExp(`Port ${electionPort} \\(for elections\\) is taken by process ${process.pid} `));
  assert.match(text, /server\.N=host/);
  assert.doesNotMatch(text, /client-port/);
});

test('start tells where it cannot write its log, and what is no time', async (t) => {
  const { file, dataDir } = await zooCfg(t);
  writeFileSync(dataDir, 'a file where a directory should be');
  const result = run('start', file);
  assert.equal(result.code, 1);
  assert.equal(result.out, 'Starting zookeeper ... FAILED TO START\n');
  assert.match(result.err, /logs.* cannot be written: .*Correct dataDir/);
  const hurried = run('start', '--timeout', 'soon', file);
  assert.equal(hurried.code, 2);
  assert.match(hurried.err, /--timeout soon: a number of seconds is expected/);
});

test('a configuration that cannot be used ends with code 2 and says where', async (t) => {
  const { file } = await zooCfg(t, ['tickTime=never']);
  const result = run('start-foreground', file);
  assert.equal(result.code, 2);
  assert.match(result.err, /zoo\.cfg:6: tickTime=never/);
});

test('an option that is not known is told with what may be meant', () => {
  assert.match(run('start', '--dataDir', 'x').err, /^'--dataDir' is not an option; did you mean --data-dir\?$/m);
  assert.match(
    run('start', '--snap-count=5').err,
    /^'--snap-count' is not an option; did you mean --set snapCount=…\?$/m,
  );
  assert.match(run('doctor', '--force').err, /^'--force' is not an option; see --help$/m);
});

test('with --json a wrong command line is told as JSON too', () => {
  const missing = join(tmpdir(), 'no-such.cfg');
  for (const args of [
    ['start', missing],
    ['stop', '--bogus'],
    ['ensemble', '--bogus'],
  ]) {
    const { code, out } = run(...args, '--json');
    assert.equal(code, 2);
    assert.match((JSON.parse(out) as { error: string }).error, /no-such\.cfg: cannot be read|'--bogus'/);
  }
  for (const args of [
    ['doctor', '--bogus'],
    ['shell', '--bogus'],
    ['tools', 'tree', '--bogus'],
    ['tools', 'cp'],
  ]) {
    const { code, err } = run(...args, '--json');
    assert.equal(code, 2);
    assert.match(
      (JSON.parse(err) as { error: { message: string } }).error.message,
      /'--bogus'|missing required argument/,
    );
  }
});

test('a data directory that cannot be used ends with code 3', async (t) => {
  const { file } = await zooCfg(t, ['datadir.autocreate=false']);
  const result = run('start-foreground', file);
  assert.equal(result.code, 3);
  assert.match(result.err, /Unable to access datadir/);
});

test('an address that cannot be listened on is told with its option', async (t) => {
  const { file } = await zooCfg(t);
  const foreign = run('start-foreground', file, '--set', 'clientPortAddress=192.0.2.1');
  assert.equal(foreign.code, 1);
  assert.match(foreign.err, /^clientPortAddress=192\.0\.2\.1: it is no address of this machine .* Correct it/m);
  assert.doesNotMatch(foreign.err, /^ +at /m);
  const config = loadConfig({ file, flags: ['clientPortAddress=no.such.host'] });
  assert.deepEqual(unusableAddress({ code: 'ENOTFOUND', hostname: 'no.such.host' }, config), {
    isUnknown: true,
    message:
      'clientPortAddress=no.such.host: the name cannot be resolved (ENOTFOUND). Correct it; without an address for clients the server listens on all',
  });
  assert.equal(unusableAddress({ code: 'EADDRINUSE', address: '127.0.0.1' }, config), undefined);
});

test('the command purges old snapshots in the background', async (t) => {
  const { file, dataDir } = await zooCfg(t, ['autopurge.purgeInterval=1']);
  assert.equal(run('start', file).code, 0);
  assert.equal(run('stop', file).code, 0);
  const files = join(dataDir, 'version-2');
  for (const zxid of ['1', '2', '3', '4']) copyFileSync(join(files, 'snapshot.0'), join(files, `snapshot.${zxid}`));
  const child = spawn(process.execPath, [MAIN, 'start-foreground', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  atEnd(t, () => child.kill());
  let log = '';
  while (!log.includes('purged')) {
    const [chunk] = (await once(child.stderr, 'data')) as [Buffer];
    log += chunk.toString();
    assert.doesNotMatch(log, /purging failed/);
  }
  assert.equal(existsSync(join(files, 'snapshot.0')), false);
  assert.equal(existsSync(join(files, 'snapshot.4')), true);
});

test('SIGTERM ends the server in the foreground with code 0, within a second', async (t) => {
  const { file } = await zooCfg(t);
  // A process that does nothing but end: a busy machine keeps it waiting just as long.
  const bare = spawn(process.execPath, ['-e', 'console.log("up"); setInterval(() => {}, 60_000)']);
  await once(bare.stdout, 'data');
  const child = spawn(process.execPath, [MAIN, 'start-foreground', file, '--set', 'snapCount=1000']);
  let log = '';
  child.stderr.on('data', (chunk) => (log += chunk));
  while (!log.includes('data recovered')) await once(child.stderr, 'data');
  while (run('status', file).code !== 0);
  const bareEnd = once(bare, 'exit').then(() => performance.now());
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  bare.kill('SIGTERM');
  const [code] = await ended;
  const end = performance.now();
  assert.equal(code, 0);
  assert.ok(end - (await bareEnd) < 1000);
});

test('version, print-cmd and help', async (t) => {
  const { file } = await zooCfg(t);
  assert.match(run('version').out, /^Apache ZooKeeper, version \d+\.\d+\.\d+/);
  const command = run('print-cmd', file, '--set', 'superUser=a"$HOME`\\b').out.replace(/ > .*\n$/s, '');
  const words = spawnSync('sh', ['-c', `printf '%s\\n' ${command}`], { encoding: 'utf8' }).stdout;
  assert.match(words, /\nstart-foreground\n.*\n--set\nsuperUser=a"\$HOME`\\b\n$/);
  const help = run('--help');
  assert.equal(help.code, 0);
  for (const verb of ['start-foreground', 'start', 'stop', 'restart', 'status', 'print-cmd', 'version'])
    assert.match(help.out, new RegExp(verb));
  assert.equal(run('nonsense').code, 2);
  const own = run('start-foreground', '--help');
  assert.equal(own.code, 0, own.err);
  assert.match(own.out, /--client-port N/);
  assert.equal(run('--version').out, run('version').out);
  // As zkServer.sh is told where the configuration is.
  assert.match(run('--config', dirname(file), 'print-cmd').err, new RegExp(`Using config: ${file}`));
});

test('what npm links as the command is there before anything is built, and says so', (t) => {
  const root = fileURLToPath(new URL('../', import.meta.url));
  const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { bin: { nodekeeper: string } };
  assert.doesNotMatch(bin.nodekeeper, /dist/);
  const linked = join(root, bin.nodekeeper);
  const built = spawnSync(process.execPath, [linked, 'version'], { encoding: 'utf8' });
  assert.match(built.stdout, /^Apache ZooKeeper, version/);
  const elsewhere = join(temporary(t), 'bin', 'nodekeeper.mjs');
  mkdirSync(dirname(elsewhere));
  copyFileSync(linked, elsewhere);
  const unbuilt = spawnSync(process.execPath, [elsewhere, 'version'], { encoding: 'utf8' });
  assert.equal(unbuilt.status, 1);
  assert.match(unbuilt.stderr, /npm run build/);
});

test('a testing server tells where it is, and goes with its standard input', async () => {
  for (const servers of ['1', '3']) {
    const child = spawn(process.execPath, [MAIN, 'testing-server', '--servers', servers], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const { connectString } = JSON.parse(line.toString()) as { connectString: string };
    assert.equal(connectString.split(',').length, Number(servers));
    const exit = once(child, 'exit');
    child.stdin.end();
    assert.deepEqual(await exit, [0, null]);
  }
});

test('an ensemble in one command: files as by hand, roles told, stopped again', async (t) => {
  const dir = temporary(t);
  const first = freeRange();
  atEnd(t, () => run('ensemble', '--stop', '--dir', dir));
  const started = run(
    'ensemble',
    '--detach',
    '--json',
    '--dir',
    dir,
    '--client-port',
    String(first),
    '--set',
    'preAllocSize=64',
  );
  assert.equal(started.code, 0, started.err);
  const { servers } = JSON.parse(started.out) as { servers: { id: number; mode: string }[] };
  assert.deepEqual(servers.map(({ mode }) => mode).sort(), ['follower', 'follower', 'leader']);
  assert.equal(readFileSync(join(dir, '2', 'data', 'myid'), 'utf8'), '2\n');
  const status = run('status', join(dir, '1', 'zoo.cfg'));
  assert.equal(status.code, 0);
  assert.match(status.out, /^server\.3 .*(leader|follower)/m);
  run('stop', join(dir, '2', 'zoo.cfg'));
  run('stop', join(dir, '3', 'zoo.cfg'));
  const alone = run('status', join(dir, '1', 'zoo.cfg'));
  assert.equal(alone.code, 1);
  assert.match(alone.out, /runs, but does not serve/);
  assert.match(alone.out, /server\.2 .*not reachable/);
  assert.equal(run('ensemble', '--stop', '--dir', dir).code, 0);
});

test('an ensemble in the foreground stays until it is told to end, without a terminal too, and stops its servers', async (t) => {
  const dir = temporary(t);
  const first = freeRange();
  atEnd(t, () => run('ensemble', '--stop', '--dir', dir));
  const args = ['ensemble', '--servers', '2', '--dir', dir, '--client-port', String(first), '--set', 'preAllocSize=64'];
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  let out = '';
  child.stdout.on('data', (chunk) => (out += chunk));
  while (!out.includes('Ctrl-C stops it.')) {
    const [code] = await Promise.race([once(child.stdout, 'data').then(() => []), exit]);
    assert.equal(code, undefined, `it ended: ${out}`);
  }
  const files = [1, 2].map((id) => join(dir, String(id), 'zoo.cfg'));
  // A loop that nothing holds ends at once: it gets the time that another process takes.
  for (const file of files) assert.equal(run('status', file).code, 0);
  assert.equal(child.exitCode, null);
  child.kill('SIGTERM');
  assert.deepEqual(await exit, [0, null]);
  // Their process ids may be in the table for a while.
  for (const file of files) assert.equal(run('status', file).code, 1);
});

test('an ensemble that is told to end while it starts leaves no server running', async (t) => {
  const dir = temporary(t);
  const first = freeRange();
  atEnd(t, () => run('ensemble', '--stop', '--dir', dir));
  const args = ['ensemble', '--dir', dir, '--client-port', String(first), '--set', 'preAllocSize=64'];
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  const exit = once(child, 'exit');
  await once(child.stdout, 'data'); // that the first is being started
  child.kill('SIGINT');
  child.stdout.resume();
  assert.deepEqual(await exit, [1, null]);
  for (const id of [1, 2, 3]) assert.equal(run('status', join(dir, String(id), 'zoo.cfg')).code, 1);
});

test('stop does not wait for a process that has ended and is still in the table', {
  skip: !existsSync('/proc'),
}, async (t) => {
  const { file, dataDir } = await zooCfg(t);
  mkdirSync(dataDir);
  // A shell that starts the server and never asks for its end.
  const parent = spawn('sh', [
    '-c',
    `"${process.execPath}" "${MAIN}" start-foreground "${file}" & echo $! > "${dataDir}/zookeeper_server.pid"; exec sleep 60`,
  ]);
  atEnd(t, () => parent.kill());
  const deadline = performance.now() + 30_000;
  while (run('status', file).code !== 0) assert.ok(performance.now() < deadline, 'it starts');
  assert.equal(run('stop', file).out, 'Stopping zookeeper ... STOPPED\n');
});
