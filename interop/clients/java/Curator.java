// Checks of the server through Curator's framework. Arguments: the port of the relay to the server, and the server's own.

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryOneTime;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Watcher.WatcherType;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.server.auth.DigestAuthenticationProvider;

public final class Curator {
    static CuratorFramework curator;
    static CuratorFramework other;
    static List<ConnectionState> states;
    private static String hosts;
    private static String direct;

    public static void main(String[] args) throws Exception {
        hosts = "127.0.0.1:" + args[0];
        direct = "127.0.0.1:" + args[1];
        curator = connect(8000);
        other = connect(8000);
        states = statesOf(curator);
        framework();
        CuratorRecipes.register();
        losses();
        Checks.run();
    }

    static CuratorFramework connect(int sessionTimeout) throws Exception {
        return started(builder(sessionTimeout));
    }

    private static CuratorFrameworkFactory.Builder builder(int sessionTimeout) {
        return CuratorFrameworkFactory.builder().connectString(hosts).sessionTimeoutMs(sessionTimeout)
            .connectionTimeoutMs(5000).retryPolicy(new RetryOneTime(200));
    }

    private static CuratorFramework started(CuratorFrameworkFactory.Builder builder) throws Exception {
        CuratorFramework client = builder.build();
        client.start();
        Checks.that(client.blockUntilConnected(15, TimeUnit.SECONDS), "it connects");
        return client;
    }

    static List<ConnectionState> statesOf(CuratorFramework client) {
        List<ConnectionState> seen = Collections.synchronizedList(new ArrayList<>());
        client.getConnectionStateListenable().addListener((it, state) -> seen.add(state));
        return seen;
    }

    /** Loses the connection of `curator` and waits until it is back. */
    static void lose(String how) throws Exception {
        states.clear();
        Checks.ask(how);
        Checks.eventually("the reconnection", 20, () -> states.contains(ConnectionState.RECONNECTED));
        Checks.equal(List.copyOf(states), List.of(ConnectionState.SUSPENDED, ConnectionState.RECONNECTED));
        Checks.that(other.blockUntilConnected(20, TimeUnit.SECONDS), "the other one connects");
        // Watches are sent behind the handshake: with the answer to a later request they are set.
        curator.checkExists().forPath("/");
    }

    static String fresh(String path) throws Exception {
        if (curator.checkExists().forPath(path) != null) {
            curator.delete().deletingChildrenIfNeeded().forPath(path);
        }
        return curator.create().forPath(path, bytes(""));
    }

    static byte[] bytes(String text) {
        return text.getBytes(UTF_8);
    }

    private static void framework() {
        Checks.check("session", "connects, with the timeout granted by the server", () -> {
            CuratorFramework client = connect(5000);
            Checks.equal(client.getZookeeperClient().getZooKeeper().getSessionTimeout(), 5000);
            client.close();
        });
        Checks.check("session", "a namespace is made, and hidden", () -> {
            CuratorFramework client = started(builder(8000).namespace("name/space"));
            Checks.equal(client.create().creatingParentsIfNeeded().forPath("/a/b", bytes("x")), "/a/b");
            Checks.equal(curator.getData().forPath("/name/space/a/b"), bytes("x"));
            client.close();
        });
        Checks.check("create", "every mode", () -> {
            fresh("/create");
            for (CreateMode mode : CreateMode.values()) {
                Stat stat = new Stat();
                String path = "/create/" + mode + (mode.isSequential() ? "-" : "");
                String made = mode.isTTL()
                    ? curator.create().withTtl(60000).storingStatIn(stat).withMode(mode).forPath(path, bytes("x"))
                    : curator.create().storingStatIn(stat).withMode(mode).forPath(path, bytes("x"));
                Checks.that(mode.isSequential() ? made.matches(path + "\\d{10}") : made.equals(path), made);
                Checks.equal(curator.checkExists().forPath(made).getCzxid(), stat.getCzxid());
            }
            Checks.equal(curator.checkExists().forPath("/create").getNumChildren(), CreateMode.values().length);
        });
        Checks.check("create", "creates parents as containers, or sets what exists", () -> {
            fresh("/made");
            curator.create().creatingParentContainersIfNeeded().forPath("/made/container/child");
            curator.delete().forPath("/made/container/child");
            Checks.eventually("the container's removal", () -> curator.checkExists().forPath("/made/container") == null);
            curator.create().orSetData().forPath("/made/set", bytes("1"));
            curator.create().orSetData().forPath("/made/set", bytes("2"));
            Checks.equal(curator.getData().forPath("/made/set"), bytes("2"));
        });
        Checks.check("create", "protection finds the node made by a lost request", () -> {
            fresh("/protected");
            String path = curator.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/protected/p-");
            Checks.that(path.matches("/protected/_c_[0-9a-f-]{36}-p-\\d{10}"), path);
        });
        Checks.check("data", "get, set, versions, children, idempotent and guaranteed deletes", () -> {
            fresh("/data");
            Stat stat = curator.setData().withVersion(0).forPath("/data", bytes("x"));
            Checks.equal(stat.getVersion(), 1);
            Checks.fails(Code.BADVERSION, () -> curator.setData().withVersion(0).forPath("/data", bytes("y")));
            Stat got = new Stat();
            Checks.equal(curator.getData().storingStatIn(got).forPath("/data"), bytes("x"));
            Checks.equal(got, stat);
            curator.create().forPath("/data/a");
            Checks.equal(curator.getChildren().forPath("/data"), List.of("a"));
            curator.delete().guaranteed().deletingChildrenIfNeeded().forPath("/data");
            curator.delete().quietly().forPath("/data");
            Checks.fails(Code.NONODE, () -> curator.delete().forPath("/data"));
        });
        Checks.check("data", "compressed values come back whole", () -> {
            fresh("/compressed");
            curator.setData().compressed().forPath("/compressed", bytes("x".repeat(100000)));
            Checks.equal(curator.getData().decompressed().forPath("/compressed"), bytes("x".repeat(100000)));
        });
        Checks.check("data", "in the background", () -> {
            CompletableFuture<String> done = new CompletableFuture<>();
            curator.create().inBackground((client, event) ->
                done.complete(event.getType() + " " + event.getResultCode() + " " + event.getPath())).forPath("/background");
            Checks.equal(done.get(10, TimeUnit.SECONDS), "CREATE 0 /background");
        });
        Checks.check("acl", "digest by the client's own authorization; applied to parents", () -> {
            String digest = DigestAuthenticationProvider.generateDigest("user:secret");
            List<ACL> acl = new ArrayList<>(List.of(new ACL(ZooDefs.Perms.ALL, new Id("digest", digest))));
            CuratorFramework client = started(builder(8000).authorization("digest", bytes("user:secret")));
            client.create().creatingParentsIfNeeded().withACL(acl, true).forPath("/acl/mine", bytes("x"));
            Checks.fails(Code.NOAUTH, () -> curator.getData().forPath("/acl/mine"));
            Checks.equal(client.getData().forPath("/acl/mine"), bytes("x"));
            Checks.equal(client.getACL().forPath("/acl"), acl);
            client.setACL().withVersion(0).withACL(ZooDefs.Ids.OPEN_ACL_UNSAFE).forPath("/acl/mine");
            Checks.equal(curator.getData().forPath("/acl/mine"), bytes("x"));
            client.close();
        });
        Checks.check("multi", "a transaction, committed and refused", () -> {
            fresh("/multi");
            List<CuratorTransactionResult> results = curator.transaction().forOperations(
                curator.transactionOp().create().forPath("/multi/a", bytes("1")),
                curator.transactionOp().setData().forPath("/multi/a", bytes("2")),
                curator.transactionOp().check().withVersion(1).forPath("/multi/a"),
                curator.transactionOp().create().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/multi/b-"));
            Checks.equal(results.get(1).getResultStat().getVersion(), 1);
            Checks.equal(results.get(3).getResultPath(), "/multi/b-0000000001");
            Checks.fails(Code.NODEEXISTS, () -> curator.transaction().forOperations(
                curator.transactionOp().delete().forPath("/multi/a"),
                curator.transactionOp().create().forPath("/multi", bytes(""))));
            Checks.that(curator.checkExists().forPath("/multi/a") != null, "nothing was done");
        });
        Checks.check("sync", "another client's write is read after it", () -> {
            fresh("/sync");
            other.setData().forPath("/sync", bytes("new"));
            CountDownLatch done = new CountDownLatch(1);
            curator.sync().inBackground((client, event) -> done.countDown()).forPath("/sync");
            Checks.that(done.await(10, TimeUnit.SECONDS), "it is done");
            Checks.equal(curator.getData().forPath("/sync"), bytes("new"));
        });
        Checks.check("watch", "data, exists, children", () -> {
            fresh("/watch");
            Checks.Seen seen = new Checks.Seen();
            curator.getData().usingWatcher(seen).forPath("/watch");
            other.setData().forPath("/watch", bytes("x"));
            seen.next("NodeDataChanged /watch");
            curator.checkExists().usingWatcher(seen).forPath("/watch/a");
            other.create().forPath("/watch/a");
            seen.next("NodeCreated /watch/a");
            curator.getChildren().usingWatcher(seen).forPath("/watch");
            other.delete().forPath("/watch/a");
            seen.next("NodeChildrenChanged /watch");
        });
        Checks.check("persistent-watch", "added, recursive and not; removed", () -> {
            fresh("/persistent");
            fresh("/recursive");
            Checks.Seen plain = new Checks.Seen();
            Checks.Seen recursive = new Checks.Seen();
            curator.watchers().add().withMode(AddWatchMode.PERSISTENT).usingWatcher(plain).forPath("/persistent");
            curator.watchers().add().withMode(AddWatchMode.PERSISTENT_RECURSIVE).usingWatcher(recursive).forPath("/recursive");
            for (String root : List.of("/persistent", "/recursive")) {
                other.create().creatingParentsIfNeeded().forPath(root + "/a/b", bytes("x"));
                other.setData().forPath(root, bytes("x"));
            }
            plain.next("NodeChildrenChanged /persistent", "NodeDataChanged /persistent");
            recursive.next("NodeCreated /recursive/a", "NodeCreated /recursive/a/b", "NodeDataChanged /recursive");
            curator.watchers().remove(recursive).ofType(WatcherType.Any).forPath("/recursive");
            recursive.next("PersistentWatchRemoved /recursive");
            curator.watchers().removeAll().ofType(WatcherType.Any).forPath("/persistent");
            plain.next("PersistentWatchRemoved /persistent");
        });
        Checks.check("config", "getConfig: empty on a standalone server; reconfig is refused", () -> {
            Checks.equal(curator.getConfig().forEnsemble(), new byte[0]);
            Checks.fails(Code.RECONFIGDISABLED,
                () -> curator.reconfig().joining("server.2=127.0.0.1:2888:3888;2181").forEnsemble());
        });
        Checks.check("big", "a million bytes", () -> {
            byte[] value = new byte[1_000_000];
            curator.create().forPath("/big", value);
            Checks.equal(curator.getData().forPath("/big").length, value.length);
        });
        Checks.check("unicode", "paths of any script in the basic plane", () -> {
            curator.create().creatingParentsIfNeeded().forPath("/unicode/данные-データ-ñ", bytes("x"));
            Checks.equal(curator.getChildren().forPath("/unicode"), List.of("данные-データ-ñ"));
        });
    }

    private static void losses() {
        Checks.check("reconnect", "SUSPENDED, RECONNECTED; session and ephemeral nodes are kept", () -> {
            long id = curator.getZookeeperClient().getZooKeeper().getSessionId();
            curator.create().withMode(CreateMode.EPHEMERAL).forPath("/reconnect");
            lose("cut");
            Checks.equal(curator.getZookeeperClient().getZooKeeper().getSessionId(), id);
            Checks.equal(curator.checkExists().forPath("/reconnect").getEphemeralOwner(), id);
        });
        Checks.check("restart", "a restart and a kill keep session, ephemeral nodes, data, watches", () -> {
            for (String how : List.of("restart", "kill")) {
                fresh("/restart");
                curator.create().withMode(CreateMode.EPHEMERAL).forPath("/restart/mine");
                curator.setData().forPath("/restart", bytes("kept"));
                Checks.Seen seen = new Checks.Seen();
                curator.getData().usingWatcher(seen).forPath("/restart");
                lose(how);
                Checks.equal(curator.getData().forPath("/restart"), bytes("kept"));
                Checks.that(curator.checkExists().forPath("/restart/mine") != null, "the node is there");
                other.setData().forPath("/restart", bytes("x"));
                seen.next("NodeDataChanged /restart");
            }
        });
        Checks.check("expiry", "SUSPENDED, LOST, RECONNECTED with a new session", () -> {
            CuratorFramework client = connect(3000);
            List<ConnectionState> seen = statesOf(client);
            client.create().withMode(CreateMode.EPHEMERAL).forPath("/expiring");
            long id = client.getZookeeperClient().getZooKeeper().getSessionId();
            CuratorFramework watching = started(CuratorFrameworkFactory.builder().connectString(direct)
                .sessionTimeoutMs(8000).retryPolicy(new RetryOneTime(200)));
            Checks.ask("down");
            Checks.eventually("the node's removal", () -> watching.checkExists().forPath("/expiring") == null);
            Checks.ask("up");
            Checks.eventually("the reconnection", 20, () -> seen.contains(ConnectionState.RECONNECTED));
            seen.remove(ConnectionState.CONNECTED);
            Checks.equal(List.copyOf(seen),
                List.of(ConnectionState.SUSPENDED, ConnectionState.LOST, ConnectionState.RECONNECTED));
            Checks.that(client.getZookeeperClient().getZooKeeper().getSessionId() != id, "a new session");
            watching.close();
            client.close();
        });
    }

}
