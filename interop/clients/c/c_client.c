/* Checks of the server through ZooKeeper's C client. Arguments: the port of the relay to the server, the server's own.
 * They are told in the Test Anything Protocol; a line that begins with @ has the caller do something to the connection
 * or to the server (cut, down, up, restart, kill) and waits for its answer. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

/* A session with the last state and the last event its watcher was told of. */
struct session {
    zhandle_t *zh;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int state;
    int losses;
    int events;
    int type;
    char path[512];
};

static char hosts[64], direct[64];
static int port;
static struct session *zk, *other;
static jmp_buf failed;
static char why[1024];

static pid_t main_process;

static void fail(int line, const char *format, ...) {
    va_list args;
    int n = snprintf(why, sizeof why, "line %d: ", line);
    va_start(args, format);
    vsnprintf(why + n, sizeof why - n, format, args);
    va_end(args);
    if (getpid() != main_process) _exit(1);
    longjmp(failed, 1);
}

#define THAT(condition) \
    do { \
        if (!(condition)) fail(__LINE__, "not so: %s", #condition); \
    } while (0)
#define RC(call, expected) \
    do { \
        int rc_ = (call); \
        if (rc_ != (expected)) fail(__LINE__, "%s is %s, not %s", #call, zerror(rc_), zerror(expected)); \
    } while (0)
#define OK(call) RC(call, ZOK)
#define TEXT(actual, expected) \
    do { \
        if (strcmp(actual, expected) != 0) fail(__LINE__, "'%s' is not '%s'", actual, expected); \
    } while (0)

static void ask(const char *request) {
    char answer[256];
    printf("@%s\n", request);
    fflush(stdout);
    if (fgets(answer, sizeof answer, stdin) == NULL || strcmp(answer, "done\n") != 0) fail(__LINE__, "@%s wasn't done", request);
}

static void watch(zhandle_t *zh, int type, int state, const char *path, void *context) {
    struct session *s = context;
    (void)zh;
    pthread_mutex_lock(&s->lock);
    if (type == ZOO_SESSION_EVENT) {
        if (state == ZOO_CONNECTING_STATE) s->losses++;
        s->state = state;
    } else {
        s->events++;
        s->type = type;
        snprintf(s->path, sizeof s->path, "%s", path);
    }
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* Waits under the lock, until 15 s have gone; false if they have. */
static int wait_change(struct session *s, time_t until) {
    struct timespec end = {until, 0};
    return pthread_cond_timedwait(&s->changed, &s->lock, &end) == 0;
}

static void await_state(struct session *s, int state) {
    time_t until = time(NULL) + 15;
    int in_time = 1;
    pthread_mutex_lock(&s->lock);
    while (s->state != state && in_time) in_time = wait_change(s, until);
    int seen = s->state;
    pthread_mutex_unlock(&s->lock);
    if (seen != state) fail(__LINE__, "the session's state is %d, not %d", seen, state);
}

static void await_event(int line, struct session *s, int count, int type, const char *path) {
    time_t until = time(NULL) + 10;
    int in_time = 1;
    pthread_mutex_lock(&s->lock);
    while (s->events < count && in_time) in_time = wait_change(s, until);
    int events = s->events, seen = s->type;
    char where[512];
    strcpy(where, s->path);
    pthread_mutex_unlock(&s->lock);
    if (events != count || seen != type || strcmp(where, path) != 0)
        fail(line, "event %d is %d of %s, not event %d, %d of %s", events, seen, where, count, type, path);
}
#define EVENT(s, count, type, path) await_event(__LINE__, s, count, type, path)

static struct session *open_session(const char *where, int timeout, const clientid_t *id) {
    struct session *s = calloc(1, sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->zh = zookeeper_init(where, watch, timeout, id, s, 0);
    THAT(s->zh != NULL);
    return s;
}

static struct session *connect_to(const char *where, int timeout) {
    struct session *s = open_session(where, timeout, NULL);
    await_state(s, ZOO_CONNECTED_STATE);
    return s;
}

static struct session *connected(int timeout) {
    return connect_to(hosts, timeout);
}

static void close_session(struct session *s) {
    zookeeper_close(s->zh);
    free(s);
}

/* Loses the connection and waits until it is back. */
static void lose(struct session *s, const char *how) {
    int before = s->losses;
    ask(how);
    time_t until = time(NULL) + 15;
    int in_time = 1;
    pthread_mutex_lock(&s->lock);
    while ((s->losses == before || s->state != ZOO_CONNECTED_STATE) && in_time) in_time = wait_change(s, until);
    pthread_mutex_unlock(&s->lock);
    THAT(s->losses > before);
    THAT(s->state == ZOO_CONNECTED_STATE);
}

static int make(const char *path) {
    return zoo_create(zk->zh, path, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, NULL, 0);
}

/* A completion's result code, for the calls that have only an asynchronous form. */
struct outcome {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int done;
    int rc;
};

static void outcome_init(struct outcome *o) {
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->changed, NULL);
    o->done = 0;
}

static void finish(int rc, const void *data) {
    struct outcome *o = (struct outcome *)data;
    pthread_mutex_lock(&o->lock);
    o->rc = rc;
    o->done++;
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->lock);
}

static void finish_string(int rc, const char *value, const void *data) {
    (void)value;
    finish(rc, data);
}

static int await_outcome(struct outcome *o) {
    struct timespec end = {time(NULL) + 10, 0};
    pthread_mutex_lock(&o->lock);
    int rc = 0;
    while (!o->done && rc == 0) rc = pthread_cond_timedwait(&o->changed, &o->lock, &end);
    pthread_mutex_unlock(&o->lock);
    return rc == 0 ? o->rc : ZOPERATIONTIMEOUT;
}

static int authenticate(struct session *s, const char *scheme, const char *credential) {
    struct outcome o;
    outcome_init(&o);
    OK(zoo_add_auth(s->zh, scheme, credential, strlen(credential), finish, &o));
    return await_outcome(&o);
}

static struct ACL_vector acl_of(struct ACL *entry, int perms, char *scheme, char *id) {
    struct ACL_vector acl = {1, entry};
    entry->perms = perms;
    entry->id.scheme = scheme;
    entry->id.id = id;
    return acl;
}

/* Sessions */

static void negotiates(void) {
    int pairs[][2] = {{5000, 5000}, {100, 1000}, {100000, 10000}};
    for (int i = 0; i < 3; i++) {
        struct session *s = connected(pairs[i][0]);
        THAT(zoo_recv_timeout(s->zh) == pairs[i][1]);
        THAT(zoo_client_id(s->zh)->client_id != 0);
        close_session(s);
    }
}

static void takes_over(void) {
    /* Another process begins the session and dies, so that nobody fights for it. */
    int ends[2];
    clientid_t id;
    THAT(pipe(ends) == 0);
    fflush(stdout);
    if (fork() == 0) {
        struct session *first = connected(8000);
        OK(zoo_create(first->zh, "/c-taken", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0));
        _exit(write(ends[1], zoo_client_id(first->zh), sizeof id) == sizeof id ? 0 : 1);
    }
    close(ends[1]);
    THAT(read(ends[0], &id, sizeof id) == sizeof id);
    close(ends[0]);
    struct session *second = open_session(hosts, 8000, &id);
    await_state(second, ZOO_CONNECTED_STATE);
    THAT(zoo_client_id(second->zh)->client_id == id.client_id);
    OK(zoo_exists(zk->zh, "/c-taken", 0, NULL));
    close_session(second);
    RC(zoo_exists(zk->zh, "/c-taken", 0, NULL), ZNONODE);
}

static void wrong_password(void) {
    struct session *first = connected(8000);
    clientid_t id = *zoo_client_id(first->zh);
    memset(id.passwd, 1, sizeof id.passwd);
    struct session *second = open_session(hosts, 8000, &id);
    await_state(second, ZOO_EXPIRED_SESSION_STATE);
    close_session(second);
    await_state(first, ZOO_CONNECTED_STATE);
    close_session(first);
}

static void close_removes(void) {
    struct session *s = connected(8000);
    OK(zoo_create(s->zh, "/c-closing", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0));
    OK(zoo_exists(zk->zh, "/c-closing", 0, NULL));
    close_session(s);
    RC(zoo_exists(zk->zh, "/c-closing", 0, NULL), ZNONODE);
}

/* Creating */

static void creates(void) {
    char path[128];
    struct Stat stat;
    OK(make("/c-create"));
    RC(make("/c-create"), ZNODEEXISTS);
    RC(make("/c-create/no/parent"), ZNONODE);
    OK(zoo_create2(zk->zh, "/c-create/p", "data", 4, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, path, sizeof path, &stat));
    TEXT(path, "/c-create/p");
    THAT(stat.dataLength == 4 && stat.version == 0 && stat.czxid == stat.mzxid && stat.ephemeralOwner == 0);
    OK(zoo_create2(zk->zh, "/c-create/e", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, path, sizeof path, &stat));
    THAT(stat.ephemeralOwner == zoo_client_id(zk->zh)->client_id);
    RC(make("/c-create/e/child"), ZNOCHILDRENFOREPHEMERALS);
    OK(zoo_create(zk->zh, "/c-create/s-", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_SEQUENTIAL, path, sizeof path));
    TEXT(path, "/c-create/s-0000000002");
    OK(zoo_create(zk->zh, "/c-create/s-", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL_SEQUENTIAL, path, sizeof path));
    TEXT(path, "/c-create/s-0000000003");
}

static void container(void) {
    OK(zoo_create(zk->zh, "/c-container", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_CONTAINER, NULL, 0));
    OK(make("/c-container/child"));
    OK(zoo_delete(zk->zh, "/c-container/child", -1));
    for (int i = 0; i < 100 && zoo_exists(zk->zh, "/c-container", 0, NULL) == ZOK; i++) usleep(100000);
    RC(zoo_exists(zk->zh, "/c-container", 0, NULL), ZNONODE);
}

static void ttl(void) {
    char path[128];
    OK(zoo_create_ttl(zk->zh, "/c-ttl", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 300, NULL, 0));
    OK(zoo_create_ttl(zk->zh, "/c-ttl-", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL, 60000, path, sizeof path));
    THAT(strlen(path) == strlen("/c-ttl-") + 10);
    for (int i = 0; i < 100 && zoo_exists(zk->zh, "/c-ttl", 0, NULL) == ZOK; i++) usleep(100000);
    RC(zoo_exists(zk->zh, "/c-ttl", 0, NULL), ZNONODE);
    OK(zoo_exists(zk->zh, path, 0, NULL));
}

static void null_data(void) {
    char buffer[8];
    int length = sizeof buffer;
    OK(zoo_create(zk->zh, "/c-null", NULL, -1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, NULL, 0));
    OK(zoo_get(zk->zh, "/c-null", 0, buffer, &length, NULL));
    THAT(length == -1);
    length = sizeof buffer;
    OK(make("/c-empty"));
    OK(zoo_get(zk->zh, "/c-empty", 0, buffer, &length, NULL));
    THAT(length == 0);
}

/* Data */

static void gets_and_sets(void) {
    char buffer[64];
    int length = sizeof buffer;
    struct Stat stat, again;
    OK(make("/c-data"));
    OK(zoo_set2(zk->zh, "/c-data", "two", 3, 0, &stat));
    THAT(stat.version == 1);
    RC(zoo_set(zk->zh, "/c-data", "x", 1, 0), ZBADVERSION);
    OK(zoo_get(zk->zh, "/c-data", 0, buffer, &length, &again));
    THAT(length == 3 && memcmp(buffer, "two", 3) == 0 && again.mzxid == stat.mzxid);
    RC(zoo_delete(zk->zh, "/c-data", 0), ZBADVERSION);
    RC(zoo_get(zk->zh, "/c-none", 0, buffer, &length, NULL), ZNONODE);
    RC(zoo_set(zk->zh, "/c-none", "", 0, -1), ZNONODE);
    RC(zoo_delete(zk->zh, "/c-none", -1), ZNONODE);
}

static void children(void) {
    struct String_vector names;
    struct Stat stat;
    OK(make("/c-data/a"));
    OK(make("/c-data/b"));
    OK(zoo_get_children(zk->zh, "/c-data", 0, &names));
    THAT(names.count == 2);
    deallocate_String_vector(&names);
    OK(zoo_get_children2(zk->zh, "/c-data", 0, &names, &stat));
    THAT(names.count == 2 && stat.numChildren == 2);
    deallocate_String_vector(&names);
    RC(zoo_delete(zk->zh, "/c-data", -1), ZNOTEMPTY);
    OK(zoo_delete(zk->zh, "/c-data/a", 0));
    RC(zoo_get_children(zk->zh, "/c-none", 0, &names), ZNONODE);
}

static void syncs(void) {
    struct outcome o;
    outcome_init(&o);
    OK(zoo_set(other->zh, "/c-data", "new", 3, -1));
    OK(zoo_async(zk->zh, "/c-data", finish_string, &o));
    OK(await_outcome(&o));
    char buffer[8];
    int length = sizeof buffer;
    OK(zoo_get(zk->zh, "/c-data", 0, buffer, &length, NULL));
    THAT(length == 3 && memcmp(buffer, "new", 3) == 0);
}

/* ACLs */

static void acl_world(void) {
    struct ACL entry;
    struct ACL_vector acl = acl_of(&entry, ZOO_PERM_READ, "world", "anyone");
    OK(make("/c-acl"));
    OK(zoo_create(zk->zh, "/c-acl/r", "", 0, &acl, ZOO_PERSISTENT, NULL, 0));
    RC(zoo_set(zk->zh, "/c-acl/r", "x", 1, -1), ZNOAUTH);
    RC(make("/c-acl/r/child"), ZNOAUTH);
    acl = acl_of(&entry, ZOO_PERM_ALL, "nonsense", "x");
    RC(zoo_create(zk->zh, "/c-acl/x", "", 0, &acl, ZOO_PERSISTENT, NULL, 0), ZINVALIDACL);
}

static void acl_digest(void) {
    struct ACL entry;
    /* The digest of user:secret. */
    struct ACL_vector acl = acl_of(&entry, ZOO_PERM_ALL, "digest", "user:5w9W4eL3797Y4Wq8AcKUPPk8ha4=");
    char buffer[8];
    int length = sizeof buffer;
    OK(zoo_create(zk->zh, "/c-acl/digest", "x", 1, &acl, ZOO_PERSISTENT, NULL, 0));
    RC(zoo_get(zk->zh, "/c-acl/digest", 0, buffer, &length, NULL), ZNOAUTH);
    struct session *s = connected(8000);
    OK(authenticate(s, "digest", "user:secret"));
    OK(zoo_get(s->zh, "/c-acl/digest", 0, buffer, &length, NULL));
    OK(zoo_create(s->zh, "/c-acl/auth", "", 0, &ZOO_CREATOR_ALL_ACL, ZOO_PERSISTENT, NULL, 0));
    struct ACL_vector got;
    struct Stat stat;
    OK(zoo_get_acl(s->zh, "/c-acl/auth", &got, &stat));
    THAT(got.count == 1 && got.data[0].perms == ZOO_PERM_ALL);
    TEXT(got.data[0].id.scheme, "digest");
    TEXT(got.data[0].id.id, "user:5w9W4eL3797Y4Wq8AcKUPPk8ha4=");
    deallocate_ACL_vector(&got);
    RC(zoo_set_acl(s->zh, "/c-acl/auth", 5, &ZOO_OPEN_ACL_UNSAFE), ZBADVERSION);
    OK(zoo_set_acl(s->zh, "/c-acl/auth", 0, &ZOO_OPEN_ACL_UNSAFE));
    length = sizeof buffer;
    OK(zoo_get(zk->zh, "/c-acl/auth", 0, buffer, &length, NULL));
    close_session(s);
}

static void acl_ip_and_super(void) {
    struct ACL entry;
    struct ACL_vector acl = acl_of(&entry, ZOO_PERM_ALL, "ip", "127.0.0.1");
    char buffer[8];
    int length = sizeof buffer;
    OK(zoo_create(zk->zh, "/c-acl/here", "x", 1, &acl, ZOO_PERSISTENT, NULL, 0));
    OK(zoo_get(zk->zh, "/c-acl/here", 0, buffer, &length, NULL));
    acl = acl_of(&entry, ZOO_PERM_ALL, "ip", "10.0.0.0/8");
    OK(zoo_create(zk->zh, "/c-acl/there", "x", 1, &acl, ZOO_PERSISTENT, NULL, 0));
    RC(zoo_get(zk->zh, "/c-acl/there", 0, buffer, &length, NULL), ZNOAUTH);
    struct session *s = connected(8000);
    OK(authenticate(s, "digest", "super:interop"));
    OK(zoo_get(s->zh, "/c-acl/there", 0, buffer, &length, NULL));
    close_session(s);
}

static void acl_bad_scheme(void) {
    struct session *s = connected(8000);
    RC(authenticate(s, "nonsense", "x"), ZAUTHFAILED);
    await_state(s, ZOO_AUTH_FAILED_STATE);
    close_session(s);
}

/* Transactions */

static void multi_commits(void) {
    char first[64], second[64];
    struct Stat stat;
    zoo_op_t ops[5];
    zoo_op_result_t results[5];
    OK(make("/c-multi"));
    zoo_create_op_init(&ops[0], "/c-multi/a", "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, first, sizeof first);
    zoo_create_op_init(&ops[1], "/c-multi/s-", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL_SEQUENTIAL, second, sizeof second);
    zoo_set_op_init(&ops[2], "/c-multi/a", "2", 1, 0, &stat);
    zoo_check_op_init(&ops[3], "/c-multi/a", 1);
    zoo_delete_op_init(&ops[4], second, -1);
    OK(zoo_multi(zk->zh, 4, ops, results));
    TEXT(first, "/c-multi/a");
    TEXT(second, "/c-multi/s-0000000001");
    THAT(stat.version == 1);
    for (int i = 0; i < 4; i++) THAT(results[i].err == ZOK);
}

static void multi_refuses(void) {
    zoo_op_t ops[3];
    zoo_op_result_t results[3];
    zoo_create_op_init(&ops[0], "/c-multi/undone", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    zoo_check_op_init(&ops[1], "/c-multi/a", 99);
    zoo_delete_op_init(&ops[2], "/c-multi/a", -1);
    RC(zoo_multi(zk->zh, 3, ops, results), ZBADVERSION);
    THAT(results[0].err == ZOK && results[1].err == ZBADVERSION && results[2].err == ZRUNTIMEINCONSISTENCY);
    RC(zoo_exists(zk->zh, "/c-multi/undone", 0, NULL), ZNONODE);
}

/* Watches */

static void watches(void) {
    struct session seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct String_vector names;
    char buffer[8];
    int length = sizeof buffer;
    RC(zoo_wexists(zk->zh, "/c-watch", watch, &seen, NULL), ZNONODE);
    OK(zoo_create(other->zh, "/c-watch", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    EVENT(&seen, 1, ZOO_CREATED_EVENT, "/c-watch");
    OK(zoo_wget(zk->zh, "/c-watch", watch, &seen, buffer, &length, NULL));
    OK(zoo_set(other->zh, "/c-watch", "1", 1, -1));
    OK(zoo_set(other->zh, "/c-watch", "2", 1, -1));
    EVENT(&seen, 2, ZOO_CHANGED_EVENT, "/c-watch");
    OK(zoo_wget_children(zk->zh, "/c-watch", watch, &seen, &names));
    deallocate_String_vector(&names);
    OK(zoo_create(other->zh, "/c-watch/c", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    EVENT(&seen, 3, ZOO_CHILD_EVENT, "/c-watch");
    OK(zoo_delete(other->zh, "/c-watch/c", -1));
    OK(zoo_wexists(zk->zh, "/c-watch", watch, &seen, NULL));
    OK(zoo_delete(other->zh, "/c-watch", -1));
    EVENT(&seen, 4, ZOO_DELETED_EVENT, "/c-watch");
}

static void remove_watches(void) {
    /* The C client frees a removed watcher's entry itself; the context must outlive the session. */
    static struct session seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    OK(make("/c-remove"));
    OK(zoo_wexists(zk->zh, "/c-remove", watch, &seen, NULL));
    OK(zoo_remove_watches(zk->zh, "/c-remove", ZWATCHTYPE_DATA, watch, &seen, 0));
    OK(zoo_set(zk->zh, "/c-remove", "x", 1, -1));
    OK(zoo_exists(zk->zh, "/c-remove", 0, NULL));
    RC(zoo_remove_watches(zk->zh, "/c-remove", ZWATCHTYPE_DATA, watch, &seen, 0), ZNOWATCHER);
}

/* Sizes, characters, words, configuration */

static void big(void) {
    int size = 1000000, length = size;
    char *value = malloc(size), *got = malloc(size);
    for (int i = 0; i < size; i++) value[i] = (char)i;
    OK(zoo_create(zk->zh, "/c-big", value, size, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    OK(zoo_get(zk->zh, "/c-big", 0, got, &length, NULL));
    THAT(length == size && memcmp(value, got, size) == 0);
    free(value);
    free(got);
}

static void unicode(void) {
    char path[128];
    struct String_vector names;
    OK(make("/c-unicode"));
    OK(zoo_create(zk->zh, "/c-unicode/данные-データ-ñ", "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path));
    TEXT(path, "/c-unicode/данные-データ-ñ");
    OK(zoo_get_children(zk->zh, "/c-unicode", 0, &names));
    TEXT(names.data[0], "данные-データ-ñ");
    deallocate_String_vector(&names);
}

static void words(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    const char *sent[] = {"ruok", "srvr", "mntr"}, *part[] = {"imok", "Mode: standalone", "zk_version"};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < 3; i++) {
        char answer[65536];
        int length = 0, n, fd = socket(AF_INET, SOCK_STREAM, 0);
        THAT(connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && write(fd, sent[i], 4) == 4);
        while ((n = read(fd, answer + length, sizeof answer - 1 - length)) > 0) length += n;
        answer[length] = 0;
        close(fd);
        THAT(strstr(answer, part[i]) != NULL);
    }
}

static void config(void) {
    char buffer[256];
    int length = sizeof buffer;
    struct Stat stat;
    OK(zoo_getconfig(zk->zh, 0, buffer, &length, &stat));
    THAT(length == 0 && stat.version == 0);
    length = sizeof buffer;
    RC(zoo_reconfig(zk->zh, "server.2=127.0.0.1:2888:3888;2181", NULL, NULL, -1, buffer, &length, &stat), ZRECONFIGDISABLED);
}

/* Losses */

static void reconnects(void) {
    static struct session seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct Stat stat;
    struct String_vector names;
    int64_t id = zoo_client_id(zk->zh)->client_id;
    OK(make("/c-again"));
    OK(zoo_create(zk->zh, "/c-again/mine", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0));
    OK(zoo_wexists(zk->zh, "/c-again/mine", watch, &seen, NULL));
    OK(zoo_wget_children(zk->zh, "/c-again", watch, &seen, &names));
    deallocate_String_vector(&names);
    lose(zk, "cut");
    THAT(zoo_client_id(zk->zh)->client_id == id);
    OK(zoo_exists(zk->zh, "/c-again/mine", 0, &stat));
    THAT(stat.ephemeralOwner == id);
    OK(zoo_set(zk->zh, "/c-again/mine", "x", 1, -1));
    EVENT(&seen, 1, ZOO_CHANGED_EVENT, "/c-again/mine");
    OK(make("/c-again/new"));
    EVENT(&seen, 2, ZOO_CHILD_EVENT, "/c-again");
}

static void survives(const char *how) {
    struct session *seen = calloc(1, sizeof *seen);
    char path[128], buffer[8];
    int length = sizeof buffer;
    struct Stat stat;
    int64_t id = zoo_client_id(zk->zh)->client_id;
    pthread_mutex_init(&seen->lock, NULL);
    pthread_cond_init(&seen->changed, NULL);
    snprintf(path, sizeof path, "/c-%s", how);
    OK(zoo_create(zk->zh, path, "kept", 4, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0));
    OK(zoo_wexists(zk->zh, path, watch, seen, NULL));
    lose(zk, how);
    THAT(zoo_client_id(zk->zh)->client_id == id);
    OK(zoo_get(zk->zh, path, 0, buffer, &length, &stat));
    THAT(length == 4 && memcmp(buffer, "kept", 4) == 0 && stat.ephemeralOwner == id);
    OK(zoo_set(zk->zh, path, "x", 1, -1));
    EVENT(seen, 1, ZOO_CHANGED_EVENT, path);
}

static void restart(void) {
    survives("restart");
}

static void killed(void) {
    survives("kill");
}

static void expires(void) {
    struct session *s = connected(3000);
    OK(zoo_create(s->zh, "/c-expiring", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0));
    struct session *watching = connect_to(direct, 8000);
    ask("down");
    for (int i = 0; i < 100 && zoo_exists(watching->zh, "/c-expiring", 0, NULL) == ZOK; i++) usleep(100000);
    RC(zoo_exists(watching->zh, "/c-expiring", 0, NULL), ZNONODE);
    ask("up");
    await_state(s, ZOO_EXPIRED_SESSION_STATE);
    RC(zoo_exists(s->zh, "/", 0, NULL), ZINVALIDSTATE);
    close_session(s);
    close_session(watching);
    await_state(zk, ZOO_CONNECTED_STATE);
}

static const struct {
    const char *feature, *name;
    void (*body)(void);
} checks[] = {
    {"session", "grants the timeout asked for, within the server's limits", negotiates},
    {"session", "a session is taken over by its id and password", takes_over},
    {"session", "a wrong password gets an expired session", wrong_password},
    {"session", "closing removes the session's ephemeral nodes", close_removes},
    {"create", "persistent, ephemeral, sequential, with stat; what is refused", creates},
    {"create", "a container goes away after its last child", container},
    {"create", "a node with a TTL goes away", ttl},
    {"create", "absent data is not empty data", null_data},
    {"data", "get, set, delete, with versions", gets_and_sets},
    {"data", "children, without and with stat", children},
    {"sync", "another client's write is read after it", syncs},
    {"acl", "world: what isn't granted is refused", acl_world},
    {"acl", "digest and auth; get and set", acl_digest},
    {"acl", "ip and super", acl_ip_and_super},
    {"acl", "an unknown authentication scheme fails the session", acl_bad_scheme},
    {"multi", "creates, sets, and checks as one", multi_commits},
    {"multi", "one failure undoes all and is named", multi_refuses},
    {"watch", "exists, data, children", watches},
    {"watch", "removal of a watch", remove_watches},
    {"big", "a million bytes", big},
    {"unicode", "paths of any script in the basic plane", unicode},
    {"words", "ruok, srvr, mntr", words},
    {"config", "getconfig is empty, reconfig refused as disabled", config},
    {"reconnect", "the session, its ephemeral nodes and watches are kept", reconnects},
    {"restart", "an orderly restart keeps session, ephemeral nodes, watches", restart},
    {"restart", "a kill keeps session, ephemeral nodes, watches", killed},
    {"expiry", "a session that isn't heard of expires, with its ephemeral nodes", expires},
};

int main(int argc, char **argv) {
    int count = sizeof checks / sizeof *checks;
    volatile int bad = 0;
    if (argc != 3) return 2;
    main_process = getpid();
    port = atoi(argv[1]);
    snprintf(hosts, sizeof hosts, "127.0.0.1:%s", argv[1]);
    snprintf(direct, sizeof direct, "127.0.0.1:%s", argv[2]);
    zoo_set_debug_level(0);
    printf("1..%d\n", count);
    if (setjmp(failed)) {
        fprintf(stderr, "no connection: %s\n", why);
        return 2;
    }
    zk = connected(8000);
    other = connected(8000);
    for (volatile int i = 0; i < count; i++) {
        if (setjmp(failed) == 0) {
            checks[i].body();
            printf("ok %d - %s: %s\n", i + 1, checks[i].feature, checks[i].name);
        } else {
            bad++;
            printf("not ok %d - %s: %s\n# %s\n", i + 1, checks[i].feature, checks[i].name, why);
        }
        fflush(stdout);
    }
    return bad ? 1 : 0;
}
