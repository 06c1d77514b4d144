package etcd

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"squall/internal/machinetest"
	"squall/nodeimage/files"
	"squall/nodeimage/programs"
	"squall/workloads/systems"
)

// built is a program, from the user's cache of squall where it is there.
func built(t *testing.T, b *files.Build) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	path, err := programs.Builder{Cache: filepath.Join(cache, "squall")}.Make(t.Context(), b, runtime.GOARCH, func() { t.Log("building " + b.Name) })
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// server is a cluster of one node on an address of this computer that nobody else has.
type server struct {
	addr netip.Addr
	argv []string
	cmd  *exec.Cmd
}

func newServer(t *testing.T, version string) *server {
	t.Helper()
	s := &server{addr: netip.AddrFrom4([4]byte{127, byte(1 + rand.IntN(250)), byte(rand.IntN(250)), byte(1 + rand.IntN(250))})}
	node := systems.Node{ID: 1, Name: "n1", Addr: s.addr}
	start, err := System{}.Server(node, systems.Cluster{Nodes: []systems.Node{node}}, args(t, "fsync=false heartbeat=10ms election=50ms"))
	if err != nil {
		t.Fatal(err)
	}
	s.argv = strings.Fields(strings.Replace(strings.Join(start.Argv, " "), dataDir, t.TempDir(), 1))
	s.argv[0] = built(t, serverBuild(version))
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

func (s *server) start(t *testing.T) {
	t.Helper()
	s.cmd = exec.Command(s.argv[0], s.argv[1:]...)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

func (s *server) signal(sig syscall.Signal) { _ = s.cmd.Process.Signal(sig) }

func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// client is the client program under way.
type client struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
	id  int
}

// answer is what it says.
type answer struct {
	ID          int
	Type, Error string
	Out         json.RawMessage
	Lost        bool
}

func newClient(t *testing.T, workload string, flags ...string) *client {
	t.Helper()
	build, err := clientBuild()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), built(t, build), flags...)
	cmd.Stderr = t.Output()
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if inErr != nil || outErr != nil {
		t.Fatal(inErr, outErr)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	c := &client{t: t, in: in, out: bufio.NewScanner(out)}
	fmt.Fprintf(in, `{"squall":1,"workload":%q,"timeoutMs":300}`+"\n", workload)
	if !c.out.Scan() || c.out.Text() != `{"squall":1}` {
		t.Fatalf("it begins with %q", c.out.Text())
	}
	return c
}

// asks makes a request and returns its answer.
func (c *client) asks(format string, values ...any) answer {
	c.t.Helper()
	c.id++
	if _, err := fmt.Fprintf(c.in, `{"id":%d,%s}`+"\n", c.id, fmt.Sprintf(format, values...)); err != nil {
		c.t.Fatal(err)
	}
	var a answer
	if !c.out.Scan() {
		c.t.Fatal("it has ended")
	}
	if err := json.Unmarshal(c.out.Bytes(), &a); err != nil || a.ID != c.id {
		c.t.Fatalf("it answers %s, %v", c.out.Bytes(), err)
	}
	return a
}

// opens connects and gets an operation done, as soon as the server listens and serves.
func (c *client) opens(s *server, conn int, probe string) {
	c.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		a := c.asks(`"do":"open","conn":%d,"node":"n1","addr":%q`, conn, s.addr)
		for a.Type == "ok" {
			if a = c.asks(`"conn":%d,%s`, conn, probe); a.Type == "ok" {
				return
			} else if !a.Lost {
				a.Type = "ok" // it may yet serve
			}
			if time.Now().After(deadline) {
				break
			}
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("the server does not serve: the last answer is %+v", a)
		}
		fmt.Fprintf(c.in, `{"do":"close","conn":%d}`+"\n", conn)
	}
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
					{`"f":"write","key":"r0","in":"é\""`, ``},
					{`"f":"read","key":"r0"`, `"é\""`},
					{`"f":"delete","key":"r0"`, ``},
					{`"f":"read","key":"r0"`, `null`},
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
				"lock": {
					{`"f":"acquire","key":"k","in":"c1"`, `!`},
					{`"f":"acquire","key":"k","in":"c2"`, `"c1"`},
					{`"f":"release","key":"k","in":["c2",1]`, `false`},
				},
			} {
				c := newClient(t, workload)
				c.opens(s, 1, steps[0][0])
				for i, step := range steps[1:] { // the first was asked for by opens
					if got := c.asks(`"conn":1,%s`, step[0]); got.Type != "ok" || string(got.Out) != step[1] {
						t.Errorf("%s %d: %s is answered %+v, want %s", workload, i, step[0], got, step[1])
					}
				}
			}
		})
	}
}

// TestWhatTheClientKnowsOfErrors: what was never sent has failed, and of what was sent and
// not answered nothing is known.
func TestWhatTheClientKnowsOfErrors(t *testing.T) {
	machinetest.NeedWhole(t, "it builds etcd; the storms on etcd count on it")
	s := newServer(t, "3.7.3")
	c := newClient(t, "register")
	const read, write = `"f":"read","key":"k"`, `"f":"write","key":"k","in":"1"`
	c.opens(s, 1, write)
	if got := c.asks(`"do":"leader","conn":1`); string(got.Out) != `"n1"` {
		t.Errorf("who leads is answered %+v", got)
	}
	if got := c.asks(`"do":"members","conn":1`); string(got.Out) != `{"voters":["n1"]}` {
		t.Errorf("who the members are is answered %+v", got)
	}
	var at int64
	if got := c.asks(`"do":"replica","conn":1`); json.Unmarshal(got.Out, &at) != nil || at < 2 {
		t.Errorf("how far it has come is answered %+v", got)
	}
	if got := c.asks(`"do":"replica","conn":1,"at":%d`, at); !strings.HasPrefix(string(got.Out), fmt.Sprintf(`{"at":%d,"digest":"`, at)) {
		t.Errorf("its copy is answered %+v", got)
	}
	if got := c.asks(`"do":"replica","conn":1,"at":%d`, at+100); got.Type != "fail" {
		t.Errorf("a copy of the future is answered %+v", got)
	}
	if got := c.asks(`"conn":1,"f":"write","key":"k","in":%q`, strings.Repeat("x", 1_000_000)); got.Type != "ok" {
		t.Errorf("a large write is answered %+v", got)
	}
	if got := c.asks(`"conn":1,"f":"write","key":"","in":"1"`); got.Type != "fail" || got.Lost {
		t.Errorf("what etcd refuses is answered %+v, want a fail", got)
	}
	s.signal(syscall.SIGSTOP)
	if got := c.asks(`"conn":1,%s`, write); got.Type != "info" {
		t.Errorf("a write to a node that stands still is answered %+v, want info", got)
	}
	if got := c.asks(`"conn":1,%s`, read); got.Type != "fail" {
		t.Errorf("a read from a node that stands still is answered %+v, want fail", got)
	}
	s.signal(syscall.SIGCONT)
	s.kill()
	for { // the connection takes notice
		got := c.asks(`"conn":1,%s`, write)
		if got.Lost && got.Type == "fail" {
			break
		}
		if got.Type == "ok" {
			t.Fatal("a server that was killed acknowledges a write")
		}
	}
	if got := c.asks(`"do":"open","conn":2,"node":"n1","addr":%q`, s.addr); got.Type != "fail" || got.Error != "connection refused" || !got.Lost {
		t.Errorf("a connection to a server that is down is answered %+v", got)
	}
}

// TestALeaseThatEnds: a lock is another's when its lease has ended, which nobody keeps
// alive whose connection is closed.
func TestALeaseThatEnds(t *testing.T) {
	machinetest.NeedWhole(t, "it builds etcd")
	s := newServer(t, "3.7.3")
	c := newClient(t, "lock", "-lease", "2s")
	c.opens(s, 1, `"f":"acquire","key":"k","in":"c1"`)
	c.opens(s, 2, `"f":"acquire","key":"other","in":"c2"`)
	if got := c.asks(`"conn":2,"f":"acquire","key":"k","in":"c2"`); string(got.Out) != `"c1"` {
		t.Errorf("a lock that is held is answered %+v", got)
	}
	fmt.Fprintln(c.in, `{"do":"close","conn":1}`)
	for {
		got := c.asks(`"conn":2,"f":"acquire","key":"k","in":"c2"`)
		if got.Type != "ok" {
			t.Fatalf("it is answered %+v", got)
		}
		if string(got.Out) != `"c1"` { // a token
			break
		}
	}
}
