// Lists tests of JUnit or runs them: `--list DIR` prints the class and method of each below a folder of classes; otherwise each
// argument is a class, or class#method, and a line with tabs tells of each test: @outcome, ms, class#method, message.

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClasspathRoots;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import java.nio.file.Paths;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.TestSource;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

public class RunTests implements TestExecutionListener {
    private static final String TIMEOUT = "junit.jupiter.execution.timeout.";
    private final Map<String, Long> began = new HashMap<>();

    public static void main(String[] args) {
        LauncherDiscoveryRequestBuilder request = LauncherDiscoveryRequestBuilder.request()
            .configurationParameter(TIMEOUT + "testable.method.default", "240 s")
            .configurationParameter(TIMEOUT + "beforeeach.method.default", "90 s")
            .configurationParameter(TIMEOUT + "aftereach.method.default", "90 s");
        Launcher launcher = LauncherFactory.create();
        if (args[0].equals("--list")) {
            request.selectors(selectClasspathRoots(Set.of(Paths.get(args[1]))));
            TestPlan plan = launcher.discover(request.build());
            for (TestIdentifier root : plan.getRoots())
                // A test with parameters is a container before it runs.
                plan.getDescendants(root).stream()
                    .map(test -> test.getSource().orElse(null))
                    .filter(source -> source instanceof MethodSource)
                    .map(source -> name(source))
                    .sorted()
                    .distinct()
                    .forEach(System.out::println);
            return;
        }
        for (String test : args) request.selectors(test.contains("#") ? selectMethod(test) : selectClass(test));
        launcher.execute(request.build(), new RunTests());
        // Threads of the tests would keep the JVM.
        System.exit(0);
    }

    private static String name(TestSource source) {
        if (source instanceof MethodSource) {
            MethodSource method = (MethodSource) source;
            return method.getClassName() + "#" + method.getMethodName();
        }
        return source instanceof ClassSource ? ((ClassSource) source).getClassName() : "" + source;
    }

    private static void tell(String outcome, long ms, TestIdentifier test, String message) {
        String name = test.getSource().map(source -> name(source)).orElse(test.getDisplayName());
        System.out.println("\n@" + outcome + "\t" + ms + "\t" + name + "\t" + message.split("\n")[0]);
    }

    @Override
    public void executionStarted(TestIdentifier test) {
        began.put(test.getUniqueId(), System.nanoTime());
        // In what is printed the beginnings and ends of tests can be told.
        if (test.isTest()) tell("started", 0, test, "");
    }

    @Override
    public void executionSkipped(TestIdentifier test, String reason) {
        tell("skipped", 0, test, reason);
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
        boolean passed = result.getStatus() == TestExecutionResult.Status.SUCCESSFUL;
        if (!test.isTest() && passed) return;
        long ms = (System.nanoTime() - began.getOrDefault(test.getUniqueId(), System.nanoTime())) / 1_000_000;
        boolean aborted = result.getStatus() == TestExecutionResult.Status.ABORTED;
        String message = result.getThrowable().map(thrown -> message(thrown)).orElse("");
        result.getThrowable().ifPresent(thrown -> thrown.printStackTrace(System.out));
        tell(passed ? "passed" : aborted ? "skipped" : "failed", ms, test, message);
    }

    /** What was thrown, and where in Curator's code. */
    private static String message(Throwable thrown) {
        for (StackTraceElement frame : thrown.getStackTrace())
            if (frame.getClassName().startsWith("org.apache.curator."))
                return ("" + thrown).split("\n")[0] + " (" + frame.getFileName() + ":" + frame.getLineNumber() + ")";
        return "" + thrown;
    }
}
