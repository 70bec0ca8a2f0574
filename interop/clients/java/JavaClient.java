// Checks of the server through ZooKeeper's own Java client. Arguments: the port of the relay to the server, and the
// server's own, for what must not be cut off.

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.apache.zookeeper.CreateMode.*;
import static org.apache.zookeeper.ZooDefs.Ids.*;
import static org.apache.zookeeper.ZooDefs.Perms;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.Watcher.WatcherType;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.admin.ZooKeeperAdmin;
import org.apache.zookeeper.client.FourLetterWordMain;
import org.apache.zookeeper.client.ZKClientConfig;
import org.apache.zookeeper.cli.DelQuotaCommand;
import org.apache.zookeeper.cli.ListQuotaCommand;
import org.apache.zookeeper.cli.SetQuotaCommand;
import org.apache.zookeeper.StatsTrack;
import org.apache.zookeeper.ZKUtil;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.server.auth.DigestAuthenticationProvider;

public final class JavaClient {
    private static int port;
    private static String hosts;
    private static String direct;
    private static Session session;
    private static ZooKeeper zk;
    private static ZooKeeper other;

    /** A client with the states its session went through. */
    private static final class Session implements Watcher, AutoCloseable {
        final List<KeeperState> states = Collections.synchronizedList(new ArrayList<>());
        final ZooKeeper client;

        Session(int timeout) throws Exception {
            client = new ZooKeeper(hosts, timeout, this);
            await(KeeperState.SyncConnected);
        }

        Session(int timeout, long id, byte[] password) throws Exception {
            client = new ZooKeeper(hosts, timeout, this, id, password);
            await(KeeperState.SyncConnected);
        }

        Session(int timeout, ZKClientConfig config, KeeperState state) throws Exception {
            client = new ZooKeeper(hosts, timeout, this, config);
            await(state);
        }

        @Override
        public void process(WatchedEvent event) {
            if (event.getType() == Event.EventType.None) {
                states.add(event.getState());
            }
        }

        void await(KeeperState state) throws Exception {
            Checks.eventually("state " + state + " after " + states, 20,
                () -> !states.isEmpty() && states.get(states.size() - 1) == state);
        }

        /** Loses the connection and waits until it is back. */
        void lose(String how) throws Exception {
            states.clear();
            Checks.ask(how);
            await(KeeperState.SyncConnected);
            Checks.equal(List.copyOf(states), List.of(KeeperState.Disconnected, KeeperState.SyncConnected));
        }

        @Override
        public void close() throws Exception {
            client.close();
        }
    }

    public static void main(String[] args) throws Exception {
        port = Integer.parseInt(args[0]);
        hosts = "127.0.0.1:" + port;
        direct = "127.0.0.1:" + args[1];
        prepareLogin();
        session = new Session(8000);
        zk = session.client;
        other = new Session(8000).client;
        sessions();
        creation();
        data();
        acls();
        logins();
        transactions();
        watches();
        persistentWatches();
        introspection();
        quotas();
        sizes();
        configuration();
        words();
        reconnection();
        restarts();
        expiry();
        Checks.run();
    }

    private static String fresh(String path) throws Exception {
        if (zk.exists(path, false) != null) {
            ZKUtil.deleteRecursive(zk, path);
        }
        return zk.create(path, bytes(""), OPEN_ACL_UNSAFE, PERSISTENT);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(UTF_8);
    }

    private static String get(ZooKeeper client, String path) throws Exception {
        return new String(client.getData(path, false, null), UTF_8);
    }

    private static List<ACL> acl(int perms, String scheme, String id) {
        // The client asks whether a list holds null, which List.of refuses to be asked.
        return new ArrayList<>(List.of(new ACL(perms, new Id(scheme, id))));
    }

    private static void sessions() {
        Checks.check("session", "grants the timeout asked for, within the server's limits", () -> {
            for (int[] pair : new int[][] {{5000, 5000}, {100, 1000}, {100000, 10000}}) {
                try (Session it = new Session(pair[0])) {
                    Checks.equal(it.client.getSessionTimeout(), pair[1]);
                    Checks.that(it.client.getSessionId() != 0, "an id");
                    Checks.equal(it.client.getSessionPasswd().length, 16);
                }
            }
        });
        Checks.check("session", "a session is taken over by its id and password", () -> {
            Abandoned first = new Abandoned();
            first.create("/taken-over", bytes(""), OPEN_ACL_UNSAFE, EPHEMERAL);
            first.abandon();
            Session second = new Session(8000, first.getSessionId(), first.getSessionPasswd());
            Checks.equal(second.client.getSessionId(), first.getSessionId());
            Checks.equal(second.client.getEphemerals(), List.of("/taken-over"));
            second.close();
            Checks.equal(zk.exists("/taken-over", false), null);
        });
        Checks.check("session", "a wrong password gets an expired session; the right one's goes on after a reconnection", () -> {
            try (Session first = new Session(8000)) {
                States states = new States();
                ZooKeeper second =
                    new ZooKeeper(hosts, 8000, states, first.client.getSessionId(), new byte[16]);
                states.await(KeeperState.Expired);
                second.close();
                first.await(KeeperState.SyncConnected);
                Checks.that(!first.states.contains(KeeperState.Expired), "it goes on");
            }
        });
        Checks.check("session", "an unknown session id is expired", () -> {
            States states = new States();
            ZooKeeper client = new ZooKeeper(hosts, 8000, states, 0x123456789L, new byte[16]);
            states.await(KeeperState.Expired);
            client.close();
        });
        Checks.check("session", "closing removes the session's ephemeral nodes", () -> {
            Session it = new Session(8000);
            it.client.create("/closing", bytes(""), OPEN_ACL_UNSAFE, EPHEMERAL);
            Checks.that(zk.exists("/closing", false) != null, "the node is there");
            it.close();
            Checks.equal(zk.exists("/closing", false), null);
        });
        Checks.check("session", "a chroot is hidden from the client", () -> {
            fresh("/chroot");
            CountDownLatch connected = new CountDownLatch(1);
            ZooKeeper client = new ZooKeeper(hosts + "/chroot", 8000, event -> connected.countDown());
            Checks.that(connected.await(10, TimeUnit.SECONDS), "it connects");
            Checks.equal(client.create("/in", bytes("x"), OPEN_ACL_UNSAFE, PERSISTENT), "/in");
            Checks.equal(get(zk, "/chroot/in"), "x");
            client.close();
        });
    }

    /** A client that can vanish, as if its process had died. */
    private static final class Abandoned extends ZooKeeper {
        Abandoned() throws Exception {
            super(hosts, 8000, event -> {});
        }

        void abandon() {
            cnxn.disconnect();
        }
    }

    /** A watcher for session states alone. */
    private static final class States implements Watcher {
        final List<KeeperState> states = Collections.synchronizedList(new ArrayList<>());

        @Override
        public void process(WatchedEvent event) {
            states.add(event.getState());
        }

        void await(KeeperState state) throws Exception {
            Checks.eventually("state " + state, () -> states.contains(state));
        }
    }

    private static void creation() {
        Checks.check("create", "a persistent node with its stat", () -> {
            fresh("/create");
            Stat stat = new Stat();
            Checks.equal(zk.create("/create/p", bytes("data"), OPEN_ACL_UNSAFE, PERSISTENT, stat), "/create/p");
            Checks.equal(stat.getVersion() + stat.getAversion() + stat.getCversion(), 0);
            Checks.equal(stat.getDataLength(), 4);
            Checks.equal(stat.getMzxid(), stat.getCzxid());
            Checks.equal(stat.getPzxid(), stat.getCzxid());
            Checks.equal(stat, zk.exists("/create/p", false));
        });
        Checks.check("create", "an ephemeral node belongs to the session and has no children", () -> {
            zk.create("/create/e", null, OPEN_ACL_UNSAFE, EPHEMERAL);
            Checks.equal(zk.exists("/create/e", false).getEphemeralOwner(), zk.getSessionId());
            Checks.fails(Code.NOCHILDRENFOREPHEMERALS,
                () -> zk.create("/create/e/child", null, OPEN_ACL_UNSAFE, PERSISTENT));
        });
        Checks.check("create", "sequential nodes are numbered by the creations in their parent", () -> {
            fresh("/create/s");
            Checks.equal(zk.create("/create/s/a", null, OPEN_ACL_UNSAFE, PERSISTENT_SEQUENTIAL), "/create/s/a0000000000");
            Checks.equal(zk.create("/create/s/b", null, OPEN_ACL_UNSAFE, EPHEMERAL_SEQUENTIAL), "/create/s/b0000000001");
            zk.delete("/create/s/a0000000000", -1);
            Checks.equal(zk.create("/create/s/", null, OPEN_ACL_UNSAFE, PERSISTENT_SEQUENTIAL), "/create/s/0000000002");
        });
        Checks.check("create", "a container goes away after its last child", () -> {
            zk.create("/create/container", null, OPEN_ACL_UNSAFE, CONTAINER);
            zk.create("/create/container/child", null, OPEN_ACL_UNSAFE, PERSISTENT);
            zk.delete("/create/container/child", -1);
            Checks.eventually("its removal", () -> zk.exists("/create/container", false) == null);
        });
        Checks.check("create", "a container that never had a child stays", () -> {
            Stat stat = new Stat();
            zk.create("/create/unused", null, OPEN_ACL_UNSAFE, CONTAINER, stat);
            Checks.equal(stat.getEphemeralOwner(), 0L);
            Thread.sleep(1500);
            Checks.that(zk.exists("/create/unused", false) != null, "it is there");
        });
        Checks.check("create", "a node with a TTL goes away when it is unchanged for that long", () -> {
            Stat stat = new Stat();
            zk.create("/create/ttl", bytes("x"), OPEN_ACL_UNSAFE, PERSISTENT_WITH_TTL, stat, 300);
            Checks.equal(stat.getEphemeralOwner(), 0L);
            Checks.eventually("its removal", () -> zk.exists("/create/ttl", false) == null);
            String path = zk.create("/create/ttl-", null, OPEN_ACL_UNSAFE, PERSISTENT_SEQUENTIAL_WITH_TTL, stat, 60000);
            Checks.that(path.matches("/create/ttl-\\d{10}"), path);
        });
        Checks.check("create", "refuses what exists, what has no parent, and paths that are none", () -> {
            Checks.fails(Code.NODEEXISTS, () -> zk.create("/create/p", null, OPEN_ACL_UNSAFE, PERSISTENT));
            Checks.fails(Code.NONODE, () -> zk.create("/create/x/y", null, OPEN_ACL_UNSAFE, PERSISTENT));
            Checks.fails(Code.NODEEXISTS, () -> zk.create("/", null, OPEN_ACL_UNSAFE, PERSISTENT));
        });
        Checks.check("create", "absent data is not empty data", () -> {
            zk.create("/create/null", null, OPEN_ACL_UNSAFE, PERSISTENT);
            zk.create("/create/empty", new byte[0], OPEN_ACL_UNSAFE, PERSISTENT);
            Checks.equal(zk.getData("/create/null", false, null), null);
            Checks.equal(zk.getData("/create/empty", false, null), new byte[0]);
        });
    }

    private static void data() {
        Checks.check("data", "set and get, with versions", () -> {
            fresh("/data");
            zk.create("/data/n", bytes("one"), OPEN_ACL_UNSAFE, PERSISTENT);
            Stat set = zk.setData("/data/n", bytes("two"), 0);
            Checks.equal(set.getVersion(), 1);
            Stat got = new Stat();
            Checks.equal(zk.getData("/data/n", false, got), bytes("two"));
            Checks.equal(got, set);
            Checks.fails(Code.BADVERSION, () -> zk.setData("/data/n", bytes("x"), 0));
            Checks.fails(Code.BADVERSION, () -> zk.delete("/data/n", 0));
            zk.delete("/data/n", 1);
        });
        Checks.check("data", "a missing node is reported by every request", () -> {
            Checks.fails(Code.NONODE, () -> zk.getData("/data/none", false, null));
            Checks.fails(Code.NONODE, () -> zk.setData("/data/none", null, -1));
            Checks.fails(Code.NONODE, () -> zk.delete("/data/none", -1));
            Checks.fails(Code.NONODE, () -> zk.getChildren("/data/none", false));
            Checks.fails(Code.NONODE, () -> zk.getACL("/data/none", null));
            Checks.equal(zk.exists("/data/none", false), null);
        });
        Checks.check("data", "children, without and with stat", () -> {
            for (String name : List.of("a", "b", "c")) {
                zk.create("/data/" + name, null, OPEN_ACL_UNSAFE, PERSISTENT);
            }
            Checks.equal(new TreeSet<>(zk.getChildren("/data", false)), new TreeSet<>(List.of("a", "b", "c")));
            Stat stat = new Stat();
            Checks.equal(zk.getChildren("/data", false, stat).size(), 3);
            Checks.equal(stat.getNumChildren(), 3);
            Checks.fails(Code.NOTEMPTY, () -> zk.delete("/data", -1));
            Checks.fails(Code.BADARGUMENTS, () -> zk.delete("/", -1));
        });
        Checks.check("data", "two thousand requests in flight are answered in their order", () -> {
            fresh("/pipeline");
            List<String> answers = Collections.synchronizedList(new ArrayList<>());
            CountDownLatch all = new CountDownLatch(2000);
            for (int i = 0; i < 1000; i++) {
                zk.create("/pipeline/" + i, bytes("" + i), OPEN_ACL_UNSAFE, PERSISTENT, (rc, path, ctx, name) -> {
                    answers.add(rc + name);
                    all.countDown();
                }, null);
                zk.getData("/pipeline/" + i, false, (rc, path, ctx, bytes, stat) -> {
                    answers.add(rc + new String(bytes, UTF_8));
                    all.countDown();
                }, null);
            }
            Checks.that(all.await(20, TimeUnit.SECONDS), "all were answered");
            List<String> expected = IntStream.range(0, 1000).boxed()
                .flatMap(i -> List.of("0/pipeline/" + i, "0" + i).stream()).collect(Collectors.toList());
            Checks.equal(answers, expected);
        });
        Checks.check("sync", "reads another client's write after it; a missing node will do", () -> {
            fresh("/sync");
            other.setData("/sync", bytes("new"), -1);
            CompletableFuture<Integer> done = new CompletableFuture<>();
            zk.sync("/sync/none", (rc, path, ctx) -> done.complete(rc), null);
            Checks.equal(done.get(10, TimeUnit.SECONDS), 0);
            Checks.equal(get(zk, "/sync"), "new");
        });
    }

    private static void acls() {
        Checks.check("acl", "world: what isn't granted is refused", () -> {
            fresh("/acl");
            zk.create("/acl/r", bytes("x"), acl(Perms.READ, "world", "anyone"), PERSISTENT);
            Checks.equal(get(zk, "/acl/r"), "x");
            Checks.fails(Code.NOAUTH, () -> zk.setData("/acl/r", null, -1));
            Checks.fails(Code.NOAUTH, () -> zk.create("/acl/r/c", null, OPEN_ACL_UNSAFE, PERSISTENT));
            Checks.fails(Code.NOAUTH, () -> zk.setACL("/acl/r", OPEN_ACL_UNSAFE, -1));
            zk.create("/acl/w", null, acl(Perms.WRITE, "world", "anyone"), PERSISTENT);
            Checks.fails(Code.NOAUTH, () -> zk.getData("/acl/w", false, null));
            Checks.fails(Code.NOAUTH, () -> zk.getChildren("/acl/w", false));
        });
        Checks.check("acl", "digest: only with the password", () -> {
            String digest = DigestAuthenticationProvider.generateDigest("user:secret");
            zk.create("/acl/digest", bytes("x"), acl(Perms.ALL, "digest", digest), PERSISTENT);
            Checks.fails(Code.NOAUTH, () -> zk.getData("/acl/digest", false, null));
            try (Session it = new Session(8000)) {
                it.client.addAuthInfo("digest", bytes("user:secret"));
                Checks.equal(get(it.client, "/acl/digest"), "x");
                Checks.equal(it.client.getACL("/acl/digest", null), acl(Perms.ALL, "digest", digest));
            }
        });
        Checks.check("acl", "auth: stands for the identities of the session", () -> {
            try (Session it = new Session(8000)) {
                Checks.fails(Code.INVALIDACL, () -> it.client.create("/acl/auth", null, CREATOR_ALL_ACL, PERSISTENT));
                it.client.addAuthInfo("digest", bytes("a:b"));
                it.client.addAuthInfo("digest", bytes("c:d"));
                it.client.create("/acl/auth", null, CREATOR_ALL_ACL, PERSISTENT);
                Checks.equal(it.client.getACL("/acl/auth", new Stat()).size(), 2);
            }
        });
        Checks.check("acl", "ip: addresses and networks", () -> {
            zk.create("/acl/ip", bytes("x"), acl(Perms.ALL, "ip", "127.0.0.0/8"), PERSISTENT);
            Checks.equal(get(zk, "/acl/ip"), "x");
            zk.create("/acl/elsewhere", bytes("x"), acl(Perms.ALL, "ip", "10.1.2.3"), PERSISTENT);
            Checks.fails(Code.NOAUTH, () -> zk.getData("/acl/elsewhere", false, null));
            Checks.fails(Code.INVALIDACL, () -> zk.create("/acl/x", null, acl(Perms.ALL, "ip", "1.2.3"), PERSISTENT));
            Checks.fails(Code.INVALIDACL, () -> zk.create("/acl/x", null, acl(Perms.ALL, "no", "x"), PERSISTENT));
            Checks.fails(Code.INVALIDACL, () -> zk.create("/acl/x", null, new ArrayList<>(), PERSISTENT));
        });
        Checks.check("acl", "super may do anything", () -> {
            try (Session it = new Session(8000)) {
                it.client.addAuthInfo("digest", bytes("super:interop"));
                Checks.equal(get(it.client, "/acl/elsewhere"), "x");
                it.client.setACL("/acl/elsewhere", OPEN_ACL_UNSAFE, -1);
            }
            Checks.equal(get(zk, "/acl/elsewhere"), "x");
        });
        Checks.check("acl", "get and set, with their own version", () -> {
            zk.create("/acl/set", null, OPEN_ACL_UNSAFE, PERSISTENT);
            Stat stat = zk.setACL("/acl/set", acl(Perms.READ | Perms.ADMIN, "world", "anyone"), 0);
            Checks.equal(stat.getAversion(), 1);
            Checks.fails(Code.BADVERSION, () -> zk.setACL("/acl/set", OPEN_ACL_UNSAFE, 0));
            Stat got = new Stat();
            Checks.equal(zk.getACL("/acl/set", got), acl(Perms.READ | Perms.ADMIN, "world", "anyone"));
            Checks.equal(got, stat);
        });
        Checks.check("acl", "a failed authentication ends the session", () -> {
            Session it = new Session(8000);
            it.client.addAuthInfo("nonsense", bytes("x"));
            it.await(KeeperState.AuthFailed);
            Checks.fails(Code.AUTHFAILED, () -> it.client.exists("/", false));
            it.close();
        });
    }

    /** One login is all that this client has in a process. Who doesn't ask for it goes without. */
    private static void prepareLogin() throws Exception {
        System.setProperty(ZKClientConfig.ENABLE_CLIENT_SASL_KEY, "false");
        Path file = Files.createTempFile("jaas", ".conf");
        file.toFile().deleteOnExit();
        Files.writeString(file, "Client { org.apache.zookeeper.server.auth.DigestLoginModule required"
            + " username=\"interop\" password=\"interop-secret\"; };\n");
        System.setProperty("java.security.auth.login.config", file.toString());
    }

    private static void logins() {
        Checks.check("sasl", "who logs in has the identity that ACLs name", () -> {
            fresh("/sasl");
            try (Session it = new Session(8000, withLogin(), KeeperState.SaslAuthenticated)) {
                it.client.create("/sasl/mine", bytes("x"), acl(Perms.ALL, "sasl", "interop"), PERSISTENT);
                it.client.create("/sasl/auth", bytes("x"), CREATOR_ALL_ACL, PERSISTENT);
                Checks.equal(it.client.getACL("/sasl/auth", null), acl(Perms.ALL, "sasl", "interop"));
                Checks.equal(get(it.client, "/sasl/mine"), "x");
                Checks.fails(Code.NOAUTH, () -> zk.getData("/sasl/mine", false, null));
            }
        });
    }

    private static ZKClientConfig withLogin() {
        ZKClientConfig config = new ZKClientConfig();
        config.setProperty(ZKClientConfig.ENABLE_CLIENT_SASL_KEY, "true");
        return config;
    }

    private static void transactions() {
        Checks.check("multi", "creates, sets, checks and deletes as one", () -> {
            fresh("/multi");
            zk.create("/multi/old", null, OPEN_ACL_UNSAFE, PERSISTENT);
            List<OpResult> results = zk.multi(List.of(
                Op.check("/multi/old", 0),
                Op.create("/multi/new", bytes("one"), OPEN_ACL_UNSAFE, PERSISTENT),
                Op.create("/multi/new/s", null, OPEN_ACL_UNSAFE, PERSISTENT_SEQUENTIAL),
                Op.create("/multi/container", null, OPEN_ACL_UNSAFE, CONTAINER),
                Op.create("/multi/ttl", null, OPEN_ACL_UNSAFE, PERSISTENT_WITH_TTL, 60000),
                Op.setData("/multi/new", bytes("two"), 0),
                Op.delete("/multi/old", 0)));
            Checks.equal(((OpResult.CreateResult) results.get(2)).getPath(), "/multi/new/s0000000000");
            Checks.equal(((OpResult.SetDataResult) results.get(5)).getStat().getVersion(), 1);
            Checks.equal(zk.exists("/multi/old", false), null);
            Checks.equal(zk.exists("/multi/container", false).getCzxid(), zk.exists("/multi/new", false).getMzxid());
        });
        Checks.check("multi", "one failure undoes all and is named", () -> {
            KeeperException error = Checks.fails(Code.BADVERSION, () -> zk.multi(List.of(
                Op.create("/multi/undone", null, OPEN_ACL_UNSAFE, PERSISTENT),
                Op.check("/multi/new", 99),
                Op.delete("/multi/new", -1))));
            List<Integer> codes = error.getResults().stream()
                .map(result -> ((OpResult.ErrorResult) result).getErr()).collect(Collectors.toList());
            Checks.equal(codes, List.of(0, Code.BADVERSION.intValue(), Code.RUNTIMEINCONSISTENCY.intValue()));
            Checks.equal(zk.exists("/multi/undone", false), null);
        });
        Checks.check("multi", "an empty one, and the Transaction builder", () -> {
            Checks.equal(zk.multi(List.of()), List.of());
            Checks.equal(zk.transaction().create("/multi/built", null, OPEN_ACL_UNSAFE, PERSISTENT)
                .delete("/multi/built", -1).commit().size(), 2);
        });
        Checks.check("multi", "reads many nodes at once, each with its own error", () -> {
            List<OpResult> results = zk.multi(List.of(
                Op.getData("/multi/new"), Op.getChildren("/multi/new"), Op.getData("/multi/none")));
            Checks.equal(((OpResult.GetDataResult) results.get(0)).getData(), bytes("two"));
            Checks.equal(((OpResult.GetChildrenResult) results.get(1)).getChildren(), List.of("s0000000000"));
            Checks.equal(((OpResult.ErrorResult) results.get(2)).getErr(), Code.NONODE.intValue());
        });
    }

    private static void watches() {
        Checks.check("watch", "data: a change and a removal, once each", () -> {
            fresh("/watch");
            Checks.Seen seen = new Checks.Seen();
            zk.getData("/watch", seen, null);
            zk.setData("/watch", bytes("1"), -1);
            zk.setData("/watch", bytes("2"), -1);
            seen.next("NodeDataChanged /watch");
            zk.getData("/watch", seen, null);
            seen.none();
            other.delete("/watch", -1);
            seen.next("NodeDeleted /watch");
        });
        Checks.check("watch", "exists: creation, change, removal", () -> {
            Checks.Seen seen = new Checks.Seen();
            Checks.equal(zk.exists("/watch", seen), null);
            other.create("/watch", null, OPEN_ACL_UNSAFE, PERSISTENT);
            seen.next("NodeCreated /watch");
            zk.exists("/watch", seen);
            other.setData("/watch", bytes("x"), -1);
            seen.next("NodeDataChanged /watch");
            zk.exists("/watch", seen);
            other.delete("/watch", -1);
            seen.next("NodeDeleted /watch");
        });
        Checks.check("watch", "children: a new one, a removed one, the node's own removal", () -> {
            fresh("/watch");
            Checks.Seen seen = new Checks.Seen();
            zk.getChildren("/watch", seen);
            other.setData("/watch", bytes("no child"), -1);
            other.create("/watch/c", null, OPEN_ACL_UNSAFE, PERSISTENT);
            seen.next("NodeChildrenChanged /watch");
            zk.getChildren("/watch", seen);
            other.delete("/watch/c", -1);
            seen.next("NodeChildrenChanged /watch");
            zk.getChildren("/watch", seen);
            other.delete("/watch", -1);
            seen.next("NodeDeleted /watch");
        });
        Checks.check("watch", "one watcher of data and children hears of a removal once", () -> {
            fresh("/watch");
            Checks.Seen seen = new Checks.Seen();
            zk.getData("/watch", seen, null);
            zk.getChildren("/watch", seen);
            zk.delete("/watch", -1);
            seen.next("NodeDeleted /watch");
            zk.exists("/", false);
            seen.none();
        });
        Checks.check("watch", "an event comes before the reply that shows its change", () -> {
            fresh("/watch");
            List<String> order = Collections.synchronizedList(new ArrayList<>());
            CountDownLatch both = new CountDownLatch(2);
            zk.getData("/watch", event -> {
                order.add("event");
                both.countDown();
            }, null);
            zk.setData("/watch", bytes("x"), -1, (rc, path, ctx, stat) -> {
                order.add("reply");
                both.countDown();
            }, null);
            Checks.that(both.await(10, TimeUnit.SECONDS), "both came");
            Checks.equal(order, List.of("event", "reply"));
        });
        Checks.check("watch", "transactions fire watches", () -> {
            fresh("/watch");
            Checks.Seen seen = new Checks.Seen();
            zk.exists("/watch/new", seen);
            zk.getChildren("/watch", seen);
            other.multi(List.of(
                Op.create("/watch/new", null, OPEN_ACL_UNSAFE, PERSISTENT),
                Op.create("/watch/new2", null, OPEN_ACL_UNSAFE, PERSISTENT)));
            seen.next("NodeCreated /watch/new", "NodeChildrenChanged /watch");
        });
        Checks.check("watch", "a closing session's ephemeral nodes fire watches", () -> {
            Session it = new Session(8000);
            it.client.create("/watch/gone", null, OPEN_ACL_UNSAFE, EPHEMERAL);
            Checks.Seen seen = new Checks.Seen();
            zk.exists("/watch/gone", seen);
            it.close();
            seen.next("NodeDeleted /watch/gone");
        });
    }

    private static void persistentWatches() {
        Checks.check("persistent-watch", "persistent: data and children, again and again", () -> {
            fresh("/persistent");
            Checks.Seen seen = new Checks.Seen();
            zk.addWatch("/persistent", seen, AddWatchMode.PERSISTENT);
            for (int i = 0; i < 3; i++) {
                other.setData("/persistent", bytes("" + i), -1);
            }
            other.create("/persistent/a", null, OPEN_ACL_UNSAFE, PERSISTENT);
            other.setData("/persistent/a", bytes("not watched"), -1);
            other.delete("/persistent/a", -1);
            other.delete("/persistent", -1);
            other.create("/persistent", null, OPEN_ACL_UNSAFE, PERSISTENT);
            seen.next("NodeDataChanged /persistent", "NodeDataChanged /persistent", "NodeDataChanged /persistent",
                "NodeChildrenChanged /persistent", "NodeChildrenChanged /persistent",
                "NodeDeleted /persistent", "NodeCreated /persistent");
        });
        Checks.check("persistent-watch", "recursive: all below, without events of children", () -> {
            fresh("/recursive");
            Checks.Seen seen = new Checks.Seen();
            zk.addWatch("/recursive", seen, AddWatchMode.PERSISTENT_RECURSIVE);
            other.create("/recursive/a", null, OPEN_ACL_UNSAFE, PERSISTENT);
            other.create("/recursive/a/b", null, OPEN_ACL_UNSAFE, PERSISTENT);
            other.setData("/recursive/a/b", bytes("x"), -1);
            other.delete("/recursive/a/b", -1);
            other.setData("/recursive", bytes("x"), -1);
            seen.next("NodeCreated /recursive/a", "NodeCreated /recursive/a/b", "NodeDataChanged /recursive/a/b",
                "NodeDeleted /recursive/a/b", "NodeDataChanged /recursive");
        });
        Checks.check("persistent-watch", "a watch may be set on what isn't there yet", () -> {
            Checks.Seen seen = new Checks.Seen();
            zk.addWatch("/not-yet", seen, AddWatchMode.PERSISTENT_RECURSIVE);
            other.create("/not-yet", null, OPEN_ACL_UNSAFE, PERSISTENT);
            other.delete("/not-yet", -1);
            seen.next("NodeCreated /not-yet", "NodeDeleted /not-yet");
        });
        Checks.check("persistent-watch", "removal: by watcher and kind", () -> {
            fresh("/remove");
            Checks.Seen data = new Checks.Seen();
            Checks.Seen children = new Checks.Seen();
            zk.getData("/remove", data, null);
            zk.getChildren("/remove", children);
            zk.removeWatches("/remove", data, WatcherType.Data, false);
            data.next("DataWatchRemoved /remove");
            other.setData("/remove", bytes("x"), -1);
            other.create("/remove/c", null, OPEN_ACL_UNSAFE, PERSISTENT);
            children.next("NodeChildrenChanged /remove");
            data.none();
            Checks.fails(Code.NOWATCHER, () -> zk.removeWatches("/remove", data, WatcherType.Data, false));
        });
        Checks.check("persistent-watch", "removal: of all, and of persistent ones", () -> {
            fresh("/remove");
            Checks.Seen seen = new Checks.Seen();
            zk.getData("/remove", seen, null);
            zk.getChildren("/remove", seen);
            zk.removeAllWatches("/remove", WatcherType.Any, false);
            seen.nextInAnyOrder("DataWatchRemoved /remove", "ChildWatchRemoved /remove");
            zk.addWatch("/remove", seen, AddWatchMode.PERSISTENT_RECURSIVE);
            zk.removeWatches("/remove", seen, WatcherType.Any, false);
            seen.next("PersistentWatchRemoved /remove");
            zk.setData("/remove", bytes("x"), -1);
            zk.exists("/", false);
            seen.none();
        });
    }

    private static void introspection() {
        Checks.check("introspection", "getEphemerals: the session's own, by prefix", () -> {
            try (Session it = new Session(8000)) {
                fresh("/mine");
                it.client.create("/mine/a", null, OPEN_ACL_UNSAFE, EPHEMERAL);
                it.client.create("/mine/b", null, OPEN_ACL_UNSAFE, EPHEMERAL);
                it.client.create("/own", null, OPEN_ACL_UNSAFE, EPHEMERAL);
                Checks.equal(new TreeSet<>(it.client.getEphemerals()), new TreeSet<>(List.of("/mine/a", "/mine/b", "/own")));
                Checks.equal(new TreeSet<>(it.client.getEphemerals("/mine")), new TreeSet<>(List.of("/mine/a", "/mine/b")));
                Checks.equal(it.client.getEphemerals("/none"), List.of());
            }
        });
        Checks.check("introspection", "getAllChildrenNumber: of the whole subtree", () -> {
            fresh("/count");
            for (String path : List.of("/count/a", "/count/a/b", "/count/a/b/c", "/counter")) {
                zk.create(path, null, OPEN_ACL_UNSAFE, PERSISTENT);
            }
            Checks.equal(zk.getAllChildrenNumber("/count"), 3);
            Checks.equal(zk.getAllChildrenNumber("/count/a/b/c"), 0);
            Checks.fails(Code.NONODE, () -> zk.getAllChildrenNumber("/none"));
        });
        Checks.check("introspection", "whoami: address and identities", () -> {
            try (Session it = new Session(8000)) {
                it.client.addAuthInfo("digest", bytes("user:secret"));
                List<String> who = it.client.whoAmI().stream()
                    .map(info -> info.getAuthScheme() + ":" + info.getUser()).collect(Collectors.toList());
                Checks.equal(new TreeSet<>(who), new TreeSet<>(List.of("ip:127.0.0.1", "digest:user")));
            }
        });
    }

    private static void quotas() {
        Checks.check("quota", "set, counted, listed, removed", () -> {
            fresh("/quota");
            zk.create("/quota/a", bytes("12345"), OPEN_ACL_UNSAFE, PERSISTENT);
            StatsTrack limits = new StatsTrack();
            limits.setCount(10);
            limits.setBytes(1000);
            Checks.that(SetQuotaCommand.createQuota(zk, "/quota", limits), "the quota is made");
            Checks.equal(ListQuotaCommand.listQuota(zk, "/quota").get(0).getCount(), 10L);
            StatsTrack counted = ListQuotaCommand.listQuota(zk, "/quota").get(1);
            Checks.equal(List.of(counted.getCount(), counted.getBytes()), List.of(2L, 5L));
            zk.create("/quota/b", bytes("123"), OPEN_ACL_UNSAFE, PERSISTENT);
            zk.setData("/quota/a", bytes(""), -1);
            counted = ListQuotaCommand.listQuota(zk, "/quota").get(1);
            Checks.equal(List.of(counted.getCount(), counted.getBytes()), List.of(3L, 3L));
            Checks.that(DelQuotaCommand.delQuota(zk, "/quota", null), "the quota is removed");
            Checks.equal(zk.exists("/zookeeper/quota/quota", false), null);
        });
    }

    private static void sizes() {
        Checks.check("big", "values up to a million bytes", () -> {
            byte[] value = new byte[1_000_000];
            Arrays.fill(value, (byte) 7);
            zk.create("/big", value, OPEN_ACL_UNSAFE, PERSISTENT);
            Checks.that(Arrays.equals(zk.getData("/big", false, null), value), "the same came back");
        });
        Checks.check("big", "a request beyond the server's limit loses the connection", () -> {
            try (Session it = new Session(8000)) {
                Checks.fails(Code.CONNECTIONLOSS,
                    () -> it.client.create("/too-big", new byte[1_100_000], OPEN_ACL_UNSAFE, PERSISTENT));
                Checks.eventually("the loss", () -> it.states.contains(KeeperState.Disconnected));
                it.await(KeeperState.SyncConnected);
                Checks.equal(it.client.exists("/too-big", false), null);
            }
        });
        Checks.check("unicode", "paths of any script in the basic plane; events carry them", () -> {
            fresh("/unicode");
            Checks.Seen seen = new Checks.Seen();
            zk.exists("/unicode/данные-データ-ñ", seen);
            zk.create("/unicode/данные-データ-ñ", bytes("🐘"), OPEN_ACL_UNSAFE, PERSISTENT);
            seen.next("NodeCreated /unicode/данные-データ-ñ");
            Checks.equal(zk.getChildren("/unicode", false), List.of("данные-データ-ñ"));
            Checks.equal(get(zk, "/unicode/данные-データ-ñ"), "🐘");
        });
    }

    private static void configuration() {
        Checks.check("config", "getConfig: empty on a standalone server", () -> {
            Stat stat = new Stat();
            Checks.equal(zk.getConfig(false, stat), new byte[0]);
            Checks.equal(stat.getVersion(), 0);
        });
        Checks.check("config", "reconfig is refused as disabled", () -> {
            try (ZooKeeperAdmin admin = new ZooKeeperAdmin(hosts, 8000, event -> {})) {
                Checks.fails(Code.RECONFIGDISABLED, () -> admin.reconfigure(
                    "server.2=127.0.0.1:2888:3888;2181", null, null, -1, null));
            }
        });
    }

    private static void words() {
        Checks.check("words", "through the client's own FourLetterWordMain", () -> {
            Checks.equal(FourLetterWordMain.send4LetterWord("127.0.0.1", port, "ruok").trim(), "imok");
            Checks.that(FourLetterWordMain.send4LetterWord("127.0.0.1", port, "srvr").contains("Mode: standalone"), "srvr");
            String id = "0x" + Long.toHexString(zk.getSessionId());
            Checks.that(FourLetterWordMain.send4LetterWord("127.0.0.1", port, "cons").contains("sid=" + id), "cons");
            Checks.that(FourLetterWordMain.send4LetterWord("127.0.0.1", port, "dump").contains(id), "dump");
        });
    }

    private static void reconnection() {
        Checks.check("reconnect", "the session, its ephemeral nodes and its identities are kept", () -> {
            long id = zk.getSessionId();
            zk.create("/reconnect", null, OPEN_ACL_UNSAFE, EPHEMERAL);
            session.lose("cut");
            Checks.equal(zk.getSessionId(), id);
            Checks.equal(zk.exists("/reconnect", false).getEphemeralOwner(), id);
        });
        Checks.check("reconnect", "watches of every kind are set again", () -> {
            // Each on a node of its own: Apache's server before 3.9 keeps one kind of watch per node and connection.
            fresh("/again");
            for (String name : List.of("data", "children", "persistent", "recursive")) {
                zk.create("/again/" + name, null, OPEN_ACL_UNSAFE, PERSISTENT);
            }
            List<Checks.Seen> seen = IntStream.range(0, 5).mapToObj(i -> new Checks.Seen()).collect(Collectors.toList());
            zk.getData("/again/data", seen.get(0), null);
            zk.exists("/again/none", seen.get(1));
            zk.getChildren("/again/children", seen.get(2));
            zk.addWatch("/again/persistent", seen.get(3), AddWatchMode.PERSISTENT);
            zk.addWatch("/again/recursive", seen.get(4), AddWatchMode.PERSISTENT_RECURSIVE);
            session.lose("cut");
            for (String path : List.of("/again/none", "/again/children/c", "/again/persistent/c", "/again/recursive/c")) {
                zk.create(path, null, OPEN_ACL_UNSAFE, PERSISTENT);
            }
            zk.setData("/again/data", bytes("x"), -1);
            seen.get(0).next("NodeDataChanged /again/data");
            seen.get(1).next("NodeCreated /again/none");
            seen.get(2).next("NodeChildrenChanged /again/children");
            seen.get(3).next("NodeChildrenChanged /again/persistent");
            seen.get(4).next("NodeCreated /again/recursive/c");
        });
        Checks.check("reconnect", "what happened meanwhile is told by the one-shot watches", () -> {
            fresh("/meanwhile");
            zk.create("/meanwhile/gone", null, OPEN_ACL_UNSAFE, PERSISTENT);
            try (Session it = new Session(8000)) {
                List<Checks.Seen> seen = IntStream.range(0, 4).mapToObj(i -> new Checks.Seen()).collect(Collectors.toList());
                it.client.getData("/meanwhile", seen.get(0), null);
                it.client.exists("/meanwhile/new", seen.get(1));
                it.client.getChildren("/meanwhile", seen.get(2));
                it.client.getData("/meanwhile/gone", seen.get(3), null);
                long before = it.client.getSessionId();
                Checks.ask("down");
                it.await(KeeperState.Disconnected);
                try (ZooKeeper meanwhile = new ZooKeeper(direct, 8000, event -> {})) {
                    meanwhile.multi(List.of(
                        Op.setData("/meanwhile", bytes("x"), -1),
                        Op.create("/meanwhile/new", null, OPEN_ACL_UNSAFE, PERSISTENT),
                        Op.delete("/meanwhile/gone", -1)));
                }
                Checks.ask("up");
                it.await(KeeperState.SyncConnected);
                session.await(KeeperState.SyncConnected);
                Checks.equal(it.client.getSessionId(), before);
                seen.get(0).next("NodeDataChanged /meanwhile");
                seen.get(1).next("NodeCreated /meanwhile/new");
                seen.get(2).next("NodeChildrenChanged /meanwhile");
                seen.get(3).next("NodeDeleted /meanwhile/gone");
            }
        });
        Checks.check("reconnect", "ten thousand watches are set again", () -> {
            fresh("/many");
            Checks.Seen seen = new Checks.Seen();
            String prefix = "/many/a-rather-long-name-so-that-one-request-wont-hold-them-all-";
            List<Integer> codes = Collections.synchronizedList(new ArrayList<>());
            for (int i = 0; i < 10000; i++) {
                zk.exists(prefix + i, seen, (rc, path, ctx, stat) -> codes.add(rc), null);
            }
            Checks.eventually("all answers", 20, () -> codes.size() == 10000);
            Checks.equal(Set.copyOf(codes), Set.of(Code.NONODE.intValue()));
            session.lose("cut");
            for (int i : new int[] {9999, 0}) {
                zk.create(prefix + i, null, OPEN_ACL_UNSAFE, PERSISTENT);
                seen.next("NodeCreated " + prefix + i);
            }
        });
    }

    private static void restarts() {
        for (String how : List.of("restart", "kill")) {
            Checks.check("restart", "after a " + how + ": session, ephemeral nodes, data, watches", () -> {
                fresh("/restart");
                zk.setData("/restart", bytes("kept"), -1);
                zk.create("/restart/mine", null, OPEN_ACL_UNSAFE, EPHEMERAL);
                zk.create("/restart/guarded", null, acl(Perms.READ, "world", "anyone"), PERSISTENT);
                Checks.Seen seen = new Checks.Seen();
                Checks.Seen below = new Checks.Seen();
                zk.getData("/restart/mine", seen, null);
                zk.addWatch("/restart", below, AddWatchMode.PERSISTENT_RECURSIVE);
                Stat before = zk.exists("/restart", false);
                long id = zk.getSessionId();
                session.lose(how);
                Checks.equal(zk.getSessionId(), id);
                Checks.equal(zk.exists("/restart", false), before);
                Checks.equal(get(zk, "/restart"), "kept");
                Checks.equal(zk.exists("/restart/mine", false).getEphemeralOwner(), id);
                Checks.fails(Code.NOAUTH, () -> zk.setData("/restart/guarded", null, -1));
                seen.none();
                zk.setData("/restart/mine", bytes("new"), -1);
                seen.next("NodeDataChanged /restart/mine");
                below.next("NodeDataChanged /restart/mine");
                zk.removeWatches("/restart", below, WatcherType.Any, false);
            });
        }
    }

    private static void expiry() {
        Checks.check("expiry", "a session that isn't heard of expires, with its ephemeral nodes", () -> {
            Session it = new Session(3000);
            it.client.create("/expiring", null, OPEN_ACL_UNSAFE, EPHEMERAL);
            Checks.ask("down");
            gone("/expiring");
            Checks.ask("up");
            it.await(KeeperState.Expired);
            Checks.fails(Code.SESSIONEXPIRED, () -> it.client.exists("/", false));
            session.await(KeeperState.SyncConnected);
            Checks.equal(zk.exists("/expiring", false), null);
        });
        Checks.check("expiry", "the expired session's nodes fire watches", () -> {
            fresh("/watching-expiry");
            Checks.Seen seen = new Checks.Seen();
            Session it = new Session(3000);
            it.client.create("/watching-expiry/e", null, OPEN_ACL_UNSAFE, EPHEMERAL);
            zk.exists("/watching-expiry/e", seen);
            Checks.ask("down");
            gone("/watching-expiry/e");
            Checks.ask("up");
            seen.next("NodeDeleted /watching-expiry/e");
            it.close();
        });
    }

    /** Waits for the removal of a node, on a connection of its own. */
    private static void gone(String path) throws Exception {
        try (ZooKeeper client = new ZooKeeper(direct, 8000, event -> {})) {
            Checks.eventually("the removal of " + path, () -> client.exists(path, false) == null);
        }
    }
}
