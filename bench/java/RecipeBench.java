// Measures Curator's recipes at one case. Arguments: case, port, seconds of warm-up, seconds, and the sizes as the other
// side has them: nodes, changes, contenders, hand-overs, items. Prints its figures as JSON. Before the changes of a cache
// it prints `ready`, and waits for them.

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryNTimes;

public final class RecipeBench {
    private interface Once {
        void run() throws Exception;
    }

    private static final String PATH = "/curator-" + ProcessHandle.current().pid();
    private static final String ITEM = "x".repeat(100);
    private static String port;
    private static double warmup;
    private static double duration;

    public static void main(String[] args) throws Exception {
        port = args[1];
        warmup = Double.parseDouble(args[2]);
        duration = Double.parseDouble(args[3]);
        int[] sizes = Arrays.stream(args).skip(4).mapToInt(Integer::parseInt).toArray();
        System.out.println(measure(args[0], sizes));
        System.exit(0);
    }

    private static String measure(String name, int[] sizes) throws Exception {
        switch (name) {
            case "lock":
                return rate(rateOf(List.of(locking(open()))));
            case "contended-lock":
                List<Once> all = new ArrayList<>();
                for (int i = 0; i < sizes[2]; i++) all.add(locking(open()));
                return rate(rateOf(all));
            case "hand-over":
                return handOver(sizes[3]);
            case "cache":
            case "large-cache":
                return cache("/" + name, sizes[0], sizes[1]);
            case "queue-put":
                DistributedQueue<String> producer = queue(open(), null, null);
                return rate(rateOf(List.of(() -> producer.put(ITEM))));
            case "queue-take":
                return take(sizes[4], null);
            case "queue-take-locked":
                return take(sizes[4], PATH + "-locks");
            default:
                throw new IllegalArgumentException(name);
        }
    }

    private static String rate(double rate) {
        return "{\"rate\":" + rate + "}";
    }

    private static CuratorFramework open() throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.newClient("127.0.0.1:" + port, new RetryNTimes(3, 100));
        client.start();
        client.blockUntilConnected();
        return client;
    }

    private static double rateOf(List<Once> loops) throws Exception {
        AtomicLong count = new AtomicLong();
        AtomicBoolean isOver = new AtomicBoolean();
        List<Thread> threads = new ArrayList<>();
        for (Once once : loops) {
            Thread thread = new Thread(() -> {
                try {
                    while (!isOver.get()) {
                        once.run();
                        count.incrementAndGet();
                    }
                } catch (Exception e) {
                    e.printStackTrace();
                    System.exit(1);
                }
            });
            thread.start();
            threads.add(thread);
        }
        Thread.sleep((long) (warmup * 1000));
        long before = count.get();
        long began = System.nanoTime();
        Thread.sleep((long) (duration * 1000));
        double rate = (count.get() - before) / ((System.nanoTime() - began) / 1e9);
        isOver.set(true);
        for (Thread thread : threads) thread.join();
        return rate;
    }

    private static Once locking(CuratorFramework client) {
        InterProcessMutex lock = new InterProcessMutex(client, PATH);
        return () -> {
            lock.acquire();
            lock.release();
        };
    }

    private static String handOver(int times) throws Exception {
        CuratorFramework one = open();
        CuratorFramework two = open();
        double[] taken = new double[times];
        LeaderLatch leader = new LeaderLatch(one, PATH);
        leader.start();
        leader.await();
        for (int i = 0; i < times; i++) {
            LeaderLatch next = new LeaderLatch(i % 2 == 0 ? two : one, PATH);
            next.start();
            while (next.getParticipants().size() < 2) Thread.onSpinWait();
            long began = System.nanoTime();
            leader.close();
            next.await();
            taken[i] = (System.nanoTime() - began) / 1e6;
            leader = next;
        }
        leader.close();
        Arrays.sort(taken);
        return "{\"median\":" + taken[times / 2] + "}";
    }

    private static double memory() throws InterruptedException {
        for (int i = 0; i < 3; i++) {
            System.gc();
            Thread.sleep(100);
        }
        Runtime runtime = Runtime.getRuntime();
        return (runtime.totalMemory() - runtime.freeMemory()) / 1024.0 / 1024.0;
    }

    /** Of this process, in microseconds. */
    private static double cpuTime() {
        return ((com.sun.management.OperatingSystemMXBean) java.lang.management.ManagementFactory.getOperatingSystemMXBean())
                .getProcessCpuTime() / 1e3;
    }

    private static String cache(String path, int nodes, int changes) throws Exception {
        CuratorFramework client = open();
        double before = memory();
        CuratorCache cache = CuratorCache.build(client, path);
        CountDownLatch initialized = new CountDownLatch(1);
        CountDownLatch all = new CountDownLatch(changes);
        AtomicInteger count = new AtomicInteger();
        long[] first = new long[1];
        cache.listenable().addListener(CuratorCacheListener.builder().forInitialized(initialized::countDown).build());
        cache.listenable().addListener(CuratorCacheListener.builder().forChanges((old, now) -> {
            if (count.getAndIncrement() == 0) first[0] = System.nanoTime();
            all.countDown();
        }).build());
        long began = System.nanoTime();
        cache.start();
        initialized.await();
        double fill = (System.nanoTime() - began) / 1e6;
        // It says that it is initialized when it is not, if too many reads were under way; it never will be then.
        if (cache.size() != nodes + 1) return "{\"nodes\":" + cache.size() + "}";
        double used = memory() - before;
        System.out.println("ready");
        double cpuBefore = cpuTime();
        all.await();
        double seconds = (System.nanoTime() - first[0]) / 1e9;
        double cpu = (cpuTime() - cpuBefore) / changes;
        cache.close();
        return String.format(
            java.util.Locale.ROOT,
            "{\"fill\":%f,\"memory\":%f,\"changes\":%f,\"cpu\":%f}",
            fill,
            used,
            changes / seconds,
            cpu);
    }

    private static DistributedQueue<String> queue(CuratorFramework client, QueueConsumer<String> consumer, String locks)
        throws Exception {
        QueueSerializer<String> text = new QueueSerializer<>() {
            @Override
            public byte[] serialize(String item) {
                return item.getBytes(UTF_8);
            }

            @Override
            public String deserialize(byte[] bytes) {
                return new String(bytes, UTF_8);
            }
        };
        QueueBuilder<String> builder = QueueBuilder.builder(client, consumer, text, PATH).putInBackground(consumer != null);
        if (locks != null) builder.lockPath(locks);
        DistributedQueue<String> queue = builder.buildQueue();
        queue.start();
        return queue;
    }

    private static String take(int items, String locks) throws Exception {
        DistributedQueue<String> producer = queue(open(), null, locks);
        for (int i = 0; i < items; i++) producer.put(ITEM);
        CountDownLatch all = new CountDownLatch(items);
        AtomicInteger count = new AtomicInteger();
        long[] first = new long[1];
        QueueConsumer<String> consumer = new QueueConsumer<>() {
            @Override
            public void consumeMessage(String item) {
                if (count.getAndIncrement() == 0) first[0] = System.nanoTime();
                all.countDown();
            }

            @Override
            public void stateChanged(CuratorFramework client, ConnectionState state) {}
        };
        queue(open(), consumer, locks);
        all.await();
        return rate(items / ((System.nanoTime() - first[0]) / 1e9));
    }
}
