// Addresses as Java writes them, and a client's where it is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OpCode, writeAclList } from '@nodekeeper/protocol';
import { longLine } from '../../dist/admin/connection-text.js';
import { viewOf } from '../../dist/admin/view-of-server.js';
import { type Network, nodeNetwork } from '../../dist/net/network.js';
import { isWildcard, javaAddress } from '../../dist/quorum/java-address.js';
import { formatMember, parseMember } from '../../dist/quorum/quorum-config.js';
import { RawClient, serve } from '../server/raw-client.js';

test('addresses of IPv6 have eight groups; others and names stay as they are', () => {
  const written = {
    '::1': '0:0:0:0:0:0:0:1',
    '::': '0:0:0:0:0:0:0:0',
    '2001:DB8::00a0:0': '2001:db8:0:0:0:0:a0:0',
    '1:2:3:4:5:6:7:8': '1:2:3:4:5:6:7:8',
    'fe80::1%eth0': 'fe80:0:0:0:0:0:0:1%eth0',
    '::ffff:127.0.0.1': '127.0.0.1',
    '::ffff:255.0.40.199': '255.0.40.199',
    '::ffff:01.2.3.4': '1.2.3.4',
    '::FFFF:7f00:1': '127.0.0.1',
    '64:ff9b::10.0.0.1': '64:ff9b:0:0:0:0:a00:1',
  };
  for (const [text, address] of Object.entries(written)) assert.equal(javaAddress(text), address);
  for (const text of [
    '127.0.0.1',
    'zk1.example',
    '',
    '1:2',
    '::1::',
    ':::',
    '1:2:3:4:5:6:7:8:9',
    '::12345',
    '::1.2.3',
    '::ffff:256.0.0.1',
  ])
    assert.equal(javaAddress(text), text);
  assert.deepEqual(['0.0.0.0', '::', '0:0:0:0:0:0:0:0', '::1', 'h'].map(isWildcard), [true, true, true, false, false]);
});

test('a member at IPv6 addresses is written as Apache’s server writes it', () => {
  const member = parseMember(1, '[::1]:2888:3888;[2001:db8::5]:2181');
  assert.ok(typeof member !== 'string');
  assert.equal(formatMember(member), '[0:0:0:0:0:0:0:1]:2888:3888:participant;[2001:db8:0:0:0:0:0:5]:2181');
});

test('a client from an IPv6 address is told as with Apache’s server, and ACLs know it however they write it', async (t) => {
  const network: Network = {
    ...nodeNetwork,
    listen: (options, onConnection) =>
      nodeNetwork.listen(options, (socket) => {
        Object.defineProperty(socket, 'remoteAddress', { value: '::1' });
        onConnection(socket);
      }),
  };
  const { server, clientPort } = await serve(t, {}, { network });
  const client = await RawClient.open(t, clientPort);
  const [connection] = viewOf(server).connections();
  assert.ok(connection !== undefined);
  assert.match(longLine(connection, undefined), /^ \/\[0:0:0:0:0:0:0:1\]:\d+\[1\]\(/);
  const { body } = await client.request(OpCode.whoAmI);
  assert.deepEqual([body.int(), body.string(), body.string()], [1, 'ip', '0:0:0:0:0:0:0:1']);
  await client.request(OpCode.create, (w) => {
    w.string('/mine').buffer(Buffer.from('x'));
    writeAclList(w, [{ perms: 31, scheme: 'ip', id: '::1' }]);
    w.int(0);
  });
  assert.equal(await client.getData('/mine'), 'x');
});
