// Stands in for the class of this name in Curator's test module, which runs Apache's server within the tests' JVM: runs a server as
// a process of its own, by the program that SUITE_SERVER names, on a file with the properties that Curator makes.

package org.apache.curator.test;

import java.io.IOException;
import java.io.OutputStream;
import java.net.BindException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.server.quorum.QuorumPeerConfig;

public class ZooKeeperServerEmbeddedAdapter implements ZooKeeperMainFace {
    private static final long START_NANOS = TimeUnit.MINUTES.toNanos(1);
    private static final long STOP_NANOS = TimeUnit.SECONDS.toNanos(15);
    /** What the server reads of the JVM's properties; a factory of connections would be a class of the tests'. */
    private static final String FOR_SERVER =
        "(?!zookeeper\\.serverCnxnFactory)(zookeeper|znode|jute|readonlymode|fsync|java\\.security\\.auth)\\..*";

    private volatile QuorumConfigBuilder builder;
    private volatile int index;
    private volatile Path file;
    private volatile int port;
    private volatile Process process;

    @Override
    public void configure(QuorumConfigBuilder builder, int index) throws Exception {
        this.builder = builder;
        this.index = index;
        Properties properties = new Properties();
        builder.buildConfigProperties(index).forEach((k, v) -> properties.setProperty("" + k, "" + v));
        properties.setProperty("admin.enableServer", "false");
        // Tests set this by a method of Apache's server.
        if (QuorumPeerConfig.isReconfigEnabled()) properties.setProperty("reconfigEnabled", "true");
        if (builder.size() == 1) properties.putIfAbsent("clientPortAddress", "127.0.0.1");
        port = Integer.parseInt(properties.getProperty("clientPort"));
        file = Files.createTempFile(Paths.get("").toAbsolutePath(), "server-", ".cfg");
        try (OutputStream out = Files.newOutputStream(file)) {
            properties.store(out, null);
        }
    }

    @Override
    public QuorumPeerConfig getConfig() throws Exception {
        return builder == null ? null : builder.buildConfig(index);
    }

    @Override
    public void start() {
        if (file == null) throw new FailedServerStartException(new IllegalStateException("not configured"));
        List<String> command = new ArrayList<>(List.of(System.getenv("SUITE_SERVER"), file.toString()));
        System.getProperties().forEach((k, v) -> {
            if (("" + k).matches(FOR_SERVER)) command.add("-D" + k + "=" + v);
        });
        Path printed = Paths.get(file + ".log");
        try {
            process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(printed.toFile()).start();
            long began = System.nanoTime();
            while (!listens()) {
                if (!process.isAlive()) {
                    String said = Files.readString(printed);
                    // On this one Curator tries another port.
                    if (said.contains("in use")) throw new BindException(said);
                    throw new IllegalStateException("the server ended: " + said);
                }
                if (System.nanoTime() - began > START_NANOS) throw new IllegalStateException("the server does not listen");
                Thread.sleep(10);
            }
        } catch (Exception e) {
            close();
            throw new FailedServerStartException(e);
        }
    }

    /** Asks the system: a server that limits connections would count one of ours. */
    private boolean listens() throws IOException {
        String end = String.format(":%04X", port);
        for (String table : List.of("/proc/net/tcp", "/proc/net/tcp6")) {
            if (!Files.exists(Paths.get(table))) continue;
            for (String line : Files.readAllLines(Paths.get(table))) {
                String[] fields = line.trim().split("\\s+");
                if (fields.length > 3 && fields[1].endsWith(end) && fields[3].equals("0A")) return true;
            }
        }
        return false;
    }

    @Override
    public void kill() {
        close();
    }

    @Override
    public void close() {
        Process ending = process;
        if (ending == null) return;
        process = null;
        ending.destroy();
        boolean interrupted = false;
        for (long began = System.nanoTime(); ending.isAlive(); ) {
            // One that does not end is a failure of its own, which a test would not notice.
            if (System.nanoTime() - began > STOP_NANOS) {
                System.out.println("@failed\t0\tserver\tdid not end within 15 s, on " + file.getFileName());
                ending.destroyForcibly();
                began = System.nanoTime();
            }
            try {
                ending.waitFor(100, TimeUnit.MILLISECONDS);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) Thread.currentThread().interrupt();
    }
}
