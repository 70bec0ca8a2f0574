// The doctor: each trouble is set up, and must be found and named with a remedy.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { parseServerArguments } from '../dist/arguments.js';
import { checkClient } from '../dist/doctor/client.js';
import { type Finding, Report } from '../dist/doctor/findings.js';
import { checkDisk, checkFileLimit, shortened } from '../dist/doctor/machine.js';
import { clockOf, parseSrvr, reach } from '../dist/doctor/probes.js';
import { checkServer } from '../dist/doctor/server.js';
import { parseShellArguments } from '../dist/shell/arguments.js';
import { atEnd, freePort, freeRange, MAIN, run, serve, temporary, zooCfg } from './support.js';

const PEMS = fileURLToPath(new URL('../../client/test/fixtures/tls/', import.meta.url));

async function listen(t: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(t, () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

/** What is found, as `level about: message`; troubles only if told so. */
function shown(findings: readonly Finding[], all = false): string[] {
  const chosen = findings.filter(({ level }) => all || level !== 'ok');
  for (const { level, remedy } of chosen) assert.equal(level === 'ok', remedy === undefined);
  return chosen.map(({ level, about, message }) => `${level} ${about}: ${message}`);
}

async function client(...args: string[]): Promise<string[]> {
  const report = new Report(() => {}, false);
  await checkClient(await parseShellArguments(['-timeout', '6000', ...args]), report);
  return shown(report.findings);
}

/** The findings about a server's configuration, without those about this machine's disk and clock. */
async function server(lines: readonly string[], t: TestContext, myid?: string): Promise<string[]> {
  const dir = temporary(t);
  const file = join(dir, 'zoo.cfg');
  mkdirSync(join(dir, 'data'));
  if (myid !== undefined) writeFileSync(join(dir, 'data', 'myid'), myid);
  writeFileSync(
    file,
    [`dataDir=${join(dir, 'data')}`, 'admin.enableServer=false', 'clientPortAddress=127.0.0.1', ...lines].join('\n'),
  );
  const report = new Report(() => {}, false);
  await checkServer(parseServerArguments([file], {}), report);
  const ofMachine = /^(warning|problem) (disk of|file limit|clock)/;
  return shown(report.findings)
    .filter((line) => !ofMachine.test(line))
    .map((line) => line.replaceAll(dir, 'DIR'));
}

test('where nothing is wrong, nothing is found', async (t) => {
  assert.deepEqual(await client('-server', await serve(t)), []);
});

test('a server that is down, and a name that nobody knows', async () => {
  const port = await freePort();
  assert.deepEqual(await client('-server', `127.0.0.1:${port}`), [
    `problem 127.0.0.1:${port}: connections are refused: nobody listens there`,
  ]);
  const [found] = await client('-server', 'no-such-host.invalid:2181');
  assert.match(found as string, /^problem no-such-host\.invalid:2181: the name cannot be resolved/);
  assert.match((await client('-server', 'a:b'))[0] as string, /^problem connection string:/);
});

test('a port where something else listens, or TLS is spoken', async (t) => {
  const mute = await listen(
    t,
    createServer((socket) =>
      socket.on('error', () => {}).on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
    ),
  );
  assert.match((await client('-server', `127.0.0.1:${mute}`))[0] as string, /does not answer as a ZooKeeper server$/);
  const key = readFileSync(`${PEMS}server.pem`);
  const tls = await listen(t, createTlsServer({ key, cert: key }));
  const at = `127.0.0.1:${tls}`;
  assert.match((await client('-server', at))[0] as string, /this port speaks TLS$/);
  assert.match((await client('-server', at, '--tls'))[0] as string, /; TLS: .*certificate/);
  // One that wants a certificate and gets none ends the connection, behind the handshake where it is TLS 1.3.
  const demanding = createTlsServer({ key, cert: key, requestCert: true, rejectUnauthorized: false }, (socket) =>
    socket.end(),
  );
  const wants = `localhost:${await listen(t, demanding)}`;
  const checked = new Report(() => {}, false);
  await checkClient(
    await parseShellArguments(['-server', wants, '-timeout', '3000', '--ca', `${PEMS}ca.pem`]),
    checked,
  );
  assert.match(checked.findings.at(-1)?.remedy ?? '', /^Servers want a certificate of the client/);
  const plain = await serve(t);
  assert.match((await client('-server', plain, '--tls'))[0] as string, /TLS is not spoken there/);
});

test('a chroot that is missing, and servers that do not belong together', async (t) => {
  const [one, two] = [await serve(t), await serve(t)];
  assert.deepEqual(await client('-server', `${one}/app`), [
    'problem chroot: /app does not exist: every creation will fail with NoNode',
  ]);
  assert.deepEqual(await client('-server', `${one},${two}`), [
    'problem servers: 2 of 2 servers are standalone: each has its own data',
  ]);
});

test('an identity that is refused, and a time-out that is not granted', async (t) => {
  const at = await serve(t);
  assert.match(
    (await client('-server', at, '--sasl', 'bob:x')).at(-1) as string,
    /^problem session: an identity was refused/,
  );
  assert.match(
    (await client('-server', at, '-timeout', '100'))[0] as string,
    /^warning session: 100 ms were asked for/,
  );
});

test('a configuration that cannot be used is told with its place', async (t) => {
  const [found] = await server(['clientPort=many'], t);
  assert.match(found as string, /^problem configuration: DIR\/zoo\.cfg:\d+:.*clientPort/);
});

test('a port that another process has is told with the process', async (t) => {
  const port = await listen(t, createServer());
  const found = await server([`clientPort=${port}`], t);
  assert.match(
    found[0] as string,
    new RegExp(`^problem client port: port ${port} is taken by process ${process.pid} \\(`),
  );
  assert.match(found[1] as string, /^warning server: it does not run/);
});

/** A server as under systemd: without a pid file. Resolves when it has said so. */
async function inForeground(t: TestContext, file: string, said: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [MAIN, 'start-foreground', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exit = once(child, 'exit');
  atEnd(t, async () => {
    child.kill();
    await exit;
  });
  const ended = exit.then(() => assert.fail('the server has ended'));
  ended.catch(() => {});
  let log = '';
  child.stderr.on('data', (chunk) => (log += chunk));
  while (!log.includes(said)) await Promise.race([once(child.stderr, 'data'), ended]);
  return child;
}

test('a server on the port is only the server if it uses the data directory', {
  skip: !existsSync('/proc'),
}, async (t) => {
  const { file, port, dataDir } = await zooCfg(t);
  const child = await inForeground(t, file, 'data recovered');
  while (run('status', file).code !== 0);
  const look = async (path: string): Promise<string[]> => {
    const report = new Report(() => {}, false);
    await checkServer(parseServerArguments([path], {}), report);
    return shown(report.findings, true).filter((line) => /^\w+ (client port|server):/.test(line));
  };
  const found = await look(file);
  assert.equal(found.length, 2);
  assert.equal(found[0], `ok client port: the server listens on port ${port} (process ${child.pid})`);
  assert.match(found[1] as string, /^ok server: standalone/);
  const other = join(temporary(t), 'zoo.cfg');
  writeFileSync(other, readFileSync(file, 'utf8').replaceAll(dataDir, `${dataDir}-2`));
  const [taken, notRunning] = await look(other);
  assert.match(
    taken as string,
    new RegExp(
      `^problem client port: port ${port} is taken by process ${child.pid} \\(.*, a server with another data dir`,
    ),
  );
  assert.match(notRunning as string, /^warning server: it does not run/);
});

test('a server that runs without its client port is known by its other ports', {
  skip: !existsSync('/proc'),
}, async (t) => {
  const [quorum, election, absent] = [await freePort(), await freePort(), await freePort()];
  const { file, port, dataDir } = await zooCfg(t, [
    'initLimit=5',
    'syncLimit=5',
    `server.1=127.0.0.1:${quorum}:${election}`,
    `server.2=127.0.0.1:${absent}:${absent - 1}`,
  ]);
  mkdirSync(dataDir);
  writeFileSync(join(dataDir, 'myid'), '1');
  const child = await inForeground(t, file, 'looking for a leader');
  // The same configuration with another client port, which is therefore not open.
  const other = await freePort();
  writeFileSync(file, readFileSync(file, 'utf8').replace(`clientPort=${port}`, `clientPort=${other}`));
  const report = new Report(() => {}, false);
  await checkServer(parseServerArguments([file], {}), report);
  const found = shown(report.findings, true);
  assert.ok(found.includes(`ok election port: the server listens on port ${election} (process ${child.pid})`));
  assert.ok(found.includes(`warning server: process ${child.pid} runs, and its client port is not open`));
});

test('a disk that takes nothing more is a finding, and the others are made all the same', {
  skip: process.platform === 'win32',
}, async (t) => {
  const { file } = await zooCfg(t);
  // A limit on the size of files stands in for a full disk.
  const script = 'ulimit -f 0; exec "$0" "$@"';
  const { stdout, stderr } = spawnSync('sh', ['-c', script, process.execPath, MAIN, 'doctor', file], {
    encoding: 'utf8',
  });
  assert.match(stdout, /✘ disk of dataDir: cannot be written: EFBIG/);
  assert.match(stdout, /file limit/, stderr);
});

test('myid: missing, of nobody, of another machine', async (t) => {
  const [c, q, e] = [await freePort(), await freePort(), await freePort()];
  const lines = [
    `clientPort=${c}`,
    'initLimit=5',
    'syncLimit=2',
    `server.1=127.0.0.1:${q}:${e}`,
    'server.2=no-such-host.invalid:2888:3888',
  ];
  const about = async (myid: string | undefined): Promise<string> => {
    const found = await server(lines, t, myid);
    return found.find((line) => line.startsWith('problem myid')) ?? 'nothing';
  };
  assert.match(await about(undefined), /DIR\/data\/myid is missing/);
  assert.match(await about('7\n'), /says "7", and there is no such server line$/);
  assert.match(await about('2\n'), /server\.2 is no-such-host\.invalid, which cannot be resolved/);
  // The other server is on another machine.
  assert.match(
    await about('1\n'),
    /127\.0\.0\.1 on this machine: it will listen there, where the others cannot reach it$/,
  );
});

test('members that are down keep a quorum from forming', async (t) => {
  const ports = await Promise.all(Array.from({ length: 9 }, freePort));
  const elections = await listen(t, createServer());
  const lines = [
    `clientPort=${ports[0]}`,
    'initLimit=5',
    'syncLimit=2',
    `server.1=127.0.0.1:${ports[1]}:${elections}`,
    `server.2=127.0.0.1:${ports[3]}:${ports[4]}`,
    `server.3=127.0.0.1:${ports[5]}:${ports[6]}`,
    `server.4=127.0.0.1:${ports[7]}:${ports[8]}`,
  ];
  const found = await server(lines, t, '2\n');
  assert.ok(
    found.some((line) =>
      line.startsWith(`problem server.2 (this one): 127.0.0.1:${ports[4]} (election): connect ECONNREFUSED`),
    ),
  );
  assert.ok(found.some((line) => line.startsWith('problem server.3: ')));
  assert.ok(!found.some((line) => line.includes('server.1:')));
  assert.ok(found.includes('problem quorum: 1 of 4 voters can be reached from here, too few for a quorum'));
  assert.ok(
    found.includes(
      'warning quorum: 4 voters go on when 1 of them fails, and 3 would do so as well: one of them adds no safety',
    ),
  );
});

test('an ensemble that runs is well, and one without its quorum is not', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-doctor-'));
  atEnd(t, () => {
    run('ensemble', '--stop', '--dir', dir);
    rmSync(dir, { recursive: true, force: true });
  });
  const port = String(freeRange());
  const started = run(
    'ensemble',
    '--detach',
    '--json',
    '--dir',
    dir,
    '--client-port',
    port,
    '--set',
    'preAllocSize=64',
  );
  assert.equal(started.code, 0, started.err);
  const well = run('doctor', join(dir, '1', 'zoo.cfg'));
  assert.equal(well.code, 0, well.out);
  assert.match(well.out, /✔ quorum: server \d leads; 3 of 3 voters can be reached/);
  assert.match(well.out, /✔ myid: 1: server\.1 is \S+, which is this machine/);
  const { servers } = JSON.parse(started.out) as { servers: { client: string }[] };
  const all = servers.map((one) => one.client).join(',');
  assert.equal(run('doctor', '-server', all, '-timeout', '6000').code, 0);
  // Where the lines have no client ports, those of others on this machine are not known, and who leads is seen at the quorum ports.
  const file = join(dir, '1', 'zoo.cfg');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, `${text.replace(/;127\.0\.0\.1:\d+$/gm, '')}clientPort=${port}\n`);
  const unlisted = run('doctor', file);
  assert.equal(unlisted.code, 0, unlisted.out);
  assert.match(unlisted.out, /✔ quorum: server \d leads; 3 of 3 voters can be reached/);
  assert.match(unlisted.out, /✔ server\.2: .*; its client port is not listed/);
  writeFileSync(file, text);
  for (const id of ['2', '3']) run('stop', join(dir, id, 'zoo.cfg'));
  const ill = run('doctor', '--json', join(dir, '1', 'zoo.cfg'));
  assert.equal(ill.code, 1);
  const problems = ill.out
    .trimEnd()
    .split('\n')
    .map((line): Finding => JSON.parse(line))
    .filter(({ level }) => level === 'problem')
    .map(({ about }) => about);
  assert.deepEqual(problems, ['server', 'server.2', 'server.3', 'quorum']);
});

test('a disk is measured, and a directory that cannot be written is told', (t) => {
  const dir = temporary(t);
  const report = new Report(() => {}, false);
  checkDisk('dataDir', join(dir, 'not', 'made', 'yet'), report);
  assert.match(shown(report.findings, true).join('\n'), /a write is durable after \d/);
  const none = new Report(() => {}, false);
  checkDisk('dataDir', '/proc/self', none);
  assert.ok(shown(none.findings).some((line) => /cannot be written/.test(line)));
  const file = join(dir, 'file');
  writeFileSync(file, '');
  const wrong = new Report(() => {}, false);
  checkDisk('dataDir', file, wrong);
  assert.match(wrong.findings.at(-1)?.remedy ?? '', /^Move the file .*file away/);
});

test("who is not the server's user is not told to take its directory", {
  skip: !existsSync('/proc') || process.getuid?.() !== 0,
}, async (t) => {
  const { file, dataDir } = await zooCfg(t);
  atEnd(t, () => run('stop', file));
  assert.equal(run('start', file).code, 0);
  spawnSync('chmod', ['a+rx', join(dataDir, '..')]);
  const asNobody = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, MAIN, 'doctor', file];
  const { status, stdout, stderr } = spawnSync('setpriv', asNobody, { encoding: 'utf8' });
  if (status === null || stdout === '') return t.skip(`a command of another user cannot be run here: ${stderr}`);
  assert.match(stdout, /disk of dataDir: not measured: the server runs as user 0, and this one may not write into /);
  assert.doesNotMatch(stdout, /chown/);
  assert.equal(run('stop', file).code, 0);
  const stopped = spawnSync('setpriv', asNobody, { encoding: 'utf8' });
  assert.match(stopped.stdout, /Ask again as the user that the server is to run as\. If this is it, .*chown -R 65534 /);
});

test('of a command of Java, the class is shown', () => {
  const main = 'org.apache.zookeeper.server.quorum.QuorumPeerMain';
  assert.equal(shortened(`/usr/bin/java -Da=b -cp x:y ${main} /etc/zoo.cfg`), `/usr/bin/java … ${main}`);
  assert.equal(shortened(`nginx: ${'x'.repeat(200)}`).length, 100);
});

test('a limit of open files below what the connections need is told', () => {
  const report = new Report(() => {}, false);
  checkFileLimit(process.pid, 100_000_000, report);
  assert.match(shown(report.findings)[0] as string, /^warning file limit: the server .* 100000100 are advised$/);
});

test('the clock of another server is read from its HTTP port', async (t) => {
  let date = new Date().toUTCString();
  const web = createHttpServer((_, response) => {
    response.setHeader('date', date);
    response.end('{}');
  });
  const port = await listen(t, web);
  const now = await clockOf('127.0.0.1', port, '/', 2000);
  assert.ok(now !== undefined && Math.abs(now.ahead) <= now.error + 500);
  date = new Date(Date.now() + 60_000).toUTCString();
  const ahead = await clockOf('127.0.0.1', port, '/', 2000);
  assert.ok(ahead !== undefined && Math.abs(ahead.ahead - 60_000) <= ahead.error + 500);
  assert.equal(await clockOf('127.0.0.1', await freePort(), '/', 2000), undefined);
});

test('a port is open, refused or silent', async (t) => {
  assert.equal((await reach('127.0.0.1', await listen(t, createServer()), 2000)).how, 'open');
  assert.equal((await reach('127.0.0.1', await freePort(), 2000)).how, 'refused');
});

test('the answer to srvr is understood, and no other', () => {
  const text = 'Zookeeper version: 3.8.0-abc, built on x\nConnections: 4\nZxid: 0x100000002\nMode: follower\n';
  assert.deepEqual(parseSrvr(text), { version: '3.8.0', mode: 'follower', zxid: 0x100000002, connections: 4 });
  assert.equal(parseSrvr('This ZooKeeper instance is not currently serving requests\n'), undefined);
  assert.equal(parseSrvr(undefined), undefined);
});

test('findings are told with their remedies, and counted', () => {
  const said: string[] = [];
  const report = new Report((line) => said.push(line), false);
  report.ok('a', 'fine');
  report.warning('b', 'odd', 'look');
  assert.equal(report.end(), 0);
  report.problem('c', 'bad', 'do this\nand that');
  assert.equal(report.end(), 1);
  assert.deepEqual(said, [
    '✔ a: fine',
    '! b: odd',
    '    → look',
    '',
    '0 problems, 1 warning.',
    '✘ c: bad',
    '    → do this',
    '    → and that',
    '',
    '1 problem, 1 warning.',
  ]);
});

test('a reader that has read enough ends it without a word', async (t) => {
  const doctor = spawn(process.execPath, [MAIN, 'doctor', '-server', await serve(t)]);
  atEnd(t, () => doctor.kill());
  doctor.stdout.once('data', () => doctor.stdout.destroy());
  let said = '';
  doctor.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  assert.deepEqual([await once(doctor, 'close'), said], [[0, null], '']);
});
