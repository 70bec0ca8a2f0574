// Checks of the server through go-zookeeper. Arguments: the port of the relay to the server, and the server's own.
// They are told in the Test Anything Protocol; a line that begins with @ has the caller do something to the connection
// or to the server (cut, down, up, restart, kill) and waits for its answer.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/samuel/go-zookeeper/zk"
)

var (
	hosts, direct []string
	conn, other   *session
	input         = bufio.NewReader(os.Stdin)
	open          = zk.WorldACL(zk.PermAll)
)

// A session is a connection with the states it went through.
type session struct {
	*zk.Conn
	mutex  sync.Mutex
	states []zk.State
}

type quiet struct{}

func (quiet) Printf(string, ...interface{}) {}

func connectTo(servers []string, timeout time.Duration) *session {
	it := &session{}
	heard := zk.WithEventCallback(func(event zk.Event) {
		if event.Type == zk.EventSession {
			it.mutex.Lock()
			it.states = append(it.states, event.State)
			it.mutex.Unlock()
		}
	})
	connection, _, err := zk.Connect(servers, timeout, zk.WithLogger(quiet{}), heard)
	ok(err)
	it.Conn = connection
	it.await(zk.StateHasSession)
	return it
}

func connect(timeout time.Duration) *session { return connectTo(hosts, timeout) }

func (it *session) seen() []zk.State {
	it.mutex.Lock()
	defer it.mutex.Unlock()
	return append([]zk.State{}, it.states...)
}

func (it *session) forget() {
	it.mutex.Lock()
	defer it.mutex.Unlock()
	it.states = nil
}

func (it *session) await(state zk.State) {
	eventually(fmt.Sprint("state ", state), func() bool {
		for _, seen := range it.seen() {
			if seen == state {
				return true
			}
		}
		return false
	})
}

// lose loses the connection and waits until it is back.
func (it *session) lose(how string) {
	it.forget()
	ask(how)
	it.await(zk.StateDisconnected)
	it.await(zk.StateHasSession)
	for _, state := range it.seen() {
		that(state != zk.StateExpired, "the session expired")
	}
}

func ask(request string) {
	fmt.Println("@" + request)
	answer, err := input.ReadString('\n')
	that(err == nil && answer == "done\n", "the request wasn't done: "+answer)
}

func that(condition bool, what string) {
	if !condition {
		panic(what)
	}
}

func ok(err error) { fails(err, nil) }

func fails(err, expected error) {
	if err != expected {
		panic(fmt.Sprintf("the error is %v, not %v", err, expected))
	}
}

func equal(actual, expected interface{}) {
	if !reflect.DeepEqual(actual, expected) {
		panic(fmt.Sprintf("%v is not %v", actual, expected))
	}
}

func eventually(what string, condition func() bool) {
	for end := time.Now().Add(20 * time.Second); !condition(); time.Sleep(10 * time.Millisecond) {
		that(time.Now().Before(end), what+" didn't come about")
	}
}

func event(events <-chan zk.Event, kind zk.EventType, path string) {
	select {
	case got := <-events:
		that(got.Type == kind && got.Path == path, fmt.Sprintf("the event is %v of %s (%v)", got.Type, got.Path, got.Err))
	case <-time.After(10 * time.Second):
		panic(fmt.Sprintf("no event: %v of %s", kind, path))
	}
}

func create(path string) {
	_, err := conn.Create(path, nil, 0, open)
	ok(err)
}

type check struct {
	feature, name string
	body          func()
}

var checks = []check{
	{"session", "connects, and closing removes the session's ephemeral nodes", func() {
		it := connect(5 * time.Second)
		that(it.SessionID() != 0, "no id")
		_, err := it.Create("/go-closing", nil, zk.FlagEphemeral, open)
		ok(err)
		there, _, _ := conn.Exists("/go-closing")
		that(there, "the node isn't there")
		it.Close()
		eventually("the node's removal", func() bool {
			there, _, _ := conn.Exists("/go-closing")
			return !there
		})
	}},
	{"create", "persistent, ephemeral, sequential, protected; what is refused", func() {
		create("/go-create")
		_, err := conn.Create("/go-create", nil, 0, open)
		fails(err, zk.ErrNodeExists)
		_, err = conn.Create("/go-create/no/parent", nil, 0, open)
		fails(err, zk.ErrNoNode)
		path, err := conn.Create("/go-create/e-", nil, zk.FlagEphemeral|zk.FlagSequence, open)
		ok(err)
		equal(path, "/go-create/e-0000000000")
		_, stat, err := conn.Exists(path)
		ok(err)
		equal(stat.EphemeralOwner, conn.SessionID())
		_, err = conn.Create(path+"/child", nil, 0, open)
		fails(err, zk.ErrNoChildrenForEphemerals)
		path, err = conn.CreateProtectedEphemeralSequential("/go-create/p-", nil, open)
		ok(err)
		that(regexp.MustCompile(`^/go-create/_c_[0-9a-f]{32}-p-0000000001$`).MatchString(path), path)
	}},
	{"data", "get, set, versions, children, delete", func() {
		create("/go-data")
		stat, err := conn.Set("/go-data", []byte("two"), 0)
		ok(err)
		equal(stat.Version, int32(1))
		_, err = conn.Set("/go-data", nil, 0)
		fails(err, zk.ErrBadVersion)
		data, again, err := conn.Get("/go-data")
		ok(err)
		equal(data, []byte("two"))
		equal(again, stat)
		create("/go-data/b")
		create("/go-data/a")
		names, stat, err := conn.Children("/go-data")
		ok(err)
		sort.Strings(names)
		equal(names, []string{"a", "b"})
		equal(stat.NumChildren, int32(2))
		fails(conn.Delete("/go-data", -1), zk.ErrNotEmpty)
		fails(conn.Delete("/go-data/a", 3), zk.ErrBadVersion)
		ok(conn.Delete("/go-data/a", 0))
		_, _, err = conn.Get("/go-data/a")
		fails(err, zk.ErrNoNode)
	}},
	{"data", "a thousand requests at once, from many goroutines", func() {
		create("/go-many")
		var group sync.WaitGroup
		errors := make(chan error, 1000)
		for i := 0; i < 1000; i++ {
			group.Add(1)
			go func(i int) {
				defer group.Done()
				path := fmt.Sprintf("/go-many/%d", i)
				_, err := conn.Create(path, []byte(path), 0, open)
				if data, _, err := conn.Get(path); err == nil && string(data) != path {
					errors <- fmt.Errorf("%s holds %s", path, data)
				}
				if err != nil {
					errors <- err
				}
			}(i)
		}
		group.Wait()
		equal(len(errors), 0)
		names, _, err := conn.Children("/go-many")
		ok(err)
		equal(len(names), 1000)
	}},
	{"acl", "world, digest, auth; get and set", func() {
		create("/go-acl")
		_, err := conn.Create("/go-acl/r", nil, 0, zk.WorldACL(zk.PermRead))
		ok(err)
		_, err = conn.Set("/go-acl/r", nil, -1)
		fails(err, zk.ErrNoAuth)
		_, err = conn.Create("/go-acl/digest", []byte("x"), 0, zk.DigestACL(zk.PermAll, "user", "secret"))
		ok(err)
		_, _, err = conn.Get("/go-acl/digest")
		fails(err, zk.ErrNoAuth)
		it := connect(8 * time.Second)
		_, err = it.Create("/go-acl/auth", nil, 0, zk.AuthACL(zk.PermAll))
		fails(err, zk.ErrInvalidACL)
		ok(it.AddAuth("digest", []byte("user:secret")))
		_, _, err = it.Get("/go-acl/digest")
		ok(err)
		_, err = it.Create("/go-acl/auth", nil, 0, zk.AuthACL(zk.PermAll))
		ok(err)
		acl, stat, err := it.GetACL("/go-acl/auth")
		ok(err)
		equal(acl, zk.DigestACL(zk.PermAll, "user", "secret"))
		equal(stat.Aversion, int32(0))
		stat, err = it.SetACL("/go-acl/auth", open, 0)
		ok(err)
		equal(stat.Aversion, int32(1))
		it.lose("cut")
		_, _, err = it.Get("/go-acl/digest")
		ok(err)
		it.Close()
	}},
	{"multi", "a transaction, committed and refused", func() {
		create("/go-multi")
		results, err := conn.Multi(
			&zk.CreateRequest{Path: "/go-multi/a", Data: []byte("1"), Acl: open},
			&zk.CreateRequest{Path: "/go-multi/s-", Acl: open, Flags: zk.FlagSequence},
			&zk.SetDataRequest{Path: "/go-multi/a", Data: []byte("2"), Version: 0},
			&zk.CheckVersionRequest{Path: "/go-multi/a", Version: 1},
		)
		ok(err)
		equal(results[1].String, "/go-multi/s-0000000001")
		equal(results[2].Stat.Version, int32(1))
		results, err = conn.Multi(
			&zk.DeleteRequest{Path: "/go-multi/a", Version: -1},
			&zk.CheckVersionRequest{Path: "/go-multi/s-0000000001", Version: 9},
		)
		that(err == zk.ErrBadVersion || (len(results) == 2 && results[1].Error == zk.ErrBadVersion), fmt.Sprint(err, results))
		there, _, err := conn.Exists("/go-multi/a")
		that(there && err == nil, "the node was deleted")
	}},
	{"sync", "another client's write is read after it", func() {
		_, err := other.Set("/go-multi", []byte("new"), -1)
		ok(err)
		path, err := conn.Sync("/go-multi")
		ok(err)
		equal(path, "/go-multi")
		data, _, err := conn.Get("/go-multi")
		ok(err)
		equal(data, []byte("new"))
	}},
	{"watch", "exists, data, children", func() {
		there, _, events, err := conn.ExistsW("/go-watch")
		that(!there && err == nil, "it exists")
		_, err = other.Create("/go-watch", nil, 0, open)
		ok(err)
		event(events, zk.EventNodeCreated, "/go-watch")
		_, _, events, err = conn.GetW("/go-watch")
		ok(err)
		_, err = other.Set("/go-watch", nil, -1)
		ok(err)
		event(events, zk.EventNodeDataChanged, "/go-watch")
		_, _, events, err = conn.ChildrenW("/go-watch")
		ok(err)
		_, err = other.Create("/go-watch/c", nil, 0, open)
		ok(err)
		event(events, zk.EventNodeChildrenChanged, "/go-watch")
		_, _, events, err = conn.ExistsW("/go-watch/c")
		ok(err)
		ok(other.Delete("/go-watch/c", -1))
		event(events, zk.EventNodeDeleted, "/go-watch/c")
	}},
	{"words", "ruok and cons, as the client reads them", func() {
		equal(zk.FLWRuok(hosts, 5*time.Second), []bool{true})
		servers, _ := zk.FLWCons(hosts, 5*time.Second)
		found := false
		for _, client := range servers[0].Clients {
			found = found || client.SessionID == conn.SessionID()
		}
		that(found, "the session isn't among those of cons")
	}},
	{"big", "a million bytes", func() {
		value := bytes.Repeat([]byte("0123456789"), 100000)
		_, err := conn.Create("/go-big", value, 0, open)
		ok(err)
		data, _, err := conn.Get("/go-big")
		ok(err)
		that(bytes.Equal(data, value), "another value came back")
	}},
	{"unicode", "paths of any script in the basic plane", func() {
		create("/go-unicode")
		create("/go-unicode/данные-データ-ñ")
		names, _, err := conn.Children("/go-unicode")
		ok(err)
		equal(names, []string{"данные-データ-ñ"})
	}},
	{"recipes", "Lock: one holder, handed on", func() {
		first, second := zk.NewLock(conn.Conn, "/go-lock", open), zk.NewLock(other.Conn, "/go-lock", open)
		ok(first.Lock())
		got := make(chan error)
		go func() { got <- second.Lock() }()
		eventually("two in line", func() bool {
			names, _, _ := conn.Children("/go-lock")
			return len(names) == 2
		})
		select {
		case <-got:
			panic("two hold the lock")
		default:
		}
		ok(first.Unlock())
		ok(<-got)
		ok(second.Unlock())
	}},
	{"reconnect", "the session, its ephemeral nodes and watches are kept", func() {
		create("/go-again")
		id := conn.SessionID()
		_, err := conn.Create("/go-again/mine", nil, zk.FlagEphemeral, open)
		ok(err)
		_, _, data, err := conn.GetW("/go-again/mine")
		ok(err)
		_, _, children, err := conn.ChildrenW("/go-again")
		ok(err)
		conn.lose("cut")
		equal(conn.SessionID(), id)
		_, err = conn.Set("/go-again/mine", nil, -1)
		ok(err)
		event(data, zk.EventNodeDataChanged, "/go-again/mine")
		create("/go-again/new")
		event(children, zk.EventNodeChildrenChanged, "/go-again")
	}},
	{"restart", "an orderly restart keeps session, ephemeral nodes, watches", func() { survives("restart") }},
	{"restart", "a kill keeps session, ephemeral nodes, watches", func() { survives("kill") }},
	{"expiry", "a session that isn't heard of expires, with its ephemeral nodes", func() {
		it, watching := connect(3*time.Second), connectTo(direct, 8*time.Second)
		id := it.SessionID()
		_, err := it.Create("/go-expiring", nil, zk.FlagEphemeral, open)
		ok(err)
		ask("down")
		eventually("the node's removal", func() bool {
			there, _, err := watching.Exists("/go-expiring")
			return err == nil && !there
		})
		ask("up")
		it.await(zk.StateExpired)
		eventually("a new session", func() bool { return it.SessionID() != 0 && it.SessionID() != id })
		it.Close()
		watching.Close()
	}},
}

func survives(how string) {
	path := "/go-" + how
	id := conn.SessionID()
	_, err := conn.Create(path, []byte("kept"), zk.FlagEphemeral, open)
	ok(err)
	_, _, events, err := conn.GetW(path)
	ok(err)
	conn.lose(how)
	equal(conn.SessionID(), id)
	data, stat, err := conn.Get(path)
	ok(err)
	equal(data, []byte("kept"))
	equal(stat.EphemeralOwner, id)
	_, err = conn.Set(path, nil, -1)
	ok(err)
	event(events, zk.EventNodeDataChanged, path)
}

// run runs the check, and returns why it failed, or nothing.
func run(it check) (why string) {
	defer func() {
		if reason := recover(); reason != nil {
			why = strings.Replace(fmt.Sprint(reason), "\n", " ", -1)
		}
	}()
	it.body()
	return ""
}

func main() {
	hosts, direct = []string{"127.0.0.1:" + os.Args[1]}, []string{"127.0.0.1:" + os.Args[2]}
	fmt.Printf("1..%d\n", len(checks))
	conn, other = connect(8*time.Second), connect(8*time.Second)
	failed := 0
	for i, it := range checks {
		why := run(it)
		if why == "" {
			fmt.Printf("ok %d - %s: %s\n", i+1, it.feature, it.name)
		} else {
			failed = 1
			fmt.Printf("not ok %d - %s: %s\n# %s\n", i+1, it.feature, it.name, why)
		}
	}
	os.Exit(failed)
}
