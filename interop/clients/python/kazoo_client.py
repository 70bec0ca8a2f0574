"""Checks of the server through kazoo, the Python client. Arguments: the port of the relay to the server, and its own."""

import datetime
import logging
import re
import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import (
    AuthFailedError,
    BadArgumentsError,
    BadVersionError,
    ConnectionLoss,
    InvalidACLError,
    NoAuthError,
    NoChildrenForEphemeralsError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
    RuntimeInconsistency,
    UnimplementedError,
)
from kazoo.protocol.states import EventType
from kazoo.recipe.cache import TreeCache, TreeEvent
from kazoo.recipe.partitioner import SetPartitioner
from kazoo.recipe.watchers import PatientChildrenWatch
from kazoo.security import ACL, Id, make_acl, make_digest_acl, make_digest_acl_credential, OPEN_ACL_UNSAFE

from checks import Seen, ask, check, equal, event, eventually, raises, run

logging.disable(logging.CRITICAL)
HOSTS = "127.0.0.1:" + sys.argv[1]
_clients = []


def connect(chroot="", **options):
    """A started client; all are stopped at the end."""
    client = KazooClient(HOSTS + chroot, **{"timeout": 8.0, **options})
    client.start(15)
    _clients.append(client)
    return client


zk = connect()
other = connect()


def fresh(path):
    """An empty node of that path."""
    zk.delete(path, recursive=True)
    zk.create(path)
    return path


# Sessions


@check("session", "grants the timeout asked for, within the server's limits")
def _():
    for asked, granted in ((5.0, 5000), (0.1, 1000), (100.0, 10000)):
        client = connect(timeout=asked)
        # A client whose session is short may be on its way back just then.
        lines = []

        def listed():
            lines[:] = re.findall(r"sid=0x%x,.*" % client.client_id[0], zk.command(b"cons"))
            return lines

        eventually(listed, what="its line")
        equal(re.search(r",to=(\d+)", lines[0]).group(1), str(granted))
        client.stop()


@check("session", "a session is taken over by its id and password")
def _():
    # The first one gives up at the loss of its connection, so that the two don't fight for the session.
    first = connect(connection_retry={"max_tries": 0})
    first.create("/taken-over", ephemeral=True)
    mine = first.client_id
    second = connect(client_id=mine)
    equal(second.client_id, mine)
    equal(second.exists("/taken-over").ephemeralOwner, mine[0])
    eventually(lambda: not first.connected, what="the loss of the first one's connection")
    second.stop()
    equal(zk.exists("/taken-over"), None)


@check("session", "a wrong password gets no old session")
def _():
    first = connect()
    first.create("/not-taken-over", ephemeral=True)
    mine = first.client_id
    second = connect(client_id=(mine[0], b"x" * 16))
    assert second.client_id[0] != mine[0]
    assert zk.exists("/not-taken-over") is not None
    eventually(lambda: first.connected, what="the first one's reconnection")
    equal(first.client_id, mine)
    second.stop()
    first.stop()


@check("session", "closing removes the session's ephemeral nodes")
def _():
    client = connect()
    client.create("/closing", ephemeral=True)
    assert zk.exists("/closing")
    client.stop()
    equal(zk.exists("/closing"), None)


@check("session", "stopped clients start again with a new session")
def _():
    client = connect()
    before = client.client_id
    client.restart()
    assert client.client_id != before
    client.stop()


@check("session", "a chroot is made and hidden from the client")
def _():
    fresh("/chroot")
    client = connect("/chroot")
    equal(client.create("/inside", b"x"), "/inside")
    equal(zk.get("/chroot/inside")[0], b"x")
    equal(client.get_children("/"), ["inside"])
    client.stop()


# Creating


@check("create", "a persistent node with its stat")
def _():
    fresh("/create")
    path, stat = zk.create("/create/persistent", b"data", include_data=True)
    equal(path, "/create/persistent")
    equal((stat.version, stat.aversion, stat.cversion), (0, 0, 0))
    equal((stat.dataLength, stat.numChildren, stat.ephemeralOwner), (4, 0, 0))
    equal(stat.czxid, stat.mzxid)
    equal(stat.czxid, stat.pzxid)
    equal(stat.ctime, stat.mtime)
    assert abs(stat.ctime / 1000 - time.time()) < 60


@check("create", "an ephemeral node belongs to the session and has no children")
def _():
    zk.create("/create/ephemeral", ephemeral=True)
    equal(zk.exists("/create/ephemeral").ephemeralOwner, zk.client_id[0])
    raises(NoChildrenForEphemeralsError, zk.create, "/create/ephemeral/child")


@check("create", "sequential nodes are numbered by the creations in their parent")
def _():
    fresh("/create/sequence")
    equal(zk.create("/create/sequence/a-", sequence=True), "/create/sequence/a-0000000000")
    equal(zk.create("/create/sequence/b-", sequence=True, ephemeral=True), "/create/sequence/b-0000000001")
    zk.delete("/create/sequence/a-0000000000")
    equal(zk.create("/create/sequence/", sequence=True), "/create/sequence/0000000002")
    path, stat = zk.create("/create/sequence/c", sequence=True, ephemeral=True, include_data=True)
    equal(path, "/create/sequence/c0000000003")
    equal(stat.ephemeralOwner, zk.client_id[0])


@check("create", "refuses an existing node and a missing parent; makes parents when asked")
def _():
    raises(NodeExistsError, zk.create, "/create/persistent")
    raises(NoNodeError, zk.create, "/create/no/such/parent")
    zk.create("/create/no/such/parent", makepath=True)
    assert zk.exists("/create/no/such")


@check("create", "refuses the removal of /zookeeper")
def _():
    raises(BadArgumentsError, zk.delete, "/zookeeper")


@check("create", "a node without data is empty, not absent")
def _():
    zk.create("/create/empty", b"")
    equal(zk.get("/create/empty")[0], b"")


# Data


@check("data", "set and get, with versions and times")
def _():
    fresh("/data")
    zk.create("/data/node", b"one")
    stat = zk.set("/data/node", b"two")
    equal(stat.version, 1)
    assert stat.mzxid > stat.czxid
    data, stat = zk.get("/data/node")
    equal((data, stat.version), (b"two", 1))
    equal(stat.last_modified_transaction_id, stat.mzxid)


@check("data", "a conditional set needs the node's version")
def _():
    equal(zk.set("/data/node", b"three", version=1).version, 2)
    raises(BadVersionError, zk.set, "/data/node", b"four", version=1)
    equal(zk.get("/data/node")[0], b"three")


@check("data", "a conditional delete needs the node's version")
def _():
    raises(BadVersionError, zk.delete, "/data/node", version=7)
    zk.delete("/data/node", version=2)
    equal(zk.exists("/data/node"), None)


@check("data", "a missing node is reported by every request")
def _():
    raises(NoNodeError, zk.get, "/data/none")
    raises(NoNodeError, zk.set, "/data/none", b"")
    raises(NoNodeError, zk.delete, "/data/none")
    raises(NoNodeError, zk.get_children, "/data/none")
    raises(NoNodeError, zk.get_acls, "/data/none")
    equal(zk.exists("/data/none"), None)


@check("data", "children, with the parent's stat")
def _():
    for name in ("a", "b", "c"):
        zk.create("/data/" + name)
    equal(sorted(zk.get_children("/data")), ["a", "b", "c"])
    children, stat = zk.get_children("/data", include_data=True)
    equal((sorted(children), stat.numChildren), (["a", "b", "c"], 3))
    equal(stat.pzxid, zk.exists("/data/c").czxid)


@check("data", "a node with children isn't deleted, except recursively")
def _():
    raises(NotEmptyError, zk.delete, "/data")
    zk.delete("/data", recursive=True)
    equal(zk.exists("/data"), None)


@check("data", "a thousand requests in flight are answered in their order")
def _():
    fresh("/pipeline")
    made = [zk.create_async("/pipeline/%04d" % i, b"%d" % i) for i in range(500)]
    got = [zk.get_async("/pipeline/%04d" % i) for i in range(500)]
    equal([result.get(20) for result in made], ["/pipeline/%04d" % i for i in range(500)])
    equal([result.get(20)[0] for result in got], [b"%d" % i for i in range(500)])
    equal(len(zk.get_children("/pipeline")), 500)


# ACLs


@check("acl", "world: what isn't granted is refused")
def _():
    fresh("/acl")
    zk.create("/acl/read-only", b"x", acl=[make_acl("world", "anyone", read=True)])
    equal(zk.get("/acl/read-only")[0], b"x")
    raises(NoAuthError, zk.set, "/acl/read-only", b"y")
    raises(NoAuthError, zk.create, "/acl/read-only/child")
    raises(NoAuthError, zk.set_acls, "/acl/read-only", OPEN_ACL_UNSAFE)
    zk.create("/acl/no-read", b"x", acl=[make_acl("world", "anyone", write=True, admin=True)])
    raises(NoAuthError, zk.get, "/acl/no-read")
    raises(NoAuthError, zk.get_children, "/acl/no-read")
    if zk.server_version() >= (3, 8, 4):  # CVE-2024-23944
        raises(NoAuthError, zk.exists, "/acl/no-read")


@check("acl", "digest: only the one who knows the password")
def _():
    zk.create("/acl/digest", b"x", acl=[make_digest_acl("user", "secret", all=True)])
    raises(NoAuthError, zk.get, "/acl/digest")
    client = connect()
    client.add_auth("digest", "user:wrong")
    raises(NoAuthError, client.get, "/acl/digest")
    client.add_auth("digest", "user:secret")
    equal(client.get("/acl/digest")[0], b"x")
    client.stop()


@check("acl", "digest credentials may hold any character")
def _():
    zk.create("/acl/digest-unicode", b"x", acl=[make_digest_acl("usér", "pa:ss☃", all=True)])
    client = connect(auth_data=[("digest", "usér:pa:ss☃")])
    equal(client.get("/acl/digest-unicode")[0], b"x")
    client.stop()


@check("acl", "auth: stands for the identities of the session")
def _():
    client = connect()
    raises(InvalidACLError, client.create, "/acl/auth", acl=[make_acl("auth", "", all=True)])
    client.add_auth("digest", "a:b")
    client.create("/acl/auth", acl=[make_acl("auth", "", all=True)])
    acls, stat = client.get_acls("/acl/auth")
    equal(acls, [make_acl("digest", make_digest_acl_credential("a", "b"), all=True)])
    equal(stat.aversion, 0)
    client.stop()


@check("acl", "ip: addresses and networks")
def _():
    zk.create("/acl/ip", b"x", acl=[make_acl("ip", "127.0.0.1", all=True)])
    equal(zk.get("/acl/ip")[0], b"x")
    zk.create("/acl/network", b"x", acl=[make_acl("ip", "127.0.0.0/8", all=True)])
    equal(zk.get("/acl/network")[0], b"x")
    zk.create("/acl/elsewhere", b"x", acl=[make_acl("ip", "10.0.0.0/8", all=True)])
    raises(NoAuthError, zk.get, "/acl/elsewhere")


@check("acl", "super may do anything")
def _():
    client = connect(auth_data=[("digest", "super:interop")])
    equal(client.get("/acl/digest")[0], b"x")
    client.set("/acl/elsewhere", b"y")
    client.set_acls("/acl/elsewhere", OPEN_ACL_UNSAFE)
    equal(zk.get("/acl/elsewhere")[0], b"y")
    client.stop()


@check("acl", "get and set, with their own version")
def _():
    zk.create("/acl/set")
    equal(zk.get_acls("/acl/set")[0], OPEN_ACL_UNSAFE)
    stat = zk.set_acls("/acl/set", [make_acl("world", "anyone", read=True, admin=True)])
    equal((stat.aversion, stat.version), (1, 0))
    raises(BadVersionError, zk.set_acls, "/acl/set", OPEN_ACL_UNSAFE, version=0)
    zk.set_acls("/acl/set", OPEN_ACL_UNSAFE, version=1)
    equal(zk.get_acls("/acl/set")[1].aversion, 2)


@check("acl", "an ACL that means nothing is refused")
def _():
    raises(InvalidACLError, zk.create, "/acl/bad", acl=[ACL(31, Id("nonsense", "x"))])
    raises(InvalidACLError, zk.create, "/acl/bad", acl=[make_acl("ip", "not-an-address", all=True)])
    raises(InvalidACLError, zk.create, "/acl/bad", acl=[make_acl("digest", "no-colon", all=True)])


@check("acl", "an unknown authentication scheme fails the session")
def _():
    client = KazooClient(HOSTS, timeout=8.0)
    client.start(15)
    raises(AuthFailedError, client.add_auth, "nonsense", "x")
    eventually(lambda: client.client_state == "AUTH_FAILED" or not client.connected, what="the failure of the session")
    client.stop()
    client.close()


@check("acl", "delete needs a permission on the parent, not on the node")
def _():
    zk.create("/acl/parent", acl=[make_acl("world", "anyone", read=True, create=True, admin=True)])
    zk.create("/acl/parent/child")
    raises(NoAuthError, zk.delete, "/acl/parent/child")
    zk.set_acls("/acl/parent", OPEN_ACL_UNSAFE)
    zk.set_acls("/acl/parent/child", [make_acl("world", "anyone", read=True)])
    zk.delete("/acl/parent/child")


# SASL


def login(name, password):
    return {"mechanism": "DIGEST-MD5", "username": name, "password": password}


@check("sasl", "who logs in has the identity that ACLs name")
def _():
    fresh("/sasl")
    client = connect(sasl_options=login("interop", "interop-secret"))
    client.create("/sasl/mine", b"x", acl=[make_acl("sasl", "interop", all=True)])
    client.create("/sasl/auth", b"x", acl=[make_acl("auth", "", all=True)])
    equal(client.get_acls("/sasl/auth")[0], [make_acl("sasl", "interop", all=True)])
    equal(client.get("/sasl/mine")[0], b"x")
    raises(NoAuthError, zk.get, "/sasl/mine")
    another = connect(sasl_options=login("other", "other-secret"))
    raises(NoAuthError, another.get, "/sasl/mine")
    client.stop()
    another.stop()


# Transactions


@check("multi", "creates, sets, checks and deletes as one")
def _():
    fresh("/multi")
    zk.create("/multi/old")
    with_all = zk.transaction()
    with_all.check("/multi/old", 0)
    with_all.create("/multi/new", b"one")
    with_all.create("/multi/new/seq-", sequence=True)
    with_all.create("/multi/mine", ephemeral=True)
    with_all.set_data("/multi/new", b"two")
    with_all.delete("/multi/old")
    results = with_all.commit()
    equal(results[0], True)
    equal(results[1:4], ["/multi/new", "/multi/new/seq-0000000000", "/multi/mine"])
    equal((results[4].version, results[5]), (1, True))
    equal(zk.exists("/multi/old"), None)
    equal(zk.get("/multi/new")[0], b"two")
    zxids = {zk.exists(path).czxid for path in ("/multi/new", "/multi/mine", "/multi/new/seq-0000000000")}
    equal(len(zxids), 1)


@check("multi", "one failure undoes all and names itself")
def _():
    transaction = zk.transaction()
    transaction.create("/multi/undone")
    transaction.check("/multi/new", 99)
    transaction.delete("/multi/new")
    results = transaction.commit()
    equal([type(result) for result in results], [RolledBackError, BadVersionError, RuntimeInconsistency])
    equal(zk.exists("/multi/undone"), None)


@check("multi", "an empty transaction is allowed")
def _():
    equal(zk.transaction().commit(), [])


@check("multi", "ACLs hold inside a transaction")
def _():
    zk.create("/multi/guarded", acl=[make_acl("world", "anyone", read=True)])
    transaction = zk.transaction()
    transaction.create("/multi/beside")
    transaction.set_data("/multi/guarded", b"x")
    equal([type(result) for result in transaction.commit()], [RolledBackError, NoAuthError])


# Sync


@check("sync", "returns the path, on a missing node too")
def _():
    equal(zk.sync("/"), "/")
    equal(zk.sync("/none/such"), "/none/such")


@check("sync", "another client's write is read after it")
def _():
    fresh("/sync")
    other.set("/sync", b"new")
    zk.sync("/sync")
    equal(zk.get("/sync")[0], b"new")


# Watches


@check("watch", "data: a change and a removal, once each")
def _():
    fresh("/watch")
    seen = Seen()
    zk.get("/watch", watch=seen)
    other.set("/watch", b"1")
    other.set("/watch", b"2")
    seen.wait((EventType.CHANGED, "/watch"))
    zk.get("/watch", watch=seen)
    other.delete("/watch")
    seen.wait((EventType.CHANGED, "/watch"), (EventType.DELETED, "/watch"))


@check("watch", "exists: creation, change, removal")
def _():
    zk.delete("/watch", recursive=True)
    seen = Seen()
    equal(zk.exists("/watch", watch=seen), None)
    other.create("/watch")
    seen.wait((EventType.CREATED, "/watch"))
    zk.exists("/watch", watch=seen)
    other.set("/watch", b"x")
    seen.wait((EventType.CREATED, "/watch"), (EventType.CHANGED, "/watch"))
    zk.exists("/watch", watch=seen)
    other.delete("/watch")
    eventually(lambda: len(seen.events) == 3)
    equal(seen.events[2], (EventType.DELETED, "/watch"))


@check("watch", "children: a new one, a removed one, the node's own removal")
def _():
    fresh("/watch")
    seen = Seen()
    zk.get_children("/watch", watch=seen)
    other.create("/watch/child")
    seen.wait((EventType.CHILD, "/watch"))
    zk.get_children("/watch", watch=seen)
    other.delete("/watch/child")
    seen.wait((EventType.CHILD, "/watch"), (EventType.CHILD, "/watch"))
    zk.get_children("/watch", watch=seen)
    other.delete("/watch")
    eventually(lambda: len(seen.events) == 3)
    equal(seen.events[2], (EventType.DELETED, "/watch"))


@check("watch", "children: data of the node doesn't matter")
def _():
    fresh("/watch")
    seen = Seen()
    zk.get_children("/watch", watch=seen)
    other.set("/watch", b"x")
    other.create("/watch/child")
    seen.wait((EventType.CHILD, "/watch"))


@check("watch", "transactions fire watches")
def _():
    fresh("/watch")
    seen, children = Seen(), Seen()
    zk.exists("/watch/new", watch=seen)
    zk.get_children("/watch", watch=children)
    transaction = other.transaction()
    transaction.create("/watch/new")
    transaction.create("/watch/new2")
    transaction.commit()
    seen.wait((EventType.CREATED, "/watch/new"))
    children.wait((EventType.CHILD, "/watch"))


# Reconnecting


def states_of(client):
    states = []
    client.add_listener(lambda state: states.append(state) and None)
    return states


def lose(client, how):
    """Loses the connection of the client and waits until it is back."""
    states = states_of(client)
    ask(how)
    eventually(lambda: states[-1:] == [KazooState.CONNECTED], timeout=20, what="the reconnection")
    equal(states, [KazooState.SUSPENDED, KazooState.CONNECTED])


@check("reconnect", "the session and its ephemeral nodes are kept")
def _():
    before = zk.client_id
    zk.create("/reconnect", ephemeral=True)
    lose(zk, "cut")
    equal(zk.client_id, before)
    equal(zk.exists("/reconnect").ephemeralOwner, before[0])


@check("reconnect", "authentication is repeated")
def _():
    client = connect()
    client.add_auth("digest", "user:secret")
    lose(client, "cut")
    equal(client.get("/acl/digest")[0], b"x")
    client.stop()


@check("reconnect", "requests in flight fail or are retried")
def _():
    fresh("/in-flight")
    ask("down")
    eventually(lambda: not zk.connected, what="the disconnection")
    threading.Timer(0.3, ask, ["up"]).start()
    zk.retry(zk.set, "/in-flight", b"x")
    equal(zk.get("/in-flight")[0], b"x")
    eventually(lambda: other.connected)


# kazoo sets no watches again after a reconnection: its recipes do, which are checked below.


@check("restart", "an orderly restart keeps the session, its nodes and all data")
def _():
    fresh("/restart")
    zk.set("/restart", b"kept")
    zk.create("/restart/mine", ephemeral=True)
    before = zk.client_id
    lose(zk, "restart")
    equal(zk.client_id, before)
    equal(zk.get("/restart")[0], b"kept")
    equal(zk.exists("/restart/mine").ephemeralOwner, before[0])


@check("restart", "a kill keeps what was acknowledged")
def _():
    made = [zk.create("/restart/seq-", b"x", sequence=True) for _ in range(100)]
    before = zk.client_id
    lose(zk, "kill")
    equal(zk.client_id, before)
    equal(sorted(["/restart/" + name for name in zk.get_children("/restart") if name != "mine"]), made)
    equal(zk.create("/restart/seq-", sequence=True), "/restart/seq-%010d" % (int(made[-1][-10:]) + 1))


@check("restart", "DataWatch and ChildrenWatch go on")
def _():
    fresh("/restart/watched")
    values, children = [], []
    zk.DataWatch("/restart/watched", lambda data, stat: values.append(data) and None)
    zk.ChildrenWatch("/restart/watched", lambda names: children.append(sorted(names)) and None)
    lose(zk, "restart")
    zk.retry(zk.set, "/restart/watched", b"after")
    zk.create("/restart/watched/child")
    eventually(lambda: values[-1:] == [b"after"], what="the data's event")
    eventually(lambda: children[-1:] == [["child"]], what="the child's event")


# Expiry


@check("expiry", "a session that isn't heard of expires, with its ephemeral nodes")
def _():
    client = connect(timeout=3.0)
    client.create("/expiring", ephemeral=True)
    before = client.client_id
    states = states_of(client)
    watching = KazooClient("127.0.0.1:" + sys.argv[2])
    watching.start(15)
    ask("down")
    eventually(lambda: watching.exists("/expiring") is None, what="the node's removal")
    ask("up")
    eventually(lambda: states[-1:] == [KazooState.CONNECTED], timeout=20, what="the reconnection")
    equal(states, [KazooState.SUSPENDED, KazooState.LOST, KazooState.CONNECTED])
    assert client.client_id != before
    equal(client.exists("/expiring"), None)
    client.stop()
    watching.stop()
    eventually(lambda: zk.connected and other.connected)


@check("expiry", "an idle client is kept alive by its pings")
def _():
    client = connect(timeout=5.0)
    states = states_of(client)
    client.create("/pinging", ephemeral=True)
    time.sleep(8)
    equal(states, [])
    assert zk.exists("/pinging")
    client.stop()


# Four-letter words


@check("words", "ruok, stat, srvr, mntr, conf, envi, cons, dump, wchs, wchc, wchp, isro, dirs, crst, srst")
def _():
    equal(zk.command(b"ruok"), "imok")
    equal(zk.command(b"isro"), "rw")
    assert "Mode: standalone" in zk.command(b"srvr")
    assert "Clients:" in zk.command(b"stat")
    assert "zk_server_state\tstandalone" in zk.command(b"mntr")
    assert "clientPort=" in zk.command(b"conf")
    assert zk.command(b"envi").startswith("Environment:")
    assert "/127.0.0.1:" in zk.command(b"cons")
    dump = zk.command(b"dump")
    assert "SessionTracker dump:" in dump and "0x%x" % zk.client_id[0] in dump
    assert "watching" in zk.command(b"wchs")
    for word in (b"wchc", b"wchp", b"dirs"):
        zk.command(word)
    assert "reset" in zk.command(b"crst")
    assert "reset" in zk.command(b"srst")


@check("words", "the server's version is read")
def _():
    assert zk.server_version()[0] == 3, zk.server_version()


# Sizes and characters


@check("big", "values up to a million bytes")
def _():
    value = bytes(range(256)) * 3906
    zk.create("/big", value)
    equal(zk.get("/big")[0] == value, True)
    zk.set("/big", value[::-1])
    equal(zk.get("/big")[0] == value[::-1], True)


@check("big", "a request beyond the server's limit loses the connection")
def _():
    client = connect(command_retry={"max_tries": 0})
    raises(ConnectionLoss, client.create, "/too-big", b"x" * 1100000)
    eventually(lambda: client.connected, timeout=20)
    equal(client.exists("/too-big"), None)
    client.stop()


@check("big", "ten thousand children")
def _():
    fresh("/wide")
    for start in range(0, 10000, 1000):
        transaction = zk.transaction()
        for i in range(start, start + 1000):
            transaction.create("/wide/%032d" % i)
        transaction.commit()
    equal(len(zk.get_children("/wide")), 10000)
    equal(zk.exists("/wide").numChildren, 10000)


@check("unicode", "paths of any script in the basic plane, values of any")
def _():
    fresh("/unicode")
    for name in ("ñandú", "データ", "данные", "a b", "%41"):
        zk.create("/unicode/" + name, name.encode())
    equal(sorted(zk.get_children("/unicode")), sorted(["ñandú", "データ", "данные", "a b", "%41"]))
    equal(zk.get("/unicode/データ")[0], "データ".encode())
    raises(BadArgumentsError, zk.create, "/unicode/🐘")
    zk.set("/unicode/a b", "🐘".encode())
    equal(zk.get("/unicode/a b")[0], "🐘".encode())


@check("unicode", "events carry them")
def _():
    seen = Seen()
    zk.get("/unicode/данные", watch=seen)
    other.set("/unicode/данные", b"x")
    seen.wait((EventType.CHANGED, "/unicode/данные"))


@check("config", "a standalone server does no reconfig")
def _():
    client = connect(auth_data=[("digest", "super:interop")])
    joining = "server.2=127.0.0.1:2888:3888;2181"
    raises(UnimplementedError, client.reconfig, joining=joining, leaving=None, new_members=None)
    client.stop()


@check("config", "/zookeeper/config is there")
def _():
    zk.get("/zookeeper/config")
    equal(sorted(zk.get_children("/zookeeper")), ["config", "quota"])


# Recipes


def in_thread(function, *args):
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    return thread


@check("recipes", "Lock: one holder, handed on in the order of arrival")
def _():
    fresh("/lock")
    first, second = zk.Lock("/lock", "one"), other.Lock("/lock", "two")
    assert first.acquire()
    equal(second.acquire(blocking=False), False)
    got = threading.Event()
    in_thread(lambda: second.acquire(timeout=10) and got.set())
    eventually(lambda: first.contenders() == ["one", "two"], what="the second contender")
    assert not got.is_set()
    first.release()
    event(got, "the lock")
    second.release()


@check("recipes", "Lock: freed by the end of its holder's session")
def _():
    holder = connect()
    holder.Lock("/lock").acquire()
    waiting = zk.Lock("/lock")
    got = threading.Event()
    in_thread(lambda: waiting.acquire(timeout=10) and got.set())
    eventually(lambda: len(waiting.contenders()) == 2, what="the second contender")
    holder.stop()
    event(got, "the lock")
    waiting.release()


@check("recipes", "ReadLock and WriteLock")
def _():
    fresh("/read-write")
    one, two = zk.ReadLock("/read-write", "one"), other.ReadLock("/read-write", "two")
    writer = other.WriteLock("/read-write", "three")
    assert one.acquire(timeout=5) and two.acquire(timeout=5)
    equal(writer.acquire(blocking=False), False)
    one.release()
    two.release()
    assert writer.acquire(timeout=5)
    equal(one.acquire(blocking=False), False)
    writer.release()


@check("recipes", "Semaphore: as many holders as leases")
def _():
    fresh("/semaphore")
    leases = [client.Semaphore("/semaphore", max_leases=2) for client in (zk, other, connect())]
    assert leases[0].acquire() and leases[1].acquire()
    equal(leases[2].acquire(blocking=False), False)
    got = threading.Event()
    in_thread(lambda: leases[2].acquire(timeout=10) and got.set())
    leases[0].release()
    event(got, "the lease")
    leases[1].release()
    leases[2].release()


@check("recipes", "Election: leads in turn")
def _():
    fresh("/election")
    led, first_may_end = [], threading.Event()
    elections = [zk.Election("/election", "one"), other.Election("/election", "two")]

    def lead(name):
        led.append(name)
        if name == "one":
            first_may_end.wait(10)

    threads = [in_thread(elections[0].run, lead, "one")]
    eventually(lambda: led == ["one"], what="the first leader")
    threads.append(in_thread(elections[1].run, lead, "two"))
    eventually(lambda: elections[0].contenders() == ["one", "two"], what="the second contender")
    first_may_end.set()
    for thread in threads:
        thread.join(10)
    equal(led, ["one", "two"])


@check("recipes", "Barrier: opens for who waits")
def _():
    zk.delete("/barrier", recursive=True)
    barrier = zk.Barrier("/barrier")
    barrier.create()
    equal(other.Barrier("/barrier").wait(timeout=0.1), False)
    opened = threading.Event()
    in_thread(lambda: other.Barrier("/barrier").wait(10) and opened.set())
    assert not opened.is_set()
    barrier.remove()
    event(opened, "the opening")


@check("recipes", "DoubleBarrier: all enter, all leave")
def _():
    zk.delete("/double-barrier", recursive=True)
    steps = []

    def pass_through(client, name):
        barrier = client.DoubleBarrier("/double-barrier", 2, name)
        barrier.enter()
        steps.append("in")
        barrier.leave()
        steps.append("out")

    threads = [in_thread(pass_through, zk, "one"), in_thread(pass_through, other, "two")]
    for thread in threads:
        thread.join(15)
    equal(sorted(steps), ["in", "in", "out", "out"])


@check("recipes", "Queue: priorities, then order")
def _():
    fresh("/queue")
    queue = zk.Queue("/queue")
    queue.put(b"late", priority=200)
    queue.put(b"first")
    queue.put(b"second")
    equal(len(queue), 3)
    equal([other.Queue("/queue").get(), queue.get(), queue.get(), queue.get()], [b"first", b"second", b"late", None])


@check("recipes", "LockingQueue: an entry is held until it is consumed")
def _():
    fresh("/locking-queue")
    one, two = zk.LockingQueue("/locking-queue"), other.LockingQueue("/locking-queue")
    one.put_all([b"a", b"b"])
    equal(one.get(5), b"a")
    equal(two.get(5), b"b")
    assert one.holds_lock()
    assert one.consume() and two.release()
    equal(one.get(5), b"b")
    assert one.consume()
    equal(two.get(0.1), None)


@check("recipes", "Counter: no addition is lost")
def _():
    fresh("/counter")

    def count(client):
        counter = client.Counter("/counter/int")
        for _ in range(20):
            counter += 1

    threads = [in_thread(count, client) for client in (zk, other)]
    for thread in threads:
        thread.join(30)
    equal(zk.Counter("/counter/int").value, 40)
    real = zk.Counter("/counter/float", default=1.5)
    real -= 0.5
    equal(real.value, 1.0)
    shared = zk.Counter("/counter/curator", support_curator=True)
    shared += 7
    equal(zk.get("/counter/curator")[0], b"\0\0\0\7")


@check("recipes", "Party and ShallowParty: who has joined")
def _():
    fresh("/party")
    one, two = zk.Party("/party", "one"), other.Party("/party", "two")
    one.join()
    two.join()
    equal((sorted(one), len(two)), (["one", "two"], 2))
    two.leave()
    equal(list(one), ["one"])
    one.leave()
    fresh("/shallow")
    shallow = zk.ShallowParty("/shallow", "one")
    shallow.join()
    equal(list(other.ShallowParty("/shallow", "x")), ["one"])
    shallow.leave()


@check("recipes", "ChildrenWatch and DataWatch: every state is heard of, the last for sure")
def _():
    fresh("/watches")
    names, values = [], []
    zk.ChildrenWatch("/watches", lambda children: names.append(sorted(children)) and None)

    @zk.DataWatch("/watches/node")
    def _heard(data, stat, watched):
        values.append((data, watched.type if watched else None))

    other.create("/watches/node", b"1")
    eventually(lambda: values[-1:] == [(b"1", EventType.CREATED)])
    other.set("/watches/node", b"2")
    eventually(lambda: values[-1:] == [(b"2", EventType.CHANGED)])
    other.delete("/watches/node")
    eventually(lambda: values[-1:] == [(None, EventType.DELETED)])
    eventually(lambda: names[-1:] == [[]])
    equal(values[0], (None, None))
    assert ["node"] in names


@check("recipes", "PatientChildrenWatch: told when the children are quiet")
def _():
    fresh("/patient")
    result = PatientChildrenWatch(zk, "/patient", time_boundary=3).start()
    for name in "abc":
        other.create("/patient/" + name)
    children, changed = result.get(30)
    equal(sorted(children), ["a", "b", "c"])
    other.create("/patient/d")
    eventually(lambda: changed.ready(), what="the later change")


@check("recipes", "TreeCache: follows a tree")
def _():
    zk.delete("/tree", recursive=True)
    zk.create("/tree/a/b", b"1", makepath=True)
    cache = TreeCache(zk, "/tree")
    heard = []
    cache.listen(lambda happened: heard.append(happened.event_type) and None)
    cache.start()
    eventually(lambda: TreeEvent.INITIALIZED in heard, what="the first reading")
    equal(cache.get_data("/tree/a/b").data, b"1")
    other.set("/tree/a/b", b"2")
    other.create("/tree/a/c", b"3")
    eventually(lambda: cache.get_data("/tree/a/c") and cache.get_data("/tree/a/b").data == b"2")
    equal(cache.get_children("/tree/a"), frozenset(["b", "c"]))
    other.delete("/tree", recursive=True)
    eventually(lambda: cache.get_data("/tree/a") is None, what="the removal")
    cache.close()


@check("recipes", "TreeCache: catches up after a lost connection")
def _():
    fresh("/tree")
    cache = TreeCache(zk, "/tree")
    heard = []
    cache.listen(lambda happened: heard.append(happened.event_type) and None)
    cache.start()
    eventually(lambda: TreeEvent.INITIALIZED in heard, what="the first reading")
    lose(zk, "cut")
    zk.retry(zk.create, "/tree/new", b"x")
    eventually(lambda: cache.get_data("/tree/new") is not None, what="the new node")
    assert TreeEvent.CONNECTION_RECONNECTED in heard
    cache.close()


@check("recipes", "SetPartitioner: members share a set")
def _():
    fresh("/partition")
    eventually(lambda: other.connected)
    parts = [
        SetPartitioner(client, "/partition", set=("a", "b", "c"), identifier=name, time_boundary=0.3)
        for client, name in ((zk, "one"), (other, "two"))
    ]

    def share():
        for part in parts:
            if part.release:
                part.release_set()
            elif part.allocating:
                part.wait_for_acquire(0.1)
        return all(part.acquired for part in parts) and sum(len(list(part)) for part in parts) == 3

    eventually(share, timeout=20, what="the sharing")
    equal(sorted(list(parts[0]) + list(parts[1])), ["a", "b", "c"])
    for part in parts:
        part.finish()


@check("recipes", "NonBlockingLease and MultiNonBlockingLease")
def _():
    zk.delete("/lease", recursive=True)
    minute = datetime.timedelta(minutes=1)
    assert zk.NonBlockingLease("/lease/one", minute, identifier="a")
    assert not other.NonBlockingLease("/lease/one", minute, identifier="b")
    assert zk.NonBlockingLease("/lease/one", minute, identifier="a")
    many = [bool(zk.MultiNonBlockingLease(2, "/lease/many", minute, identifier=name)) for name in "abc"]
    equal(many, [True, True, False])


@check("recipes", "Transaction: as a context manager")
def _():
    fresh("/context")
    with zk.transaction() as transaction:
        transaction.create("/context/a")
        transaction.create("/context/b")
    equal(sorted(zk.get_children("/context")), ["a", "b"])


run()
