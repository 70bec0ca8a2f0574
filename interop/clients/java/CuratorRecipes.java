// Checks of the server through Curator's recipes, two clients against each other.

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.Closeable;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.CachedAtomicLong;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicInteger;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.queue.DistributedDelayQueue;
import org.apache.curator.framework.recipes.queue.DistributedIdQueue;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.SharedValue;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.CreateMode;

final class CuratorRecipes {
    private static final ExecutorService THREADS = Executors.newCachedThreadPool(body -> {
        Thread thread = new Thread(body);
        thread.setDaemon(true);
        return thread;
    });

    private CuratorRecipes() {}

    static void register() {
        locks();
        leaders();
        barriers();
        counters();
        caches();
        nodes();
        queues();
        resilience();
    }

    private static CuratorFramework one() {
        return Curator.curator;
    }

    private static CuratorFramework two() {
        return Curator.other;
    }

    private static <T> Future<T> start(Callable<T> body) {
        return THREADS.submit(body);
    }

    private static <T> T get(Future<T> future) throws Exception {
        return future.get(15, TimeUnit.SECONDS);
    }

    private static void locks() {
        Checks.check("recipes", "InterProcessMutex: one holder, reentrant, handed on", () -> {
            InterProcessMutex first = new InterProcessMutex(one(), "/mutex");
            InterProcessMutex second = new InterProcessMutex(two(), "/mutex");
            Checks.that(first.acquire(5, TimeUnit.SECONDS) && first.acquire(5, TimeUnit.SECONDS), "it is held, twice");
            Checks.that(!second.acquire(100, TimeUnit.MILLISECONDS), "the other waits");
            Future<Boolean> waiting = start(() -> second.acquire(10, TimeUnit.SECONDS));
            Checks.eventually("two in line", () -> first.getParticipantNodes().size() == 2);
            first.release();
            Checks.that(!waiting.isDone(), "it is still held");
            first.release();
            Checks.that(get(waiting), "it was handed on");
        });
        Checks.check("recipes", "InterProcessMutex: freed by the end of the holder's session", () -> {
            CuratorFramework holder = Curator.connect(8000);
            new InterProcessMutex(holder, "/mutex-session").acquire();
            InterProcessMutex mine = new InterProcessMutex(one(), "/mutex-session");
            Future<Boolean> waiting = start(() -> mine.acquire(10, TimeUnit.SECONDS));
            Checks.eventually("two in line", () -> mine.getParticipantNodes().size() == 2);
            holder.close();
            Checks.that(get(waiting), "it was freed");
        });
        Checks.check("recipes", "InterProcessMutex: may be asked to be given back", () -> {
            InterProcessMutex mine = new InterProcessMutex(one(), "/mutex-revoke");
            CompletableFuture<Boolean> asked = new CompletableFuture<>();
            mine.makeRevocable(lock -> asked.complete(true));
            mine.acquire();
            Collection<String> holders = mine.getParticipantNodes();
            org.apache.curator.framework.recipes.locks.Revoker.attemptRevoke(two(), holders.iterator().next());
            Checks.that(get(asked), "it was asked");
            mine.release();
        });
        Checks.check("recipes", "InterProcessReadWriteLock: readers together, a writer alone", () -> {
            InterProcessReadWriteLock first = new InterProcessReadWriteLock(one(), "/read-write");
            InterProcessReadWriteLock second = new InterProcessReadWriteLock(two(), "/read-write");
            first.readLock().acquire();
            Checks.that(second.readLock().acquire(5, TimeUnit.SECONDS), "two readers");
            Checks.that(!second.writeLock().acquire(100, TimeUnit.MILLISECONDS), "no writer");
            second.readLock().release();
            first.readLock().release();
            Checks.that(second.writeLock().acquire(5, TimeUnit.SECONDS), "a writer");
            Checks.that(!first.readLock().acquire(100, TimeUnit.MILLISECONDS), "no reader");
            second.writeLock().release();
        });
        Checks.check("recipes", "InterProcessSemaphoreMutex and InterProcessMultiLock", () -> {
            InterProcessSemaphoreMutex a = new InterProcessSemaphoreMutex(one(), "/multi-lock/a");
            InterProcessSemaphoreMutex b = new InterProcessSemaphoreMutex(one(), "/multi-lock/b");
            InterProcessMultiLock both = new InterProcessMultiLock(List.of(a, b));
            Checks.that(both.acquire(5, TimeUnit.SECONDS), "both are held");
            InterProcessSemaphoreMutex rival = new InterProcessSemaphoreMutex(two(), "/multi-lock/b");
            Checks.that(!rival.acquire(100, TimeUnit.MILLISECONDS), "the rival waits");
            both.release();
            Checks.that(rival.acquire(5, TimeUnit.SECONDS), "the rival holds");
            rival.release();
        });
        Checks.check("recipes", "InterProcessSemaphoreV2: as many leases as allowed", () -> {
            InterProcessSemaphoreV2 first = new InterProcessSemaphoreV2(one(), "/semaphore", 2);
            InterProcessSemaphoreV2 second = new InterProcessSemaphoreV2(two(), "/semaphore", 2);
            Lease a = first.acquire(5, TimeUnit.SECONDS);
            Lease b = second.acquire(5, TimeUnit.SECONDS);
            Checks.that(a != null && b != null, "two leases");
            Checks.equal(first.acquire(100, TimeUnit.MILLISECONDS), null);
            second.returnLease(b);
            Lease c = first.acquire(5, TimeUnit.SECONDS);
            Checks.that(c != null, "another one");
            first.returnAll(List.of(a, c));
        });
    }

    private static void leaders() {
        Checks.check("recipes", "LeaderLatch: one leads, the next follows", () -> {
            LeaderLatch first = new LeaderLatch(one(), "/latch", "one");
            LeaderLatch second = new LeaderLatch(two(), "/latch", "two");
            first.start();
            Checks.that(first.await(10, TimeUnit.SECONDS), "the first leads");
            second.start();
            Checks.eventually("both take part", () -> first.getParticipants().size() == 2);
            Checks.that(!second.hasLeadership(), "the second waits");
            Checks.equal(second.getLeader().getId(), "one");
            first.close();
            Checks.that(second.await(10, TimeUnit.SECONDS), "the second leads");
            second.close();
        });
        Checks.check("recipes", "LeaderSelector: leads in turn, again when requeued", () -> {
            List<String> led = Collections.synchronizedList(new ArrayList<>());
            LeaderSelector first = selector(one(), "one", led);
            LeaderSelector second = selector(two(), "two", led);
            first.autoRequeue();
            first.start();
            Checks.eventually("the first leads", () -> led.contains("one"));
            second.start();
            Checks.eventually("both lead", () -> led.contains("two"));
            int before = led.size();
            Checks.eventually("the first leads again", () -> led.lastIndexOf("one") >= before);
            first.close();
            second.close();
        });
    }

    private static LeaderSelector selector(CuratorFramework client, String name, List<String> led) {
        return new LeaderSelector(client, "/selector", new LeaderSelectorListenerAdapter() {
            @Override
            public void takeLeadership(CuratorFramework it) throws Exception {
                led.add(name);
                Thread.sleep(20);
            }
        });
    }

    private static void barriers() {
        Checks.check("recipes", "DistributedBarrier: opens for who waits", () -> {
            DistributedBarrier barrier = new DistributedBarrier(one(), "/barrier");
            barrier.setBarrier();
            DistributedBarrier waiting = new DistributedBarrier(two(), "/barrier");
            Checks.that(!waiting.waitOnBarrier(100, TimeUnit.MILLISECONDS), "it is closed");
            Future<Boolean> opened = start(() -> waiting.waitOnBarrier(10, TimeUnit.SECONDS));
            barrier.removeBarrier();
            Checks.that(get(opened), "it opened");
        });
        Checks.check("recipes", "DistributedDoubleBarrier: all enter, all leave", () -> {
            DistributedDoubleBarrier first = new DistributedDoubleBarrier(one(), "/double-barrier", 2);
            DistributedDoubleBarrier second = new DistributedDoubleBarrier(two(), "/double-barrier", 2);
            Future<Boolean> entered = start(() -> first.enter(10, TimeUnit.SECONDS));
            Checks.that(second.enter(10, TimeUnit.SECONDS) && get(entered), "both are in");
            Future<Boolean> left = start(() -> first.leave(10, TimeUnit.SECONDS));
            Checks.that(second.leave(10, TimeUnit.SECONDS) && get(left), "both are out");
        });
    }

    private static void counters() {
        Checks.check("recipes", "SharedCount and SharedValue: conditional sets, listeners", () -> {
            SharedCount first = new SharedCount(one(), "/shared-count", 5);
            SharedCount second = new SharedCount(two(), "/shared-count", 5);
            first.start();
            second.start();
            Checks.equal(second.getCount(), 5);
            Checks.that(first.trySetCount(first.getVersionedValue(), 6), "it is set");
            Checks.eventually("the other one's notice", () -> second.getCount() == 6);
            SharedValue value = new SharedValue(one(), "/shared-value", Curator.bytes("a"));
            value.start();
            value.setValue(Curator.bytes("b"));
            Checks.equal(one().getData().forPath("/shared-value"), Curator.bytes("b"));
            for (Closeable it : List.of(first, second, value)) {
                it.close();
            }
        });
        Checks.check("recipes", "DistributedAtomicLong, -Integer, CachedAtomicLong: no addition is lost", () -> {
            Callable<Void> count = () -> {
                DistributedAtomicLong counter = new DistributedAtomicLong(one(), "/atomic-long", new RetryNTimes(1000, 2));
                for (int i = 0; i < 25; i++) {
                    Checks.that(counter.increment().succeeded(), "the addition");
                }
                return null;
            };
            Future<Void> mine = start(count);
            count.call();
            get(mine);
            DistributedAtomicLong counter = new DistributedAtomicLong(two(), "/atomic-long", new RetryNTimes(10, 2));
            Checks.equal(counter.get().postValue(), 50L);
            DistributedAtomicInteger integer = new DistributedAtomicInteger(two(), "/atomic-integer", new RetryNTimes(10, 2));
            Checks.that(integer.initialize(7), "it is new");
            AtomicValue<Integer> changed = integer.compareAndSet(7, 8);
            Checks.that(changed.succeeded() && changed.postValue() == 8, "it is set");
            CachedAtomicLong cached = new CachedAtomicLong(counter, 10);
            Checks.equal(List.of(cached.next().postValue(), cached.next().postValue()), List.of(51L, 52L));
        });
    }

    private static void caches() {
        Checks.check("recipes", "CuratorCache: a tree, its changes, from the state found", () -> {
            tree("/curator-cache");
            List<String> heard = Collections.synchronizedList(new ArrayList<>());
            CountDownLatch ready = new CountDownLatch(1);
            try (CuratorCache cache = CuratorCache.build(one(), "/curator-cache")) {
                cache.listenable().addListener(CuratorCacheListener.builder()
                    .forCreates(node -> heard.add("+" + node.getPath()))
                    .forChanges((old, node) -> heard.add("=" + node.getPath()))
                    .forDeletes(node -> heard.add("-" + node.getPath()))
                    .forInitialized(ready::countDown).build());
                cache.start();
                Checks.that(ready.await(10, TimeUnit.SECONDS), "it is filled");
                Checks.equal(Set.copyOf(heard), Set.of("+/curator-cache", "+/curator-cache/a", "+/curator-cache/a/b"));
                heard.clear();
                two().create().forPath("/curator-cache/c");
                two().setData().forPath("/curator-cache/a", Curator.bytes("new"));
                two().delete().forPath("/curator-cache/a/b");
                Checks.eventually("its notice of all: " + heard, () -> heard.size() == 3);
                Checks.equal(Set.copyOf(heard),
                    Set.of("+/curator-cache/c", "=/curator-cache/a", "-/curator-cache/a/b"));
                Checks.equal(cache.get("/curator-cache/a").get().getData(), Curator.bytes("new"));
            }
        });
        Checks.check("recipes", "CuratorCache: of a single node", () -> {
            Curator.fresh("/single");
            try (CuratorCache cache = CuratorCache.build(one(), "/single", CuratorCache.Options.SINGLE_NODE_CACHE)) {
                cache.start();
                two().setData().forPath("/single", Curator.bytes("x"));
                Checks.eventually("its notice", () -> cache.get("/single").map(node -> node.getStat().getVersion() == 1).orElse(false));
            }
        });
        Checks.check("recipes", "TreeCache: a tree and its changes", () -> {
            tree("/tree-cache");
            try (TreeCache cache = new TreeCache(one(), "/tree-cache")) {
                cache.start();
                Checks.eventually("it is filled", () -> cache.getCurrentData("/tree-cache/a/b") != null);
                two().create().forPath("/tree-cache/c");
                two().delete().forPath("/tree-cache/a/b");
                Checks.eventually("its notice of both", () ->
                    cache.getCurrentData("/tree-cache/c") != null && cache.getCurrentData("/tree-cache/a/b") == null);
            }
        });
        Checks.check("recipes", "NodeCache: a node that comes, changes and goes", () -> {
            if (one().checkExists().forPath("/node-cache") != null) {
                one().delete().forPath("/node-cache");
            }
            try (NodeCache cache = new NodeCache(one(), "/node-cache")) {
                cache.start(true);
                Checks.equal(cache.getCurrentData(), null);
                two().create().forPath("/node-cache", Curator.bytes("1"));
                Checks.eventually("the node", () -> cache.getCurrentData() != null);
                two().setData().forPath("/node-cache", Curator.bytes("2"));
                Checks.eventually("the change", () -> new String(cache.getCurrentData().getData(), UTF_8).equals("2"));
                two().delete().forPath("/node-cache");
                Checks.eventually("the end", () -> cache.getCurrentData() == null);
            }
        });
        Checks.check("recipes", "PathChildrenCache: children, one by one", () -> {
            Curator.fresh("/path-cache");
            try (PathChildrenCache cache = new PathChildrenCache(one(), "/path-cache", true)) {
                List<String> heard = Collections.synchronizedList(new ArrayList<>());
                cache.getListenable().addListener((client, event) -> heard.add(event.getType().name()));
                cache.start(PathChildrenCache.StartMode.POST_INITIALIZED_EVENT);
                Checks.eventually("it is filled", () -> heard.contains("INITIALIZED"));
                two().create().forPath("/path-cache/a", Curator.bytes("1"));
                Checks.eventually("the child", () -> heard.contains("CHILD_ADDED"));
                two().setData().forPath("/path-cache/a", Curator.bytes("2"));
                Checks.eventually("the change", () -> heard.contains("CHILD_UPDATED"));
                two().delete().forPath("/path-cache/a");
                Checks.eventually("the end", () -> heard.contains("CHILD_REMOVED"));
                Checks.equal(List.copyOf(heard), List.of("INITIALIZED", "CHILD_ADDED", "CHILD_UPDATED", "CHILD_REMOVED"));
            }
        });
        Checks.check("recipes", "PersistentWatcher: recursive, set again after a loss", () -> {
            Curator.fresh("/persistent-watcher");
            try (PersistentWatcher watcher = new PersistentWatcher(one(), "/persistent-watcher", true)) {
                Checks.Seen seen = new Checks.Seen();
                CountDownLatch set = new CountDownLatch(1);
                watcher.getListenable().addListener(seen);
                watcher.getResetListenable().addListener(set::countDown);
                watcher.start();
                Checks.that(set.await(10, TimeUnit.SECONDS), "it is set");
                two().create().forPath("/persistent-watcher/a");
                seen.next("NodeCreated /persistent-watcher/a");
                Curator.lose("cut");
                two().create().forPath("/persistent-watcher/b");
                seen.next("NodeCreated /persistent-watcher/b");
            }
        });
    }

    private static void tree(String root) throws Exception {
        Curator.fresh(root);
        one().create().creatingParentsIfNeeded().forPath(root + "/a/b", Curator.bytes("x"));
    }

    private static void nodes() {
        Checks.check("recipes", "PersistentNode: comes back when it is deleted", () -> {
            try (PersistentNode node = new PersistentNode(one(), CreateMode.EPHEMERAL, false, "/node", Curator.bytes("x"))) {
                node.start();
                Checks.that(node.waitForInitialCreate(10, TimeUnit.SECONDS), "it is made");
                long made = two().checkExists().forPath("/node").getCzxid();
                two().delete().forPath("/node");
                Checks.eventually("its return", () -> {
                    var stat = two().checkExists().forPath("/node");
                    return stat != null && stat.getCzxid() > made;
                });
            }
            Checks.equal(two().checkExists().forPath("/node"), null);
        });
        Checks.check("recipes", "PersistentTtlNode: lives while it is touched", () -> {
            PersistentTtlNode node = new PersistentTtlNode(one(), "/ttl-node", 3000, Curator.bytes("x"));
            node.start();
            Checks.that(node.waitForInitialCreate(10, TimeUnit.SECONDS), "it is made");
            Thread.sleep(5000);
            Checks.that(two().checkExists().forPath("/ttl-node") != null, "it is still there");
            node.close();
            Checks.eventually("its end", () -> two().checkExists().forPath("/ttl-node") == null);
        });
        Checks.check("recipes", "GroupMember: knows who belongs to it", () -> {
            GroupMember first = new GroupMember(one(), "/group", "one", Curator.bytes("1"));
            GroupMember second = new GroupMember(two(), "/group", "two", Curator.bytes("2"));
            first.start();
            second.start();
            Checks.eventually("both", () -> first.getCurrentMembers().keySet().equals(Set.of("one", "two")));
            second.close();
            Checks.eventually("one", () -> first.getCurrentMembers().keySet().equals(Set.of("one")));
            first.close();
        });
    }

    private static void queues() {
        Checks.check("recipes", "DistributedQueue: all are consumed, in order", () -> {
            Consumer heard = new Consumer();
            try (DistributedQueue<String> in = builder(null, "/queue").buildQueue();
                 DistributedQueue<String> out = builder(heard, "/queue").lockPath("/queue-locks").buildQueue()) {
                in.start();
                for (String item : List.of("a", "b", "c")) {
                    in.put(item);
                }
                Checks.that(in.flushPuts(10, TimeUnit.SECONDS), "all are in");
                out.start();
                Checks.eventually("all are out", () -> heard.items.size() == 3);
                Checks.equal(List.copyOf(heard.items), List.of("a", "b", "c"));
            }
        });
        Checks.check("recipes", "DistributedPriorityQueue and DistributedIdQueue", () -> {
            Consumer heard = new Consumer();
            try (DistributedPriorityQueue<String> in = builder(null, "/priority").buildPriorityQueue(0);
                 DistributedPriorityQueue<String> out = builder(heard, "/priority").buildPriorityQueue(0)) {
                in.start();
                in.put("late", 9);
                in.put("early", 1);
                Checks.that(in.flushPuts(10, TimeUnit.SECONDS), "all are in");
                out.start();
                Checks.eventually("all are out", () -> heard.items.size() == 2);
                Checks.equal(List.copyOf(heard.items), List.of("early", "late"));
            }
            try (DistributedIdQueue<String> queue = builder(null, "/id-queue").buildIdQueue()) {
                queue.start();
                queue.put("item", "id");
                Checks.that(queue.flushPuts(10, TimeUnit.SECONDS), "it is in");
                Checks.equal(queue.remove("id"), 1);
            }
        });
        Checks.check("recipes", "DistributedDelayQueue: not before its time", () -> {
            Consumer heard = new Consumer();
            try (DistributedDelayQueue<String> queue = builder(heard, "/delay").buildDelayQueue()) {
                queue.start();
                long due = System.currentTimeMillis() + 500;
                queue.put("item", due);
                Checks.eventually("it is out", () -> heard.items.size() == 1);
                Checks.that(System.currentTimeMillis() >= due, "its time has come");
            }
        });
        Checks.check("recipes", "SimpleDistributedQueue: poll, peek, take", () -> {
            SimpleDistributedQueue queue = new SimpleDistributedQueue(one(), "/simple-queue");
            Checks.equal(queue.poll(), null);
            Future<byte[]> waiting = start(() -> new SimpleDistributedQueue(two(), "/simple-queue").take());
            queue.offer(Curator.bytes("a"));
            Checks.equal(get(waiting), Curator.bytes("a"));
            queue.offer(Curator.bytes("b"));
            Checks.equal(queue.peek(), Curator.bytes("b"));
            Checks.equal(queue.poll(5, TimeUnit.SECONDS), Curator.bytes("b"));
        });
    }

    private static QueueBuilder<String> builder(QueueConsumer<String> consumer, String path) {
        return QueueBuilder.builder(consumer == null ? one() : two(), consumer, new QueueSerializer<String>() {
            @Override
            public byte[] serialize(String item) {
                return Curator.bytes(item);
            }

            @Override
            public String deserialize(byte[] bytes) {
                return new String(bytes, UTF_8);
            }
        }, path);
    }

    private static final class Consumer implements QueueConsumer<String> {
        final List<String> items = Collections.synchronizedList(new ArrayList<>());

        @Override
        public void consumeMessage(String item) {
            items.add(item);
        }

        @Override
        public void stateChanged(CuratorFramework client, ConnectionState state) {}
    }

    private static void resilience() {
        Checks.check("recipes", "CuratorCache, PersistentNode, LeaderLatch: over a kill of the server", () -> {
            tree("/resilient");
            CountDownLatch ready = new CountDownLatch(1);
            try (CuratorCache cache = CuratorCache.build(one(), "/resilient");
                 PersistentNode node = new PersistentNode(one(), CreateMode.EPHEMERAL, false, "/resilient-node", Curator.bytes("x"));
                 LeaderLatch latch = new LeaderLatch(one(), "/resilient-latch")) {
                cache.listenable().addListener(CuratorCacheListener.builder().forInitialized(ready::countDown).build());
                cache.start();
                node.start();
                latch.start();
                Checks.that(ready.await(10, TimeUnit.SECONDS) && node.waitForInitialCreate(10, TimeUnit.SECONDS)
                    && latch.await(10, TimeUnit.SECONDS), "all are ready");
                Curator.lose("kill");
                two().create().forPath("/resilient/new");
                Checks.eventually("the cache's notice", () -> cache.get("/resilient/new").isPresent());
                Checks.eventually("the node", () -> two().checkExists().forPath("/resilient-node") != null);
                Checks.eventually("the leadership", 20, latch::hasLeadership);
            }
        });
    }
}
