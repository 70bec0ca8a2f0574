// A process that does with Curator's recipes what it is told, a line at a time: number, verb and arguments between tabs.

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicInteger;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.locks.Revoker;
import org.apache.curator.framework.recipes.locks.StandardLockInternalsDriver;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.queue.DistributedDelayQueue;
import org.apache.curator.framework.recipes.queue.DistributedIdQueue;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.QueueBase;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.curator.retry.RetryNTimes;

public final class RecipePeer {
    private static CuratorFramework client;
    private static final ExecutorService THREADS = Executors.newCachedThreadPool();
    /** Curator's locks belong to threads. */
    private static final Map<String, ExecutorService> OWNERS = new ConcurrentHashMap<>();
    private static final Map<String, Object> HELD = new ConcurrentHashMap<>();
    private static final Map<String, Consumed> CONSUMERS = new ConcurrentHashMap<>();

    /** Finds a contender's place by its number alone, so that other libraries' nodes stand in the same line. */
    private static final class ByNumber extends StandardLockInternalsDriver {
        @Override
        public String fixForSorting(String name, String lockName) {
            return name.substring(Math.max(0, name.length() - 10));
        }
    }

    private static final class Consumed implements QueueConsumer<String> {
        final LinkedBlockingQueue<String> items = new LinkedBlockingQueue<>();
        QueueBase<String> queue;

        @Override
        public void consumeMessage(String item) {
            items.add(item);
        }

        @Override
        public void stateChanged(CuratorFramework changed, ConnectionState state) {}
    }

    private static final QueueSerializer<String> TEXT = new QueueSerializer<>() {
        @Override
        public byte[] serialize(String item) {
            return item.getBytes(UTF_8);
        }

        @Override
        public String deserialize(byte[] bytes) {
            return new String(bytes, UTF_8);
        }
    };

    public static void main(String[] args) throws Exception {
        client = CuratorFrameworkFactory.newClient("127.0.0.1:" + args[0], new ExponentialBackoffRetry(100, 5));
        client.start();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] parts = line.split("\t", -1);
            boolean isLock = parts[1].equals("acquire") || parts[1].equals("release");
            ExecutorService thread = !isLock
                ? THREADS
                : OWNERS.computeIfAbsent(parts[2] + parts[3], key -> Executors.newSingleThreadExecutor());
            thread.submit(() -> answer(parts));
        }
        client.close();
        System.exit(0);
    }

    private static void answer(String[] parts) {
        String answer;
        try {
            answer = "ok\t" + perform(parts[1], parts);
        } catch (Throwable e) {
            answer = "error\t" + e.toString().replaceAll("\\s+", " ");
        }
        synchronized (System.out) {
            System.out.println(parts[0] + "\t" + answer);
        }
    }

    private static Object perform(String verb, String[] p) throws Exception {
        switch (verb) {
            case "acquire":
                return acquire(p[2], p[3], Long.parseLong(p[4]));
            case "release":
                release(p[2], p[3]);
                return "";
            case "hammer":
                return hammer(p[2], p[3], p[4], Integer.parseInt(p[5]));
            case "revoke":
                Revoker.attemptRevoke(client, p[2]);
                return "";
            case "lead":
                lead(p[2], p[3], p[4]);
                return "";
            case "leads":
                return leads(p[2], p[3]);
            case "leader":
                return leader(p[2], p[3]);
            case "resign":
                resign(p[2], p[3]);
                return "";
            case "add":
                return add(p[2], p[3], Integer.parseInt(p[4]));
            case "put":
                put(p[2], p[3], p[4], p[5]);
                return "";
            case "take":
                return take(p[2], p[3]);
            case "enter":
                enter(p[2], Integer.parseInt(p[3]));
                return "";
            case "leave":
                ((DistributedDoubleBarrier) HELD.remove("barrier" + p[2])).leave();
                return "";
            case "gate":
                gate(p[2], p[3]);
                return "";
            case "join":
                GroupMember member = new GroupMember(client, p[3], p[4], p[4].getBytes(UTF_8));
                member.start();
                HELD.put("group" + p[3], member);
                return "";
            case "members":
                GroupMember looking = (GroupMember) HELD.get("group" + p[3]);
                return String.join(",", new TreeSet<>(looking.getCurrentMembers().keySet()));
            case "part":
                ((GroupMember) HELD.remove("group" + p[3])).close();
                return "";
            default:
                throw new IllegalArgumentException(verb);
        }
    }

    private static InterProcessMutex mutex(String kind, String path) {
        switch (kind) {
            case "mutex":
                return new InterProcessMutex(client, path);
            case "any":
                return new InterProcessMutex(client, path, new ByNumber());
            case "read":
                return new InterProcessReadWriteLock(client, path).readLock();
            case "write":
                return new InterProcessReadWriteLock(client, path).writeLock();
            default:
                throw new IllegalArgumentException(kind);
        }
    }

    private static boolean acquire(String kind, String path, long timeout) throws Exception {
        if (kind.startsWith("semaphore")) {
            int limit = Integer.parseInt(kind.substring("semaphore".length()));
            Lease lease = new InterProcessSemaphoreV2(client, path, limit).acquire(timeout, TimeUnit.MILLISECONDS);
            if (lease != null) HELD.put(kind + path, lease);
            return lease != null;
        }
        InterProcessMutex mutex = mutex(kind, path);
        boolean isHeld = mutex.acquire(timeout, TimeUnit.MILLISECONDS);
        if (isHeld) HELD.put(kind + path, mutex);
        return isHeld;
    }

    private static void release(String kind, String path) throws Exception {
        Object held = HELD.remove(kind + path);
        if (held instanceof Lease) ((Lease) held).close();
        else ((InterProcessMutex) held).release();
    }

    /** Adds to a number by reading and writing it, which only a lock makes right. */
    private static String hammer(String kind, String path, String counter, int times) throws Exception {
        InterProcessMutex mutex = mutex(kind, path);
        for (int i = 0; i < times; i++) {
            mutex.acquire();
            try {
                int value = Integer.parseInt(new String(client.getData().forPath(counter), UTF_8));
                client.setData().forPath(counter, String.valueOf(value + 1).getBytes(UTF_8));
            } finally {
                mutex.release();
            }
        }
        return "";
    }

    private static void lead(String kind, String path, String id) throws Exception {
        if (kind.equals("latch")) {
            LeaderLatch latch = new LeaderLatch(client, path, id);
            latch.start();
            HELD.put(kind + path, latch);
            return;
        }
        LeaderSelector selector = new LeaderSelector(client, path, new LeaderSelectorListenerAdapter() {
            @Override
            public void takeLeadership(CuratorFramework leading) throws Exception {
                Thread.sleep(Long.MAX_VALUE);
            }
        });
        selector.setId(id);
        selector.start();
        HELD.put(kind + path, selector);
    }

    private static boolean leads(String kind, String path) {
        Object held = HELD.get(kind + path);
        return held instanceof LeaderLatch ? ((LeaderLatch) held).hasLeadership() : ((LeaderSelector) held).hasLeadership();
    }

    private static String leader(String kind, String path) throws Exception {
        Object held = HELD.get(kind + path);
        return (held instanceof LeaderLatch ? ((LeaderLatch) held).getLeader() : ((LeaderSelector) held).getLeader()).getId();
    }

    private static void resign(String kind, String path) throws Exception {
        Object held = HELD.remove(kind + path);
        if (held instanceof LeaderLatch) ((LeaderLatch) held).close();
        else ((LeaderSelector) held).close();
    }

    private static Object add(String kind, String path, int delta) throws Exception {
        RetryNTimes retry = new RetryNTimes(1000, 5);
        switch (kind) {
            case "long":
                return done(new DistributedAtomicLong(client, path, retry).add((long) delta));
            case "int":
                return done(new DistributedAtomicInteger(client, path, retry).add(delta));
            case "shared":
                try (SharedCount count = new SharedCount(client, path, 0)) {
                    count.start();
                    while (!count.trySetCount(count.getVersionedValue(), count.getCount() + delta)) Thread.sleep(2);
                    return count.getCount();
                }
            default:
                throw new IllegalArgumentException(kind);
        }
    }

    private static <T> T done(AtomicValue<T> value) {
        if (!value.succeeded()) throw new IllegalStateException("others were quicker");
        return value.postValue();
    }

    private static QueueBase<String> queue(String kind, String path, QueueConsumer<String> consumer) throws Exception {
        QueueBuilder<String> builder = QueueBuilder.builder(client, consumer, TEXT, path).putInBackground(false);
        QueueBase<String> queue;
        if (kind.equals("priority")) queue = builder.buildPriorityQueue(0);
        else if (kind.equals("delay")) queue = builder.buildDelayQueue();
        else if (kind.equals("id")) queue = builder.buildIdQueue();
        else if (kind.equals("locked")) queue = builder.lockPath(path + "-locks").buildQueue();
        else queue = builder.buildQueue();
        queue.start();
        return queue;
    }

    @SuppressWarnings("unchecked")
    private static void put(String kind, String path, String item, String more) throws Exception {
        if (kind.equals("simple")) {
            new SimpleDistributedQueue(client, path).offer(item.getBytes(UTF_8));
            return;
        }
        try (QueueBase<String> queue = queue(kind, path, null)) {
            if (queue instanceof DistributedPriorityQueue) {
                ((DistributedPriorityQueue<String>) queue).put(item, Integer.parseInt(more));
            } else if (queue instanceof DistributedDelayQueue) {
                ((DistributedDelayQueue<String>) queue).put(item, Long.parseLong(more));
            } else if (queue instanceof DistributedIdQueue) {
                ((DistributedIdQueue<String>) queue).put(item, more);
            } else {
                ((org.apache.curator.framework.recipes.queue.DistributedQueue<String>) queue).put(item);
            }
        }
    }

    private static String take(String kind, String path) throws Exception {
        if (kind.equals("simple")) return new String(new SimpleDistributedQueue(client, path).take(), UTF_8);
        Consumed consumed = CONSUMERS.get(path);
        if (consumed == null) {
            consumed = new Consumed();
            CONSUMERS.put(path, consumed);
            consumed.queue = queue(kind, path, consumed);
        }
        String item = consumed.items.poll(20, TimeUnit.SECONDS);
        if (item == null) throw new IllegalStateException("nothing came");
        return item;
    }

    private static void enter(String path, int count) throws Exception {
        DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(client, path, count);
        HELD.put("barrier" + path, barrier);
        barrier.enter();
    }

    private static void gate(String path, String what) throws Exception {
        DistributedBarrier barrier = new DistributedBarrier(client, path);
        if (what.equals("set")) barrier.setBarrier();
        else if (what.equals("remove")) barrier.removeBarrier();
        else barrier.waitOnBarrier();
    }
}
