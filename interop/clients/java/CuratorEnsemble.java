// Checks of an ensemble through Curator's framework. Argument: the connection string of all members.

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryForever;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;

public final class CuratorEnsemble {
    private static final Pattern REMOTE = Pattern.compile("remoteserver:[^ ]*:(\\d+)");
    private static String hosts;
    private static CuratorFramework curator;
    private static CuratorFramework other;

    private CuratorEnsemble() {}

    public static void main(String[] args) throws Exception {
        hosts = args[0];
        curator = connect();
        other = connect();
        register();
        Checks.run();
    }

    private static CuratorFramework connect() throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.builder().connectString(hosts).sessionTimeoutMs(30000)
            .connectionTimeoutMs(15000).retryPolicy(new RetryForever(100)).build();
        client.start();
        Checks.that(client.blockUntilConnected(15, TimeUnit.SECONDS), "it connects");
        return client;
    }

    /** The port of the member that the client is connected to; -1 if it is to none. */
    private static int portOf(CuratorFramework client) throws Exception {
        Matcher found = REMOTE.matcher(client.getZookeeperClient().getZooKeeper().toString());
        return found.find() ? Integer.parseInt(found.group(1)) : -1;
    }

    private static long idOf(CuratorFramework client) throws Exception {
        return client.getZookeeperClient().getZooKeeper().getSessionId();
    }

    /** Kills the member of the client and waits until that is on another; returns its port. */
    private static int lose(CuratorFramework client) throws Exception {
        int port = portOf(client);
        Checks.ask("kill " + port);
        Checks.eventually("the move to another member", 30, () -> {
            int now = portOf(client);
            return now != -1 && now != port && client.getZookeeperClient().isConnected();
        });
        // Its watches are sent behind the handshake: with the answer to a later request they are set.
        client.checkExists().forPath("/");
        return port;
    }

    private static void register() {
        Checks.check("reconnect", "moves from member to member with its ephemeral nodes, as they are killed", () -> {
            long id = idOf(curator);
            curator.create().withMode(CreateMode.EPHEMERAL).forPath("/java-mine");
            for (int i = 0; i < 3; i++) {
                int port = lose(curator);
                Checks.equal(idOf(curator), id);
                Checks.equal(curator.checkExists().forPath("/java-mine").getEphemeralOwner(), id);
                Checks.ask("start " + port);
            }
            curator.delete().forPath("/java-mine");
        });
        Checks.check("watch", "one-shot and persistent recursive watches are kept across members", () -> {
            curator.create().forPath("/java-watched", bytes("0"));
            Checks.Seen persistent = new Checks.Seen();
            curator.watchers().add().withMode(AddWatchMode.PERSISTENT_RECURSIVE).usingWatcher(persistent)
                .forPath("/java-watched");
            for (int i = 0; i < 3; i++) {
                Checks.Seen once = new Checks.Seen();
                curator.getData().usingWatcher(once).forPath("/java-watched");
                int port = lose(curator);
                String child = "/java-watched/" + i;
                other.setData().forPath("/java-watched", bytes(String.valueOf(i)));
                other.create().forPath(child);
                other.create().forPath(child + "/deep");
                once.next("NodeDataChanged /java-watched");
                persistent.next("NodeDataChanged /java-watched", "NodeCreated " + child, "NodeCreated " + child + "/deep");
                Checks.ask("start " + port);
            }
        });
        Checks.check("recipes", "a mutex is kept when its holder's member dies", () -> {
            InterProcessMutex mutex = new InterProcessMutex(curator, "/java-lock");
            InterProcessMutex rival = new InterProcessMutex(other, "/java-lock");
            Checks.that(mutex.acquire(15, TimeUnit.SECONDS), "the mutex is acquired");
            int port = lose(curator);
            Checks.that(!rival.acquire(2, TimeUnit.SECONDS), "the rival waits");
            mutex.release();
            Checks.that(rival.acquire(15, TimeUnit.SECONDS), "the rival has it");
            rival.release();
            Checks.ask("start " + port);
        });
        Checks.check("restart", "the leader is killed and committed transactions stay", () -> {
            curator.create().orSetData().forPath("/java-once");
            Checks.ask("kill-leader");
            for (int i = 0; i < 50; i++) {
                curator.create().orSetData().forPath("/java-once/" + i, bytes("x"));
            }
            other.sync().forPath("/java-once");
            Checks.ask("start-all");
            Checks.equal(curator.getChildren().forPath("/java-once").size(), 50);
        });
        Checks.check("restart", "a session is not lost when all members are restarted one by one", () -> {
            List<ConnectionState> states = new java.util.concurrent.CopyOnWriteArrayList<>();
            curator.getConnectionStateListenable().addListener((client, state) -> states.add(state));
            long id = idOf(curator);
            curator.create().withMode(CreateMode.EPHEMERAL).forPath("/java-kept");
            Checks.ask("rolling-restart");
            Checks.equal(curator.checkExists().forPath("/java-kept").getEphemeralOwner(), id);
            Checks.that(!states.contains(ConnectionState.LOST), "the session was not lost: " + states);
        });
    }

    private static byte[] bytes(String text) {
        return text.getBytes(UTF_8);
    }
}
