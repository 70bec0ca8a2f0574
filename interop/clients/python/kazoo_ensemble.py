"""Checks of an ensemble through kazoo, the Python client. Argument: the connection string of all members."""

import logging
import sys
import threading

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import LockTimeout, NodeExistsError
from kazoo.retry import KazooRetry

from checks import ask, check, equal, eventually, event, raises, run

logging.disable(logging.CRITICAL)
HOSTS = sys.argv[1]


def connect(hosts=HOSTS, **options):
    client = KazooClient(hosts, **{"timeout": 30.0, **options})
    client.start(15)
    return client


zk = connect()
other = connect()
retry = KazooRetry(max_tries=-1, max_delay=0.2, deadline=30)


def port_of(client):
    """The port of the member that the client is connected to; None if its socket is gone, which it may not know yet."""
    try:
        return client._connection._socket.getpeername()[1]
    except (OSError, AttributeError):
        return None


def lose(*clients):
    """Kills the member of the first client and waits until the clients are on others; returns its port."""
    port = port_of(clients[0])
    ask("kill %d" % port)
    for client in clients:
        eventually(lambda: client.connected and port_of(client) not in (None, port), 30, "the move to another member")
    return port


@check("reconnect", "moves from member to member with its ephemeral nodes, as they are killed")
def _():
    session = zk.client_id[0]
    zk.create("/py-mine", ephemeral=True)
    for _ in range(3):
        port = lose(zk)
        equal(zk.client_id[0], session)
        stat = retry(zk.exists, "/py-mine")
        equal(stat.ephemeralOwner, session)
        ask("start %d" % port)
    zk.delete("/py-mine")


@check("watch", "DataWatch and ChildrenWatch go on across members")
def _():
    zk.create("/py-watched", b"0")
    seen = {"data": None, "children": None}
    zk.DataWatch("/py-watched", lambda data, stat: seen.update(data=data))
    zk.ChildrenWatch("/py-watched", lambda children: seen.update(children=sorted(children)))
    for i in range(3):
        port = lose(zk)
        data = b"changed %d" % i
        retry(other.set, "/py-watched", data)
        retry(other.create, "/py-watched/c%d" % i)
        eventually(lambda: seen["data"] == data, 20, "the change of data")
        eventually(lambda: seen["children"] == ["c%d" % n for n in range(i + 1)], 20, "the new child")
        ask("start %d" % port)


@check("recipes", "a lock is kept when its holder's member dies, and passes on when it is released")
def _():
    lock = zk.Lock("/py-lock", "one")
    rival = other.Lock("/py-lock", "two")
    assert lock.acquire(timeout=15)
    port = lose(zk)
    eventually(lambda: other.connected, 30)
    raises(LockTimeout, retry, rival.acquire, timeout=2)
    equal(retry(rival.contenders), ["one"])
    got = threading.Event()

    def wait():
        retry(rival.acquire)
        got.set()

    threading.Thread(target=wait, daemon=True).start()
    retry(lock.release)
    event(got, "the lock", 20)
    retry(rival.release)
    ask("start %d" % port)


@check("restart", "the leader is killed and only one write of each name succeeds")
def _():
    zk.ensure_path("/py-once")
    ask("kill-leader")
    made = 0
    for i in range(50):
        for client in (zk, other):
            try:
                retry(client.create, "/py-once/%d" % i, b"x")
                made += 1
            except NodeExistsError:
                pass
    # A create whose connection was lost may have been executed: then its repetition fails.
    assert 48 <= made <= 50, made
    equal(len(retry(zk.get_children, "/py-once")), 50)
    ask("start-all")


@check("restart", "a session is not lost when all members are restarted one by one")
def _():
    states = []
    zk.add_listener(states.append)
    session = zk.client_id[0]
    retry(zk.create, "/py-kept", ephemeral=True)
    ask("rolling-restart")
    equal(retry(zk.exists, "/py-kept").ephemeralOwner, session)
    assert KazooState.LOST not in states, states
    zk.remove_listener(states.append)


run()
