// Configuration: what zoo.cfg, the environment and flags make of a server, and how mistakes are told.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import {
  ConfigError,
  checkClientAddress,
  clientPlace,
  environmentName,
  KEYS,
  loadConfig,
  nearestKey,
} from '../../dist/config/index.js';
import { parseProperties } from '../../dist/config/properties.js';
import { EnsembleServer } from '../../dist/ensemble-server.js';
import { parseMember } from '../../dist/quorum/quorum-config.js';

function file(t: TestContext, text: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-cfg-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, 'zoo.cfg');
  writeFileSync(path, text);
  return path;
}

test('without any configuration the server is embedded: port 2181, data in ./data', () => {
  const config = loadConfig();
  assert.equal(config.clientPort, 2181);
  assert.equal(config.dataDir, 'data');
  assert.equal(config.minSessionTimeout, 6000);
  assert.equal(config.maxSessionTimeout, 60000);
  assert.deepEqual(config.warnings, []);
});

test('a zoo.cfg as distributions ship it is read', (t) => {
  const path = file(
    t,
    'tickTime=3000\ninitLimit=10\nsyncLimit=5\n# a comment\ndataDir=/var/lib/zookeeper\nclientPort=2182\nautopurge.purgeInterval=1\nautopurge.snapRetainCount=5\n',
  );
  const config = loadConfig({ file: path });
  assert.equal(config.tickTime, 3000);
  assert.equal(config.maxSessionTimeout, 60000);
  assert.equal(config.dataDir, '/var/lib/zookeeper');
  assert.equal(config.purgeIntervalHours, 1);
  assert.equal(config.snapRetainCount, 5);
  assert.deepEqual(config.warnings, []);
});

test('what a script beside zoo.cfg would set for the Java machine is told, unless it is known from elsewhere', (t) => {
  const path = file(t, 'dataDir=/d\nclientPort=1\nsnapCount=10\n');
  const script = join(dirname(path), 'java.env');
  writeFileSync(
    script,
    '# -Dzookeeper.skipACL=yes\nexport SERVER_JVMFLAGS="-Xmx4g -Djute.maxbuffer=4194304 -Dzookeeper.snapCount=5 -Dcom.sun.management.jmxremote.port=9"\nJVMFLAGS=\'-Djava.security.auth.login.config=/jaas.conf\' ; JVMFLAGS="$JVMFLAGS -Dzookeeper.authProvider.1=a.B -Dzookeeper.watchManagerName=x"\n',
  );
  const { warnings } = loadConfig({ file: path });
  assert.equal(warnings.length, 1);
  assert.match(
    warnings[0] ?? '',
    /java\.env: -Djute\.maxbuffer, -Djava\.security\.auth\.login\.config, -Dzookeeper\.authProvider\.1: .*SERVER_JVMFLAGS/,
  );
  const flags = ['-Djute.maxbuffer=4194304', '-Dzookeeper.authProvider.1=a.X509AuthenticationProvider'];
  writeFileSync(script, 'SERVER_JVMFLAGS="-Djute.maxbuffer=4194304 -Dzookeeper.authProvider.1=a.B"\n');
  assert.deepEqual(loadConfig({ file: path, flags }).warnings, []);
});

test('a byte order mark before the first option is no part of it', (t) => {
  const { dataDir, warnings } = loadConfig({ file: file(t, '\ufeffdataDir=/d\r\nclientPort=1\r\n') });
  assert.equal(dataDir, '/d');
  assert.deepEqual(warnings, []);
});

test('an option that is missing is told with those that are not known', (t) => {
  assert.throws(
    () => loadConfig({ file: file(t, 'datadir=/d\nclientPort=1\n') }),
    /dataDir is not set.*\n.*zoo\.cfg:1: 'datadir' is not a known option; did you mean 'dataDir'\?/,
  );
});

test('data in a directory that goes by where the server is started from are warned of', (t) => {
  const { warnings } = loadConfig({ file: file(t, 'dataDir=data\ndataLogDir=./log\nclientPort=1\n') });
  assert.equal(warnings.length, 1);
  assert.ok((warnings[0] ?? '').includes(`zoo.cfg:1: dataDir=data is ${resolve('data')} `), warnings[0]);
  const absolute = file(t, 'dataDir=/d\nclientPort=1\n');
  assert.deepEqual(loadConfig({ file: absolute, flags: ['dataDir=data'] }).warnings, [], 'a path of the command line');
});

test('flags win over the environment, that over zoo.cfg, and that over properties of the Java machine', (t) => {
  const path = file(t, 'dataDir=/d\nclientPort=1\nsnapCount=10\ntickTime=100\n');
  const environment = { NODEKEEPER_SNAP_COUNT: '20', NODEKEEPER_TICK_TIME: '200', ZOO_MAX_CLIENT_CNXNS: '7' };
  const flags = ['snapCount=30', 'clientPort=2', '-Dzookeeper.extendedTypesEnabled=true', '-Dzookeeper.snapCount=40'];
  const config = loadConfig({ file: path, environment, flags });
  assert.equal(config.snapCount, 30);
  assert.equal(config.extendedTypesEnabled, true);
  assert.match(config.warnings.join(), /zoo\.cfg:3: snapCount stands there, and not what -D says/);
  assert.equal(config.tickTime, 200);
  assert.equal(config.clientPort, 2);
  assert.equal(config.maxClientCnxns, 7);
});

test('own variables win over those of the Docker image, in either order', () => {
  const environment = { NODEKEEPER_TICK_TIME: '200', ZOO_TICK_TIME: '300' };
  assert.equal(loadConfig({ environment }).tickTime, 200);
  assert.equal(loadConfig({ environment: Object.fromEntries(Object.entries(environment).reverse()) }).tickTime, 200);
});

test('what Apache’s server raises to its least is raised here, and told', (t) => {
  const { snapCount, snapRetainCount, warnings } = loadConfig({
    file: file(t, 'dataDir=/d\nclientPort=1\nsnapCount=1\nautopurge.snapRetainCount=1\n'),
  });
  assert.equal(snapCount, 2);
  assert.equal(snapRetainCount, 3);
  assert.equal(warnings.length, 2);
  assert.match(warnings.join(), /zoo\.cfg:3: snapCount=1: /);
  assert.match(warnings.join(), /zoo\.cfg:4: autopurge\.snapRetainCount=1: /);
});

test('an unknown option is warned of, with file, line and the nearest known one', (t) => {
  const path = file(t, 'dataDir=/d\nclientPort=1\nsnapCont=10\n');
  const { warnings } = loadConfig({ file: path });
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /zoo\.cfg:3: 'snapCont' is not a known option; did you mean 'snapCount'\?/);
  assert.equal(nearestKey('qqqqqqqqqqqqqq'), undefined);
});

test('what 3.9.5 knows and this server has no use for is known too, and so is every option as a property', (t) => {
  const path = file(t, 'dataDir=/d\nclientPort=1\n');
  const flags = [
    '-Dzookeeper.fsync.warningthresholdms=7',
    '-Dzookeeper.forward_learner_requests_to_commit_processor_disabled=true',
    '-Dzookeeper.commitProcessor.maxReadBatchSize=5',
    '-Dzookeeper.commitProcessor.maxCommitBatchSize=5',
    '-Dzookeeper.intBufferStartingSizeBytes=2048',
    '-Dzookeeper.jmx.log4j.disable=true',
    '-Dzookeeper.security.auth_to_local=DEFAULT',
    '-Dzookeeper.pathStats.sampleRate=0.1',
  ];
  const { warnings } = loadConfig({ file: path, flags });
  assert.deepEqual(
    warnings.filter((warning) => /not a known option/.test(warning)),
    [],
  );
});

test('families: what has no effect is told, a member needs a number, variables stand for numbered ones', (t) => {
  const path = file(t, 'dataDir=/d\nclientPort=1\nmetricsProvider.httpPrt=1\nsasl.client=x\nkerberos.foo=1\n');
  const { warnings } = loadConfig({ file: path });
  assert.match(
    warnings[0] ?? '',
    /zoo\.cfg:3: 'metricsProvider\.httpPrt' is not a known option; did you mean 'metricsProvider\.httpPort'/,
  );
  assert.match(warnings[1] ?? '', /zoo\.cfg:4: sasl\.client has no effect here/);
  assert.match(warnings[2] ?? '', /zoo\.cfg:5: kerberos\.foo has no effect here/);
  const wrong = file(t, 'dataDir=/d\nclientPort=1\nserver.one=a:1:2\n');
  assert.throws(() => loadConfig({ file: wrong }), /zoo\.cfg:3: server\.one: a number is expected behind 'server\.'/);
  const environment = {
    NODEKEEPER_SERVER_1: 'a:1:2',
    NODEKEEPER_SERVER_2: 'b:1:2',
    NODEKEEPER_INIT_LIMIT: '5',
    NODEKEEPER_SYNC_LIMIT: '5',
    NODEKEEPER_AUTH_PROVIDER_1: 'org.apache.zookeeper.server.auth.SASLAuthenticationProvider',
    NODEKEEPER_SNAPCOUNT: '1',
    NODEKEEPER_HISTORY: '/tmp/h',
    NODEKEEPER_SERVICE_HOST: '10.0.0.1',
    NODEKEEPER_SERVICE_PORT: '2181',
    NODEKEEPER_CLIENT_PORT: 'tcp://10.0.0.1:2181',
  };
  const config = loadConfig({ environment });
  assert.deepEqual(config.ensemble?.members.verifier.voters, [1, 2]);
  assert.deepEqual(config.extraSchemes, ['sasl']);
  assert.deepEqual(config.warnings, [
    'environment variable NODEKEEPER_SNAPCOUNT stands for no option; did you mean NODEKEEPER_SNAP_COUNT?',
  ]);
});

for (const [line, said] of [
  ['tickTime=fast', /zoo\.cfg:3: tickTime=fast: a whole number from 1 to \d+ \(ms\) is expected/],
  ['tickTime=0', /a whole number from 1 to/],
  ['clientPort=65536', /from 0 to 65535/],
  ['extendedTypesEnabled=yes', /choose 'true' or 'false'/],
  ['forceSync=maybe', /choose 'yes' or 'no'/],
  ['snapshot.compression.method=zip', /one of '', 'gz', 'snappy' is expected/],
  ['minSessionTimeout=5000\nmaxSessionTimeout=4000', /zoo\.cfg:3: minSessionTimeout \(5000\) must not be larger/],
  ['maxSessionTimeout=10', /zoo\.cfg:3: .* must not be larger than maxSessionTimeout \(10\)/],
  ['enforce.auth.enabled=true', /zoo\.cfg:3: .* needs enforce\.auth\.schemes/],
  ['server.1=nonsense', /zoo\.cfg:3: server\.1=nonsense: host:quorumPort:electionPort/],
  ['quorum.auth.learnerRequireSasl=true\nserver.1=a:1:2\nserver.2=a:1:2\ninitLimit=1\nsyncLimit=1', /zoo\.cfg:3: /],
  ['ssl.clientAuth=perhaps', /zoo\.cfg:3: ssl\.clientAuth=perhaps: one of 'none', 'want', 'need' is expected/],
  ['metricsProvider.className=Mine', /zoo\.cfg:3: metricsProvider\.className=Mine: one of org.*Prometheus/],
  ['client.portUnification=true\nssl.keyStore.location=k\nssl.keyStore.type=X', /zoo\.cfg:5: ssl\.keyStore\.type=X/],
  ['server.1=a:1:2:observer', /observers but no participants/],
] as const) {
  test(`a bad value stops the start: ${line.split('\n')[0]}`, (t) => {
    const path = file(t, `dataDir=/d\nclientPort=1\n${line}\n`);
    assert.throws(
      () => loadConfig({ file: path }),
      (e) => e instanceof ConfigError && e.exitCode === 2 && said.test(e.message),
    );
  });
}

test('dataDir and clientPort are asked for', (t) => {
  assert.throws(() => loadConfig({ file: file(t, 'clientPort=1\n') }), /dataDir is not set/);
  assert.throws(() => loadConfig({ file: file(t, 'dataDir=/d\n') }), /clientPort is not set/);
  assert.throws(() => loadConfig({ file: '/no/such/zoo.cfg' }), /cannot be read/);
});

test('one listed server runs standalone and lends its client port', (t) => {
  const one = loadConfig({ file: file(t, 'dataDir=/d\nserver.1=h:2888:3888;127.0.0.1:2199\n') });
  assert.equal(one.clientPort, 2199);
  assert.equal(one.clientPortAddress, '127.0.0.1');
  assert.equal(one.ensemble, undefined);
});

test('several listed servers are an ensemble, which needs its limits', (t) => {
  const servers = 'dataDir=/d\nclientPort=1\nserver.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2:observer\n';
  assert.throws(() => loadConfig({ file: file(t, servers) }), /initLimit is not set/);
  const { ensemble } = loadConfig({ file: file(t, `${servers}initLimit=10\nsyncLimit=5\n`) });
  assert.deepEqual(ensemble?.members.verifier.voters, [1, 2]);
  assert.equal(ensemble?.members.members.size, 3);
});

test('groups and weights make a hierarchical quorum, and mistakes in them are told', (t) => {
  const servers = [1, 2, 3, 4].map((id) => `server.${id}=h${id}:1:2`).join('\n');
  const base = `dataDir=/d\nclientPort=1\ninitLimit=10\nsyncLimit=5\n${servers}\n`;
  const { ensemble } = loadConfig({ file: file(t, `${base}group.1=1:2:3\ngroup.2=4\nweight.4=0\n`) });
  const has = (...ids: number[]) => ensemble?.members.verifier.enough((id) => ids.includes(id));
  assert.equal(has(1, 2), true);
  assert.equal(has(1, 4), false);
  assert.throws(() => loadConfig({ file: file(t, `${base}group.1=1:2:3\n`) }), /server 4 is in no group/);
  assert.throws(() => loadConfig({ file: file(t, `${base}weight.1=2\n`) }), /weights need groups/);
  assert.throws(() => loadConfig({ file: file(t, `${base}group.1=1:2\ngroup.2=2:3:4\n`) }), /in two groups/);
  assert.throws(
    () => loadConfig({ file: file(t, `${base}group.1=1:2:3:4\nweight.1=-1\n`) }),
    /whole number, 0 or more/,
  );
  const observed = `${base.replace('h4:1:2', 'h4:1:2:observer')}group.1=1:2:3:4\n`;
  assert.throws(
    () => loadConfig({ file: file(t, observed) }),
    /server 4 is in a group, but is no voter: give it weight\.4=0/,
  );
  assert.throws(() => loadConfig({ file: file(t, `${base}group.1=1:2:3:4\ngroup.2=5\n`) }), /server 5 is in a group/);
  assert.equal(loadConfig({ file: file(t, `${observed}weight.4=0\n`) }).ensemble?.members.members.size, 4);
  const huge = '9'.repeat(23);
  assert.throws(() => loadConfig({ file: file(t, `${base}group.1=1:2:3:4\nweight.1=${huge}\n`) }), /at most 2\^53 - 1/);
  assert.throws(() => loadConfig({ file: file(t, `${base}server.${huge}=h9:1:2\n`) }), /at most 2\^53 - 1/);
});

test('members are parsed with roles, several addresses and IPv6', () => {
  assert.deepEqual(parseMember(1, '[::1]:2888:3888:observer;[::1]:2181'), {
    id: 1,
    quorumAddresses: [{ host: '0:0:0:0:0:0:0:1', quorumPort: 2888, electionPort: 3888 }],
    role: 'observer',
    clientAddress: { host: '0:0:0:0:0:0:0:1', port: 2181 },
  });
  assert.match(String(parseMember(1, 'h:2888:2888')), /must be different/);
  const two = parseMember(2, 'a:1:2|b:3:4');
  assert.ok(typeof two !== 'string' && two.quorumAddresses.length === 2);
});

test('every option has a variable of its own', () => {
  const names = KEYS.map((key) => environmentName(key.name));
  assert.equal(new Set(names).size, names.length);
  assert.equal(environmentName('4lw.commands.whitelist'), 'NODEKEEPER_4LW_COMMANDS_WHITELIST');
  assert.equal(environmentName('clientPort'), 'NODEKEEPER_CLIENT_PORT');
});

test('every default is a value that the option itself accepts', (t) => {
  for (const key of KEYS) {
    if (key.default === undefined) continue;
    const path = file(t, `dataDir=/d\nclientPort=1\n${key.name}=${key.default}\n`);
    assert.doesNotThrow(() => loadConfig({ file: path }), key.name);
  }
});

test('properties keep keys, values and lines, whatever stands in them', () => {
  const word = fc.stringMatching(/^[a-zA-Z0-9._-]{1,12}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(word, word), { maxLength: 20 }), (pairs) => {
      const text = pairs.map(([key, value]) => `${key}=${value}`).join('\n');
      const parsed = new Map(parseProperties(text).map((p) => [p.key, p.value]));
      assert.deepEqual(parsed, new Map(pairs));
    }),
  );
  assert.deepEqual(parseProperties('a = b\\\n   c\n! no\n# no\nx:y\nw\\=z=1'), [
    { key: 'a', value: 'bc', line: 1 },
    { key: 'x', value: 'y', line: 5 },
    { key: 'w=z', value: '1', line: 6 },
  ]);
  // As Apache's server: keys are trimmed like values, and a line of a backslash alone continues nothing.
  assert.deepEqual(parseProperties('\\ a\\t=b\n  \\\n#x\n\\\n'), [{ key: 'a', value: 'b', line: 1 }]);
});

test('values are read as Java reads them', (t) => {
  const of = (text: string) => loadConfig({ file: file(t, `dataDir=/d\nclientPort=1\n${text}`) });
  assert.equal(of('jute.maxbuffer=0x9fffff\n').juteMaxBuffer, 0x9fffff);
  assert.equal(of('snapCount=#100\n').snapCount, 256);
  assert.equal(of('tick\\u0054ime : 15\\\n  00\\').tickTime, 1500);
  assert.equal(of('maxClientCnxns=-1\nautopurge.purgeInterval=-1\nautopurge.snapRetainCount=-3\n').snapRetainCount, 3);
  assert.throws(() => of('\n# x\nx=\\u00zz\n'), /zoo\.cfg:5: four hexadecimal digits are expected behind/);
  assert.throws(() => of('tickTime=1500\u00a0\n'), /tickTime=1500\u00a0: a whole number/);
  assert.throws(() => of('maxSessionTimeout=9999999999\n'), /a whole number from -1 to 2147483647/);
});

test('what Apache’s server reads otherwise is told', (t) => {
  const text = 'dataDir=/d\u00e9\nclientPort=1\nzookeeper.snapCount=500\njute.maxbuffer=2000\n';
  const { warnings, snapCount } = loadConfig({ file: file(t, text) });
  assert.equal(snapCount, 500);
  assert.equal(warnings.length, 3);
  assert.match(warnings[0] ?? '', /zoo\.cfg:1: .*ISO 8859-1/);
  assert.match(warnings[1] ?? '', /zoo\.cfg:3: .*zookeeper\.snapCount as a property/);
  assert.match(warnings[2] ?? '', /zoo\.cfg:4: .*jute\.maxbuffer as a property/);
});

test('with weights, tokens of the connection throttle are counted in new global sessions', () => {
  const throttle = (...flags: string[]) =>
    loadConfig({ flags: ['connection_throttle_tokens=6', 'connection_throttle_fill_count=2', ...flags] })
      .connectionThrottle;
  const weights = ({ tokens, fillCount, newSession, knownSession }: ReturnType<typeof throttle>) => [
    tokens,
    fillCount,
    newSession,
    knownSession,
  ];
  const weighted = 'connection_throttle_weight_enabled=true';
  const local = [
    'localSessionsEnabled=true',
    'initLimit=5',
    'syncLimit=5',
    'server.1=h:1:2',
    'server.2=h:3:4',
    'server.3=h:5:6',
  ];
  assert.deepEqual(weights(throttle()), [6, 2, 1, 1]);
  assert.deepEqual(weights(throttle(weighted)), [18, 6, 3, 2]);
  assert.deepEqual(weights(throttle(weighted, ...local)), [18, 6, 1, 2]);
  assert.deepEqual(weights(throttle(weighted, 'connection_throttle_local_session_weight=5')), [30, 10, 5, 5]);
  assert.deepEqual(weights(throttle(...local)), [6, 2, 1, 1]);
});

test('port 0 is none in zoo.cfg and in the environment beside it, and any free one as a flag or without a zoo.cfg', (t) => {
  const tls = 'ssl.keyStore.location=/k\nssl.trustStore.location=/t\nsecureClientPort=2281\n';
  const secured = loadConfig({ file: file(t, `dataDir=/d\nclientPort=0\n${tls}`) });
  assert.deepEqual([secured.clientPort, secured.secureClientPort], [undefined, 2281]);
  const plain = file(t, 'dataDir=/d\nclientPort=2181\nsecureClientPort=0\n');
  assert.equal(loadConfig({ file: plain }).tls, undefined);
  const environment = { NODEKEEPER_CLIENT_PORT: '0' };
  assert.throws(() => loadConfig({ file: plain, environment }), /zoo\.cfg: clientPort is not set/);
  assert.equal(loadConfig({ environment }).clientPort, 0);
  assert.equal(loadConfig({ file: plain, flags: ['clientPort=0'] }).clientPort, 0);
});

test('an IPv6 address to listen on may have brackets', () => {
  const { clientPortAddress, admin } = loadConfig({ flags: ['clientPortAddress=[::1]', 'admin.serverAddress=::1'] });
  assert.deepEqual([clientPortAddress, admin.address], ['::1', '::1']);
});

test('an address for clients needs its port, unless the server is embedded', (t) => {
  const refused = (text: string, message: RegExp) =>
    assert.throws(() => loadConfig({ file: file(t, `dataDir=/d\n${text}`) }), message);
  refused('clientPort=0\nclientPortAddress=h\n', /zoo\.cfg:3: clientPortAddress is set, but clientPort is not/);
  refused('clientPort=1\nsecureClientPortAddress=h\n', /secureClientPortAddress is set, but secureClientPort is not/);
  assert.equal(loadConfig({ flags: ['clientPortAddress=h'] }).clientPort, 2181);
});

test('clientPort and clientPortAddress must not contradict the client address in the own line, which counts', async (t) => {
  const others = 'server.2=h:3:4;5\nserver.3=h:3:4;5\ninitLimit=5\nsyncLimit=5\n';
  const load = (line: string, settings: string) => {
    const text = `dataDir=${mkdtempSync(join(tmpdir(), 'nodekeeper-cfg-'))}\nserver.1=h:1:2;${line}\n${others}${settings}`;
    const config = loadConfig({ file: file(t, text) });
    t.after(() => rmSync(config.dataDir, { recursive: true, force: true }));
    writeFileSync(join(config.dataDir, 'myid'), '1');
    return config;
  };
  const check = (line: string, settings: string) => {
    const config = load(line, settings);
    const own = config.ensemble?.members.members.get(1);
    if (own === undefined) throw new Error('there is no server 1');
    checkClientAddress(config, own);
    return clientPlace(config);
  };
  const port = 'clientPort=2181\n';
  const address = 'clientPortAddress=127.0.0.1\n';
  assert.throws(
    () => check('127.0.0.1:2182', port),
    /clients come to 0\.0\.0\.0 port 2181 .* but to 127\.0\.0\.1 port 2182/,
  );
  assert.throws(() => check('2182', port), ConfigError);
  await assert.rejects(EnsembleServer.open(load('2182', port)), ConfigError);
  assert.throws(() => check('127.0.0.2:2181', port + address), ConfigError);
  assert.throws(() => check('2181', port + address), ConfigError);
  assert.deepEqual(check('127.0.0.2:2181', port), { host: '127.0.0.2', port: 2181 });
  assert.deepEqual(check('127.0.0.2:2181', `${port}clientPortAddress=0.0.0.0\n`), { host: '127.0.0.2', port: 2181 });
  assert.deepEqual(check('localhost:2181', port + address), { host: 'localhost', port: 2181 });
  assert.deepEqual(check('127.0.0.2:2182', ''), { host: '127.0.0.2', port: 2182 });
});
