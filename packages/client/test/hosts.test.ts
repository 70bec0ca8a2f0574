// The choice of the server: every one has its turn, the load stays spread when the list changes, names are looked at anew.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConnectString } from '../dist/connect-string.js';
import { Hosts } from '../dist/hosts.js';

const backOff = { minDelay: 100, maxDelay: 1000 };
const resolver = {
  lookup: (host: string) => Promise.resolve([host]),
  resolveSrv: () => Promise.reject(new Error('no records')),
};

/** Numbers from 0 to 1 that are the same in each run (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function list(ports: readonly number[]): string {
  return ports.map((port) => `10.0.0.1:${port}`).join(',');
}

/** One client's choice, and where it is connected. */
class Placed {
  readonly hosts: Hosts;
  port = 0;

  constructor(text: string, random: () => number) {
    this.hosts = new Hosts(parseConnectString(text), resolver, backOff, random);
  }

  async connect(): Promise<void> {
    const endpoint = await this.hosts.next();
    assert.ok(endpoint !== undefined);
    this.hosts.took(endpoint);
    this.port = endpoint.port;
  }

  /** Returns whether the client has moved. */
  async update(text: string): Promise<boolean> {
    if (!this.hosts.update(parseConnectString(text))) return false;
    await this.connect();
    return true;
  }
}

/** How many clients are on each server, and whether each is within a tenth of its share. */
function assertEven(clients: readonly Placed[], ports: readonly number[]): void {
  const share = clients.length / ports.length;
  for (const port of ports) {
    const count = clients.filter((client) => client.port === port).length;
    assert.ok(Math.abs(count - share) < share / 10, `${count} clients on ${port}, ${share} are its share`);
  }
  assert.ok(clients.every(({ port }) => ports.includes(port)));
}

test('clients stay evenly spread when servers come and go, and no more of them move than must', async () => {
  const random = numbers(1);
  const clients: Placed[] = [];
  for (let i = 0; i < 9000; i++) clients.push(new Placed(list([1, 2, 3]), random));
  for (const client of clients) await client.connect();
  assertEven(clients, [1, 2, 3]);
  const steps: { to: number[]; moves: number }[] = [
    { to: [1, 2, 3, 4, 5], moves: 2 / 5 }, // two more: two fifths go there
    { to: [1, 2, 3, 4], moves: 1 / 5 }, // one less: those who were on it
    { to: [4, 3, 2, 1], moves: 0 },
    { to: [3, 4, 5], moves: 1 / 2 }, // two less and one more
    { to: [6, 7, 8], moves: 1 }, // all others
    { to: [8, 9, 1, 2], moves: 3 / 4 },
  ];
  for (const { to, moves } of steps) {
    let moved = 0;
    for (const client of clients) if (await client.update(list(to))) moved++;
    assertEven(clients, to);
    assert.ok(Math.abs(moved / clients.length - moves) < 0.02, `${moved} of ${clients.length} moved to ${to}`);
  }
});

test('a client that is to move to new servers takes an old one if it must', async () => {
  const random = numbers(2);
  const { hosts } = new Placed(list([1, 2]), random);
  const first = await hosts.next();
  if (first !== undefined) hosts.took(first);
  assert.equal(hosts.update(parseConnectString(list([3, 4, 5]))), true);
  const seen = new Set<number | undefined>();
  for (let i = 0; i < 3; i++) seen.add((await hosts.next())?.port);
  assert.deepEqual(seen, new Set([3, 4, 5]));
  assert.ok((await hosts.next()) !== undefined);
});

test('all servers are tried before a pause, which grows from round to round up to its bound', async () => {
  const hosts = new Hosts(parseConnectString(list([1, 2, 3])), resolver, backOff, () => 0.999);
  assert.equal(hosts.pause, 0);
  const pauses: number[] = [];
  for (let round = 0; round < 6; round++) {
    const seen = new Set<number | undefined>();
    for (let i = 0; i < 3; i++) {
      seen.add((await hosts.next())?.port);
      if (i < 2) assert.equal(hosts.pause, 0);
    }
    assert.equal(seen.size, 3);
    pauses.push(Math.round(hosts.pause / 100) * 100);
  }
  assert.deepEqual(pauses, [100, 200, 400, 800, 1000, 1000]);
  hosts.served();
  assert.equal(hosts.pause, 0);
});

test('the server that was lost is tried last', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const hosts = new Hosts(parseConnectString(list([1, 2, 3])), resolver, backOff, numbers(seed));
    const lost = await hosts.next();
    assert.ok(lost !== undefined);
    hosts.took(lost);
    await hosts.next();
    await hosts.next();
    assert.equal((await hosts.next())?.port, lost.port);
  }
});

test('a name that is not resolved in time keeps nobody from the other servers', async () => {
  let answer: (addresses: string[]) => void = () => {};
  let asked = 0;
  const slow = {
    resolveSrv: resolver.resolveSrv,
    lookup: (host: string): Promise<string[]> => {
      if (host !== 'slow') return Promise.resolve(['10.0.0.1']);
      asked++;
      return new Promise((resolve) => {
        answer = resolve;
      });
    },
  };
  const hosts = new Hosts(parseConnectString('slow:1,quick:2'), slow, backOff, numbers(5), 10);
  assert.equal((await hosts.next())?.host, 'quick');
  assert.equal((await hosts.next())?.host, 'quick');
  assert.equal(asked, 1, 'it is still being resolved');
  answer(['10.0.0.2']);
  assert.deepEqual([(await hosts.next())?.host, (await hosts.next())?.host].sort(), ['quick', 'slow']);
});

/** Knows every name, until it is down. */
class Flaky {
  isDown = false;
  readonly resolveSrv = resolver.resolveSrv;
  lookup = (): Promise<string[]> =>
    this.isDown ? Promise.reject(new Error('no name server')) : Promise.resolve(['10.0.0.7']);
}

test('the addresses of before hold while names cannot be resolved', async () => {
  const flaky = new Flaky();
  const hosts = new Hosts(parseConnectString('zk:1'), flaky, backOff, numbers(5));
  assert.equal((await hosts.next())?.address, '10.0.0.7');
  flaky.isDown = true;
  assert.equal((await hosts.next())?.address, '10.0.0.7');
});

test('what is known of names goes with the list that had them', async () => {
  const flaky = new Flaky();
  const hosts = new Hosts(parseConnectString('zk:1,stays:1'), flaky, backOff, numbers(5));
  await hosts.next();
  hosts.update(parseConnectString('other:1,stays:1'));
  await hosts.next();
  flaky.isDown = true;
  hosts.update(parseConnectString('zk:1,stays:1'));
  assert.equal((await hosts.next())?.host, 'stays');
  assert.equal((await hosts.next())?.host, 'stays');
});

test('SRV records are followed, and the last ones hold while none can be had', async () => {
  let records: number[] | undefined = [1, 2, 3];
  const srv = {
    lookup: resolver.lookup,
    resolveSrv: () =>
      records === undefined
        ? Promise.reject(new Error('no answer'))
        : Promise.resolve(records.map((port) => ({ host: '10.0.0.1', port }))),
  };
  const hosts = new Hosts(parseConnectString('dns-srv://zk'), srv, backOff, numbers(3));
  const first = await hosts.next();
  assert.ok(first !== undefined);
  hosts.took(first);
  assert.equal(hosts.size, 3);
  records = undefined;
  assert.equal(await hosts.refresh(), false);
  records = [3, 2, 1];
  assert.equal(await hosts.refresh(), false);
  records = [4];
  assert.equal(await hosts.refresh(), true);
  assert.equal((await hosts.next())?.port, 4);
  records = undefined;
  assert.equal((await hosts.next())?.port, 4);
});

test('SRV records that are not found in time keep nobody from the servers that are known', async () => {
  const answers: ((found: { host: string; port: number }[]) => void)[] = [];
  const silent = { ...resolver, resolveSrv: () => new Promise<never>((resolve) => answers.push(resolve as never)) };
  const hosts = new Hosts(parseConnectString('dns-srv://zk'), silent, backOff, numbers(3), 10);
  assert.equal(await hosts.next(), undefined);
  assert.match(String(hosts.problem), /no SRV records of zk were found within 10 ms/);
  const asked = hosts.next();
  assert.equal(answers.length, 1, 'they are still looked for');
  answers.shift()?.([{ host: '10.0.0.1', port: 1 }]);
  assert.equal((await asked)?.port, 1);
  assert.equal((await hosts.next())?.port, 1, 'nobody answers');
  answers.shift()?.([{ host: '10.0.0.1', port: 2 }]);
  assert.equal(await hosts.refresh(), false);
  assert.equal((await hosts.next())?.port, 2, 'the late answer');
});

test('a connection string names servers and a chroot', () => {
  const parsed = (text: string) => {
    const { servers, chroot } = parseConnectString(text);
    return `${servers.map(({ host, port }) => `${host} ${port}`).join(', ')} ${chroot}`.trim();
  };
  assert.equal(parsed('a'), 'a 2181');
  assert.equal(parsed('a:1, b:2 ,c/x/y'), 'a 1, b 2, c 2181 /x/y');
  assert.equal(parsed('a:1/'), 'a 1');
  assert.equal(parsed('[::1]:5,[fe80::1],::2'), '::1 5, fe80::1 2181, ::2 2181');
  assert.deepEqual(parseConnectString('dns-srv://_zk._tcp.x/c'), { servers: [], srv: '_zk._tcp.x', chroot: '/c' });
  for (const bad of ['', ',', '/x', 'a:0', 'a:65536', 'a:b', 'a/x/', 'a//x', 'dns-srv:///x'])
    assert.throws(() => parseConnectString(bad), TypeError, bad);
});

test('a list that replaces SRV records is not undone by a look at them that was under way', async () => {
  const answers: ((found: { host: string; port: number }[]) => void)[] = [];
  const slow = { ...resolver, resolveSrv: () => new Promise<never>((resolve) => answers.push(resolve as never)) };
  const hosts = new Hosts(parseConnectString('dns-srv://servers.example'), slow, backOff);
  const old = { host: '10.0.0.1', port: 1 };
  const first = hosts.next();
  answers.shift()?.([old]);
  hosts.took((await first) as never);
  const looking = hosts.refresh();
  assert.ok(hosts.update(parseConnectString('10.0.0.2:2')));
  answers.shift()?.([old]);
  assert.equal(await looking, false);
  assert.equal((await hosts.next())?.port, 2);
  // Nor by that of a new round.
  hosts.update(parseConnectString('dns-srv://servers.example'));
  const asked = hosts.next();
  hosts.update(parseConnectString('10.0.0.3:3'));
  answers.shift()?.([old]);
  assert.equal((await asked)?.port, 3);
  assert.ok(!hosts.isKnown({ ...old, address: old.host }));
});
