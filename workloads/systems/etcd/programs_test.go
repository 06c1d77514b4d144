//go:build unix

package etcd

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"squall/internal/machinetest"
	"squall/workloads/systems"
	"squall/workloads/systems/programtest"
)

// server is a cluster of one node on an address of this computer that nobody else has.
type server struct {
	*programtest.Server
	addr netip.Addr
}

func newServer(t *testing.T, version string) *server {
	t.Helper()
	addr := machinetest.Address()
	node := systems.Node{ID: 1, Name: "n1", Addr: addr}
	start, err := System{}.Server(node, systems.Cluster{Nodes: []systems.Node{node}}, args(t, "fsync=false heartbeat=10ms election=50ms"))
	if err != nil {
		t.Fatal(err)
	}
	argv := strings.Fields(strings.Replace(strings.Join(start.Argv, " "), dataDir, t.TempDir(), 1))
	argv[0] = programtest.Built(t, serverBuild(version))
	return &server{programtest.StartServer(t, argv), addr}
}

func newClient(t *testing.T, workload string, flags ...string) *programtest.Client {
	t.Helper()
	build, err := clientBuild()
	if err != nil {
		t.Fatal(err)
	}
	return programtest.StartClient(t, workload, append([]string{programtest.Built(t, build)}, flags...)...)
}

// TestTheClientOnAServer has the client do the work of every workload on a real server,
// of the oldest and the newest version.
func TestTheClientOnAServer(t *testing.T) {
	machinetest.NeedWhole(t, "it builds two versions of etcd; the storms on etcd use the newest")
	for _, version := range []string{"3.5.0", "3.7.3"} {
		t.Run(version, func(t *testing.T) {
			s := newServer(t, version)
			for workload, steps := range map[string][][2]string{
				"register": {
					{`"f":"read","key":"r0"`, `null`},
					{`"f":"cas","key":"r0","in":["1","2"]`, `{"found":null}`},
					{`"f":"cas","key":"r0","in":[null,"1"]`, `true`},
					{`"f":"cas","key":"r0","in":[null,"2"]`, `{"found":"1"}`},
					{`"f":"write","key":"r0","in":"é\""`, `"1"`},
					{`"f":"write","key":"r0","in":"2"`, `"é\""`},
					{`"f":"read","key":"r0"`, `"2"`},
					{`"f":"delete","key":"r0"`, ``},
					{`"f":"read","key":"r0"`, `null`},
					{`"f":"write","key":"r0","in":""`, `null`},
					{`"f":"write","key":"r0","in":"3"`, `""`},
				},
				"set": {
					{`"f":"read","key":"s1"`, `[]`},
					{`"f":"add","key":"s1","in":"b"`, ``},
					{`"f":"add","key":"s1","in":"a"`, ``},
					{`"f":"add","key":"s10","in":"c"`, ``},
					{`"f":"read","key":"s1"`, `["a","b"]`},
				},
				"append": {
					{`"f":"txn","in":[["append","l0","2"],["r","l0",null],["append","l1","3"],["append","l0","1"]]`, `[["append","l0","2"],["r","l0",["2"]],["append","l1","3"],["append","l0","1"]]`},
					{`"f":"txn","in":[["append","l0","0"]]`, `[["append","l0","0"]]`},
					{`"f":"read","in":[["r","l0",null],["r","l1",null],["r","l2",null]]`, `[["r","l0",["2","1","0"]],["r","l1",["3"]],["r","l2",[]]]`},
				},
				"rw": {
					{`"f":"read","in":[["r","a",null],["r","b",null]]`, `[["r","a",null],["r","b",null]]`},
					{`"f":"txn","in":[["w","a","1"],["r","a",null],["w","a","2"],["r","a",null],["r","b",null],["w","b","3"],["w","a","é"],["r","b",null]]`,
						`[["w","a","1"],["r","a","1"],["w","a","2"],["r","a","2"],["r","b",null],["w","b","3"],["w","a","é"],["r","b","3"]]`},
					{`"f":"read","in":[["r","a",null],["r","b",null]]`, `[["r","a","é"],["r","b","3"]]`},
				},
				"bank": {
					{`"f":"read","in":{"accounts":3,"each":10}`, `[10,10,10]`},
					{`"f":"transfer","in":{"from":0,"to":2,"amount":4,"bank":{"accounts":3,"each":10}}`, ``},
					{`"f":"read","in":{"accounts":3,"each":10}`, `[6,10,14]`},
					{`"f":"transfer","in":{"from":0,"to":1,"amount":7,"bank":{"accounts":3,"each":10,"overdraw":true}}`, ``},
					{`"f":"read","in":{"accounts":3,"each":10}`, `[-1,17,14]`},
				},
				"counter": {
					{`"f":"read","key":"c"`, `0`},
					{`"f":"add","key":"c","in":3`, ``},
					{`"f":"add","key":"c","in":-5`, ``},
					{`"f":"read","key":"c"`, `-2`},
				},
				"monotonic": {
					{`"f":"read","key":"m"`, `0`},
					{`"f":"increase","key":"m"`, `1`},
					{`"f":"increase","key":"m"`, `2`},
					{`"f":"read","key":"m"`, `2`},
				},
				"fifo-queue": {
					{`"f":"dequeue","key":"q1"`, `null`},
					{`"f":"enqueue","key":"q1","in":"b"`, ``},
					{`"f":"enqueue","key":"q10","in":"c"`, ``},
					{`"f":"enqueue","key":"q1","in":"a"`, ``},
					{`"f":"dequeue","key":"q1"`, `"b"`},
					{`"f":"dequeue","key":"q1"`, `"a"`},
					{`"f":"dequeue","key":"q1"`, `null`},
				},
				"lock": {
					{`"f":"acquire","key":"k","in":"c1"`, `!`},
					{`"f":"acquire","key":"k","in":"c2"`, `"c1"`},
					{`"f":"release","key":"k","in":["c2",1]`, `false`},
				},
			} {
				c := newClient(t, workload)
				c.Opens(s.addr, 1, steps[0][0])
				c.Carries(steps[1:]) // the first was asked for before
			}
			overdrawn := newClient(t, "bank")
			overdrawn.Opens(s.addr, 1, `"f":"read","in":{"accounts":3,"each":10}`)
			if got := overdrawn.Asks(`"conn":1,"f":"transfer","in":{"from":1,"to":2,"amount":18,"bank":{"accounts":3,"each":10}}`); got.Type != "fail" || got.Lost {
				t.Errorf("a transfer of what the account does not hold is answered %+v", got)
			}
		})
	}
}

// TestTransactionsOfEveryKind: they answer alike while nobody else is there.
func TestTransactionsOfEveryKind(t *testing.T) {
	machinetest.NeedWhole(t, "it builds etcd; the storms on etcd use all three")
	for _, kind := range []string{"whole", "compared", "unchecked"} {
		t.Run(kind, func(t *testing.T) {
			s := newServer(t, "3.7.3")
			for workload, steps := range map[string][][2]string{
				"mini": {
					{`"f":"read","in":[["r","a",null]]`, `[["r","a",null]]`},
					{`"f":"txn","in":[["w","a","1"],["w","b","1"],["r","a",null],["w","a","2"]]`, `[["w","a","1"],["w","b","1"],["r","a","1"],["w","a","2"]]`},
					{`"f":"txn","in":[["r","a",null],["r","b",null],["w","a","3"],["r","a",null]]`, `[["r","a","2"],["r","b","1"],["w","a","3"],["r","a","3"]]`},
					{`"f":"read","in":[["r","a",null],["r","b",null]]`, `[["r","a","3"],["r","b","1"]]`},
				},
				"append": {
					{`"f":"read","in":[["r","l0",null]]`, `[["r","l0",[]]]`},
					{`"f":"txn","in":[["append","l0","2"],["r","l0",null],["append","l1","3"],["append","l0","1"]]`, `[["append","l0","2"],["r","l0",["2"]],["append","l1","3"],["append","l0","1"]]`},
					{`"f":"txn","in":[["append","l0","0"]]`, `[["append","l0","0"]]`},
					{`"f":"read","in":[["r","l0",null],["r","l1",null],["r","l2",null]]`, `[["r","l0",["2","1","0"]],["r","l1",["3"]],["r","l2",[]]]`},
				},
				"monotonic": {
					{`"f":"read","key":"m"`, `0`},
					{`"f":"increase","key":"m"`, `1`},
					{`"f":"increase","key":"m"`, `2`},
					{`"f":"read","key":"m"`, `2`},
				},
				"lock": {
					{`"f":"acquire","key":"k","in":"c1"`, `!`},
					{`"f":"acquire","key":"k","in":"c2"`, `"c1"`},
					{`"f":"release","key":"k","in":["c2",1]`, `false`},
				},
			} {
				c := newClient(t, workload, "-transactions", kind)
				c.Opens(s.addr, 1, steps[0][0])
				c.Carries(steps[1:])
			}
		})
	}
}

// TestUpdatesThatMeet: of clients that read and write what they have read, all at once, none
// is lost while what was read is compared; each id is given once.
func TestUpdatesThatMeet(t *testing.T) {
	machinetest.NeedWhole(t, "it builds etcd; the storms on etcd have more of them")
	s := newServer(t, "3.7.3")
	c := newClient(t, "counter")
	c.Opens(s.addr, 1, `"f":"read","key":"c"`)
	const clients, each = 8, 20
	added := int64(0)
	for range each {
		for _, got := range c.AsksAtOnce(clients, `"conn":1,"f":"add","key":"c","in":1`) {
			switch got.Type {
			case "ok":
				added++
			case "info":
				t.Fatalf("an add is answered %+v", got)
			}
		}
	}
	queue := newClient(t, "queue")
	queue.Opens(s.addr, 1, `"f":"dequeue","key":"q"`)
	taken := map[string]int{}
	for i := range each {
		queue.Carries([][2]string{{fmt.Sprintf(`"f":"enqueue","key":"q","in":"%d"`, i), ``}})
		for _, got := range queue.AsksAtOnce(clients, `"conn":1,"f":"dequeue","key":"q"`) {
			if got.Type != "ok" {
				t.Fatalf("a dequeue is answered %+v", got)
			}
			taken[string(got.Out)]++
		}
		if n := taken[fmt.Sprintf(`"%d"`, i)]; n != 1 {
			t.Errorf("value %d was taken %d times", i, n)
		}
	}
	if got := c.Asks(`"conn":1,"f":"read","key":"c"`); string(got.Out) != strconv.FormatInt(added, 10) || added == 0 {
		t.Errorf("the counter stands at %s, after %d adds", got.Out, added)
	}
}

// TestWhatTheClientKnowsOfErrors: what was never sent has failed, and of what was sent and
// not answered nothing is known.
func TestWhatTheClientKnowsOfErrors(t *testing.T) {
	machinetest.NeedWhole(t, "it builds etcd; the storms on etcd count on it")
	s := newServer(t, "3.7.3")
	c := newClient(t, "register")
	const read, write = `"f":"read","key":"k"`, `"f":"write","key":"k","in":"1"`
	c.Opens(s.addr, 1, write)
	if got := c.Asks(`"do":"leader","conn":1`); string(got.Out) != `"n1"` {
		t.Errorf("who leads is answered %+v", got)
	}
	if got := c.Asks(`"do":"members","conn":1`); string(got.Out) != `{"voters":["n1"]}` {
		t.Errorf("who the members are is answered %+v", got)
	}
	var at int64
	if got := c.Asks(`"do":"replica","conn":1`); json.Unmarshal(got.Out, &at) != nil || at < 2 {
		t.Errorf("how far it has come is answered %+v", got)
	}
	if got := c.Asks(`"do":"replica","conn":1,"at":%d`, at); !strings.HasPrefix(string(got.Out), fmt.Sprintf(`{"at":%d,"digest":"`, at)) {
		t.Errorf("its copy is answered %+v", got)
	}
	if got := c.Asks(`"do":"replica","conn":1,"at":%d`, at+100); got.Type != "fail" {
		t.Errorf("a copy of the future is answered %+v", got)
	}
	if got := c.Asks(`"conn":1,"f":"write","key":"k","in":%q`, strings.Repeat("x", 1_000_000)); got.Type != "ok" {
		t.Errorf("a large write is answered %+v", got)
	}
	if got := c.Asks(`"conn":1,"f":"write","key":"","in":"1"`); got.Type != "fail" || got.Lost {
		t.Errorf("what etcd refuses is answered %+v, want a fail", got)
	}
	s.Stop(t)
	if got := c.Asks(`"conn":1,%s`, write); got.Type != "info" {
		t.Errorf("a write to a node that stands still is answered %+v, want info", got)
	}
	if got := c.Asks(`"conn":1,%s`, read); got.Type != "fail" {
		t.Errorf("a read from a node that stands still is answered %+v, want fail", got)
	}
	s.Continue()
	s.Kill()
	for { // the connection takes notice
		got := c.Asks(`"conn":1,%s`, write)
		if got.Lost && got.Type == "fail" {
			break
		}
		if got.Type == "ok" {
			t.Fatal("a server that was killed acknowledges a write")
		}
	}
	if got := c.Asks(`"do":"open","conn":2,"node":"n1","addr":%q`, s.addr); got.Type != "fail" || got.Error != "connection refused" || !got.Lost {
		t.Errorf("a connection to a server that is down is answered %+v", got)
	}
}

// TestALeaseThatEnds: a lock is another's when its lease has ended, which nobody keeps
// alive whose connection is closed.
func TestALeaseThatEnds(t *testing.T) {
	machinetest.NeedWhole(t, "it builds etcd")
	s := newServer(t, "3.7.3")
	c := newClient(t, "lock", "-lease", "2s")
	c.Opens(s.addr, 1, `"f":"acquire","key":"k","in":"c1"`)
	c.Opens(s.addr, 2, `"f":"acquire","key":"other","in":"c2"`)
	if got := c.Asks(`"conn":2,"f":"acquire","key":"k","in":"c2"`); string(got.Out) != `"c1"` {
		t.Errorf("a lock that is held is answered %+v", got)
	}
	c.Tell(`{"do":"close","conn":1}`)
	for {
		got := c.Asks(`"conn":2,"f":"acquire","key":"k","in":"c2"`)
		if got.Type != "ok" {
			t.Fatalf("it is answered %+v", got)
		}
		if string(got.Out) != `"c1"` { // a token
			break
		}
	}
}

// TestTheClientWatches: a watcher goes on where it was, goes back, and is told how far the
// store has come where nothing happens.
func TestTheClientWatches(t *testing.T) {
	machinetest.NeedWhole(t, "it builds etcd; the storms on etcd watch it")
	for _, streams := range []string{"own", "shared"} {
		t.Run(streams, func(t *testing.T) {
			s := newServer(t, "3.7.3")
			c := newClient(t, "watch", "-watch-streams", streams)
			const wait = `"most":100,"waitMs":200}`
			c.Opens(s.addr, 1, `"f":"watch","key":"w/","in":{"as":"c0","from":1,`+wait)
			c.Carries([][2]string{
				{`"f":"write","key":"w/1","in":"é\""`, `2`},
				{`"f":"txn","in":[["w/1","6"],["x","8"],["w/2","7"]]`, `3`},
				{`"f":"watch","key":"w/","in":{"as":"c1","from":1,` + wait, `{"next":4,"events":[[2,"w/1","é\""],[3,"w/1","6"],[3,"w/2","7"]]}`},
				{`"f":"watch","key":"w/","in":{"as":"c1","from":4,` + wait, `{"next":4,"events":[]}`},
				{`"f":"write","key":"x","in":"9"`, `4`},
				{`"f":"watch","key":"w/","in":{"as":"c1","from":4,` + wait, `{"next":5,"events":[]}`},
				{`"f":"watch","key":"w/","in":{"as":"c1","from":3,` + wait, `{"next":4,"events":[[3,"w/1","6"],[3,"w/2","7"]]}`},
				{`"f":"watch","key":"w/","in":{"as":"c2","from":2,"until":2,` + wait, `{"next":3,"events":[[2,"w/1","é\""]]}`},
				{`"f":"watch","key":"w/2","in":{"as":"c3","from":1,"until":4,` + wait, `{"next":5,"events":[[3,"w/2","7"]]}`},
				{`"f":"watch","key":"w/","in":{"as":"c4","from":1,"most":1,"until":9,"waitMs":200}`, `{"next":4,"events":[[2,"w/1","é\""],[3,"w/1","6"],[3,"w/2","7"]]}`},
			})
			if got := c.Asks(`"conn":1,"f":"watch","key":"w/","in":{"as":"c5","from":1,"most":100,"until":99,"waitMs":50}`); got.Type != "fail" {
				t.Errorf("a revision that is not there yet is answered %+v", got)
			}
		})
	}
}
