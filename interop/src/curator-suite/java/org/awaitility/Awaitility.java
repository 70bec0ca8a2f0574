// What Curator's tests use of the library awaitility, which Debian doesn't package: waits until something holds.

package org.awaitility;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;

public class Awaitility {
    public static Condition await() {
        return new Condition("the condition");
    }

    public static Condition await(String name) {
        return new Condition(name);
    }

    public interface Assertion {
        void run() throws Throwable;
    }

    public static class Condition {
        private final String name;
        private long limitMs = 10_000;
        private long pauseMs = 100;

        Condition(String name) {
            this.name = name;
        }

        public Condition atMost(Duration limit) {
            limitMs = limit.toMillis();
            return this;
        }

        public Condition atMost(long limit, TimeUnit unit) {
            return atMost(Duration.ofMillis(unit.toMillis(limit)));
        }

        public Condition pollInterval(Duration pause) {
            pauseMs = pause.toMillis();
            return this;
        }

        public Condition pollInterval(long pause, TimeUnit unit) {
            return pollInterval(Duration.ofMillis(unit.toMillis(pause)));
        }

        /** It always does. */
        public Condition pollInSameThread() {
            return this;
        }

        public void until(Callable<Boolean> holds) {
            untilAsserted(() -> {
                if (!holds.call()) throw new AssertionError("it does not hold");
            });
        }

        /** A failed assertion is tried again; anything else that is thrown ends the wait. */
        public void untilAsserted(Assertion assertion) {
            long began = System.nanoTime();
            while (true) {
                try {
                    Thread.sleep(pauseMs);
                    assertion.run();
                    return;
                } catch (AssertionError e) {
                    if (System.nanoTime() - began > limitMs * 1_000_000)
                        throw new RuntimeException(name + ": not within " + limitMs + " ms", e);
                } catch (RuntimeException | Error e) {
                    throw e;
                } catch (Throwable e) {
                    throw new RuntimeException(e);
                }
            }
        }
    }
}
