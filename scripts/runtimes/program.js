// What the client must do in every JavaScript runtime; prints `ok` at the end. Uses nothing but globals and the client.
// Run by main.js with the connection strings of a plain and of a TLS port, and the authority's certificate.

export async function program({ connect, isKeeperError, nextEvent }, [target, tlsTarget, ca]) {
  const check = (condition, what) => {
    if (!condition) throw new Error(`failed: ${what}`);
  };
  const refused = async (promise, name) => {
    try {
      await promise;
    } catch (error) {
      check(name === undefined || isKeeperError(error, name), `${name}, not ${error}`);
      return;
    }
    throw new Error(`${name} was to be thrown`);
  };

  const client = await connect(target, { sessionTimeout: 6000, auth: [{ scheme: 'digest', auth: 'bob:secret' }] });
  await client.deleteRecursive('/runtime');
  await client.create('/runtime', { data: 'grüß' });
  check((await client.getData('/runtime')).data?.toString() === 'grüß', 'data');
  const [made, stat] = await client.transaction().create('/runtime/t').setData('/runtime', 'x').commit();
  check(made.path === '/runtime/t' && stat.version === 1, 'a transaction');
  await refused(client.getData('/runtime/none'), 'NoNode');
  await refused(client.getData('/runtime', { signal: AbortSignal.abort(new Error('no')) }));

  const { watcher, event } = nextEvent();
  await client.getData('/runtime', { watcher });
  const stream = client.watch('/runtime', { recursive: true });
  await stream.ready;
  await client.setData('/runtime', Buffer.alloc(300_000, 7));
  check((await event).type === 'nodeDataChanged', 'a watch');
  for await (const one of stream) {
    check(one.type === 'nodeDataChanged' && one.path === '/runtime', 'a stream');
    break;
  }
  const { data } = await client.getData('/runtime');
  check(data?.length === 300_000 && data[299_999] === 7, 'large data');

  const calls = [];
  for (let i = 0; i < 5000; i++) calls.push(client.create('/runtime/n-', { mode: 'ephemeralSequential' }));
  const paths = (await Promise.all(calls)).map(({ path }) => path);
  check(
    paths.every((path, i) => i === 0 || path > paths[i - 1]),
    'the order of many calls',
  );

  const { sessionId } = client;
  const reconnected = new Promise((resolve) => client.once('reconnected', resolve));
  client.updateServerList(target.replace('127.0.0.1', 'localhost'));
  await reconnected;
  check(client.sessionId === sessionId, 'the session');
  check(
    (await client.whoAmI()).some(({ id }) => id.startsWith('bob')),
    'the identity',
  );
  check((await client.deleteRecursive('/runtime')) === 5002, 'what was deleted');
  await client.close();
  await refused(client.exists('/'), 'Closed');

  const secure = await connect(tlsTarget, { tls: { ca } });
  check((await secure.exists('/')) !== null, 'TLS');
  await secure.close();
  const distrusting = connect(tlsTarget, { tls: true, timeout: 500 });
  await refused(distrusting, 'OperationTimeout');
  console.log('ok');
}
