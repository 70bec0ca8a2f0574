// Ensembles whose servers speak TLS with each other or log in with each other, and the way there without a stop.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { dataDir } from '../server/raw-client.js';
import { Ensemble } from './ensemble.js';

const FIXTURES = fileURLToPath(new URL('../../test/fixtures/tls/', import.meta.url));
const STORES = {
  'ssl.quorum.keyStore.location': join(FIXTURES, 'server.pem'),
  'ssl.quorum.trustStore.location': join(FIXTURES, 'ca.pem'),
};
const TLS = { sslQuorum: true, ...STORES };

test('servers elect and follow over TLS, and a server without a certificate stays outside', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant', 'observer'], TLS);
  await Promise.all([1, 2, 4].map((id) => ensemble.start(id)));
  await ensemble.settled();
  const client = await ensemble.client(1);
  assert.equal((await client.create('/tls', 'x'.repeat(300_000))).error, 0);
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1);
  await ensemble.start(3, { sslQuorum: false });
  while (![1, 2].some((id) => ensemble.said(id, /a connection to a port between servers is refused/))) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.notEqual(ensemble.server(3).notReady, undefined);
  await ensemble.stop(3);
  await ensemble.start(3);
  await ensemble.settled();
  const late = await ensemble.client(3);
  assert.equal((await late.getData('/tls'))?.length, 300_000);
});

test('an ensemble goes over to TLS one server at a time', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const steps = [{ portUnification: true, ...STORES }, { portUnification: true, ...TLS }, TLS];
  const client = await ensemble.client(await ensemble.settled());
  assert.equal((await client.create('/kept', 'x')).error, 0);
  for (const [number, step] of steps.entries()) {
    for (const id of [1, 2, 3]) {
      await ensemble.stop(id);
      await ensemble.start(id, step);
      await ensemble.settled();
    }
    const next = await ensemble.client(await ensemble.follower());
    assert.equal((await next.create(`/step${number}`)).error, 0);
    assert.equal(await next.getData('/kept'), 'x');
  }
});

function jaas(t: TestContext, password = 'secret'): { 'java.security.auth.login.config': string } {
  const file = join(dataDir(t), 'jaas.conf');
  const module = 'org.apache.zookeeper.server.auth.DigestLoginModule required';
  writeFileSync(
    file,
    `QuorumServer { ${module} user_one="secret"; }; QuorumLearner { ${module} username="one" password="${password}"; };`,
  );
  return { 'java.security.auth.login.config': file };
}

const LEARNER = { 'quorum.auth.enableSasl': true, 'quorum.auth.learnerRequireSasl': true };
const SASL = { ...LEARNER, 'quorum.auth.serverRequireSasl': true };

test('servers log in with each other, over TLS too, and who cannot stays outside', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant', 'observer'], {
    ...SASL,
    ...TLS,
    ...jaas(t),
  });
  await Promise.all([1, 2, 4].map((id) => ensemble.start(id)));
  await ensemble.settled();
  const client = await ensemble.client(4);
  assert.equal((await client.create('/sasl', 'x')).error, 0);
  await ensemble.start(3, jaas(t, 'wrong'));
  while (![1, 2].some((id) => ensemble.said(id, /wrong password for user one/))) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.notEqual(ensemble.server(3).notReady, undefined);
  await ensemble.stop(3);
  await ensemble.start(3);
  await ensemble.settled();
  assert.equal(await (await ensemble.client(3)).getData('/sasl'), 'x');
  await ensemble.stop(await ensemble.settled());
  await ensemble.settled();
});

test('an ensemble goes over to logins one server at a time', async (t) => {
  const ensemble = await Ensemble.ofThree(t, jaas(t));
  for (const [number, step] of [{ 'quorum.auth.enableSasl': true }, LEARNER, SASL].entries()) {
    for (const id of [1, 2, 3]) {
      await ensemble.stop(id);
      await ensemble.start(id, step);
      await ensemble.settled();
    }
    const client = await ensemble.client(await ensemble.follower());
    assert.equal((await client.create(`/step${number}`)).error, 0);
  }
});
