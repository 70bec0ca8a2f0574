# A process that does with kazoo's recipes what it is told, a line at a time: number, verb and arguments between tabs.
import datetime
import logging
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import LockTimeout
from kazoo.retry import KazooRetry

logging.disable(logging.CRITICAL)
zk = KazooClient(hosts="127.0.0.1:" + sys.argv[1], command_retry=KazooRetry(max_tries=-1))
zk.start(timeout=30)
held = {}
printing = threading.Lock()


def lock_of(kind, path):
    if kind == "mutex":
        return zk.Lock(path, "python")
    if kind == "any":
        return zk.Lock(path, "python", extra_lock_patterns=["-lock-"])
    if kind == "read":
        return zk.ReadLock(path, "python")
    if kind == "write":
        return zk.WriteLock(path, "python")
    if kind.startswith("semaphore"):
        return zk.Semaphore(path, "python", max_leases=int(kind[len("semaphore"):]))
    raise ValueError(kind)


def acquire(kind, path, timeout):
    lock = lock_of(kind, path)
    try:
        is_held = lock.acquire(timeout=int(timeout) / 1000)
    except LockTimeout:
        is_held = False
    if is_held:
        held[kind + path] = lock
    return "true" if is_held else "false"


def release(kind, path):
    held.pop(kind + path).release()


# Adds to a number by reading and writing it, which only a lock makes right.
def hammer(kind, path, counter, times):
    for _ in range(int(times)):
        with lock_of(kind, path):
            value = int(zk.get(counter)[0])
            zk.set(counter, str(value + 1).encode())


class Leading:
    def __init__(self, path, id):
        self.is_leader = False
        self.over = threading.Event()
        self.election = zk.Election(path, id)
        self.thread = threading.Thread(target=self.election.run, args=(self.lead,), daemon=True)
        self.thread.start()

    def lead(self):
        self.is_leader = True
        self.over.wait()
        self.is_leader = False


def lead(kind, path, id):
    held[kind + path] = Leading(path, id)


def leads(kind, path):
    return "true" if held[kind + path].is_leader else "false"


def leader(kind, path):
    return held[kind + path].election.contenders()[0]


def resign(kind, path):
    leading = held.pop(kind + path)
    leading.election.cancel()
    leading.over.set()
    leading.thread.join()


def add(kind, path, delta):
    counter = zk.Counter(path, support_curator=kind == "shared")
    counter += int(delta)
    return str(counter.post_value)


def put(kind, path, item, more):
    queue = zk.LockingQueue(path) if kind == "locking" else zk.Queue(path)
    queue.put(item.encode(), int(more or 100))


def take(kind, path):
    if kind == "locking":
        queue = zk.LockingQueue(path)
        item = queue.get(20)
        queue.consume()
        return item.decode()
    queue = zk.Queue(path)
    while True:
        item = queue.get()
        if item is not None:
            return item.decode()


def enter(path, count):
    barrier = zk.DoubleBarrier(path, int(count))
    held["barrier" + path] = barrier
    barrier.enter()


def leave(path):
    held.pop("barrier" + path).leave()


def gate(path, what):
    barrier = zk.Barrier(path)
    if what == "set":
        barrier.create()
    elif what == "remove":
        barrier.remove()
    elif not barrier.wait(20):
        raise RuntimeError("the barrier did not open")


def join(kind, path, id):
    party = zk.ShallowParty(path, id) if kind == "shallow" else zk.Party(path, id)
    party.join()
    held[kind + path] = party


def members(kind, path):
    return ",".join(sorted(held[kind + path]))


def part(kind, path):
    held.pop(kind + path).leave()


def lease(path, seconds, id):
    term = zk.NonBlockingLease(path, datetime.timedelta(seconds=int(seconds)), identifier=id)
    return "true" if term else "false"


class Partition:
    def __init__(self, path, id, items):
        self.is_over = False
        self.partitioner = zk.SetPartitioner(path=path, set=items, identifier=id, time_boundary=1)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.is_over:
            if self.partitioner.release:
                self.partitioner.release_set()
            elif self.partitioner.allocating:
                self.partitioner.wait_for_acquire(1)
            else:
                time.sleep(0.05)
        self.partitioner.finish()


def partition(path, id, items):
    held["partition" + path] = Partition(path, id, items.split(","))


def share(path):
    partitioner = held["partition" + path].partitioner
    return ",".join(sorted(partitioner)) if partitioner.acquired else ""


def unpartition(path):
    partition = held.pop("partition" + path)
    partition.is_over = True
    partition.thread.join()


VERBS = {
    f.__name__: f
    for f in [acquire, release, hammer, lead, leads, leader, resign, add, put, take, enter, leave, gate, join, members, part, lease, partition, share, unpartition]
}


def answer(number, verb, args):
    try:
        reply = "ok\t" + (VERBS[verb](*args) or "")
    except Exception as e:
        reply = "error\t" + " ".join(repr(e).split())
    with printing:
        print(number + "\t" + reply, flush=True)


for line in sys.stdin:
    number, verb, *args = line.rstrip("\n").split("\t")
    threading.Thread(target=answer, args=(number, verb, args), daemon=True).start()
zk.stop()
