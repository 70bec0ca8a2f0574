// How a program of checks is written in Java: named bodies, run in order, told in the Test Anything Protocol. A check
// fails by throwing. `ask` has the caller of the program do something to the connection or to the server.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;

final class Checks {
    interface Body {
        void run() throws Exception;
    }

    private record Check(String feature, String name, Body body) {}

    private static final List<Check> ALL = new ArrayList<>();
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    private static final BufferedReader IN =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));

    private Checks() {}

    static void check(String feature, String name, Body body) {
        ALL.add(new Check(feature, name, body));
    }

    /** Runs all checks and ends the program: with 1 if any failed. */
    static void run() {
        OUT.println("1.." + ALL.size());
        int number = 0;
        int failed = 0;
        for (Check check : ALL) {
            number += 1;
            String title = number + " - " + check.feature + ": " + check.name;
            try {
                check.body.run();
                OUT.println("ok " + title);
            } catch (Throwable error) {
                failed += 1;
                OUT.println("not ok " + title);
                OUT.println("# " + String.valueOf(error).replace("\n", " "));
                Arrays.stream(error.getStackTrace()).limit(8).forEach(frame -> OUT.println("#   at " + frame));
            }
        }
        System.exit(failed == 0 ? 0 : 1);
    }

    /** Has the connection or the server handled: cut, down, up, restart, kill. */
    static void ask(String request) throws Exception {
        OUT.println("@" + request);
        equal(IN.readLine(), "done");
    }

    static void equal(Object actual, Object expected) {
        if (!Objects.deepEquals(actual, expected)) {
            throw new AssertionError(text(actual) + " is not " + text(expected));
        }
    }

    static void that(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError("not so: " + what);
        }
    }

    /** Calls the body, which must fail with that code. */
    static KeeperException fails(KeeperException.Code code, Body body) throws Exception {
        try {
            body.run();
        } catch (KeeperException error) {
            equal(error.code(), code);
            return error;
        }
        throw new AssertionError("it succeeded, and should have failed with " + code);
    }

    /** Waits, ten seconds at most, until the condition holds. */
    static void eventually(String what, Callable<Boolean> condition) throws Exception {
        eventually(what, 10, condition);
    }

    static void eventually(String what, int seconds, Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        while (!condition.call()) {
            that(System.nanoTime() < end, what + " within " + seconds + " s");
            Thread.sleep(10);
        }
    }

    private static String text(Object value) {
        return value instanceof byte[] bytes ? Arrays.toString(bytes) : String.valueOf(value);
    }

    /** A watcher that keeps what it is called with. */
    static final class Seen implements Watcher {
        private final BlockingQueue<String> events = new LinkedBlockingQueue<>();

        @Override
        public void process(WatchedEvent event) {
            if (event.getType() != Event.EventType.None) {
                events.add(event.getType() + " " + event.getPath());
            }
        }

        /** Compares the next events with those expected; waits for them. */
        void next(String... expected) throws Exception {
            for (String event : expected) {
                equal(events.poll(10, TimeUnit.SECONDS), event);
            }
        }

        void nextInAnyOrder(String... expected) throws Exception {
            Set<String> got = new TreeSet<>();
            for (int i = 0; i < expected.length; i++) {
                got.add(String.valueOf(events.poll(10, TimeUnit.SECONDS)));
            }
            equal(got, new TreeSet<>(Arrays.asList(expected)));
        }

        /** That no more came; asked after something that came later in the session's order. */
        void none() {
            equal(List.copyOf(events), List.of());
        }
    }
}
