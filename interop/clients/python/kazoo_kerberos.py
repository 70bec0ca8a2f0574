"""Logs in with the tickets of KRB5CCNAME and prints whom an ACL of scheme auth names. Argument: the server's port."""

import sys

from kazoo.client import KazooClient
from kazoo.security import make_acl

client = KazooClient(
    hosts="localhost:" + sys.argv[1],
    sasl_options={"mechanism": "GSSAPI", "service": "zookeeper"},
)
client.start(20)
client.create("/kazoo", b"", acl=[make_acl("auth", "", all=True)])
print("{0.scheme}:{0.id}".format(client.get_acls("/kazoo")[0][0].id))
client.delete("/kazoo")
client.stop()
client.close()
