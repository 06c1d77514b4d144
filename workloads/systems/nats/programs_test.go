//go:build unix

package nats

import (
	"bufio"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"squall/internal/machinetest"
	"squall/workloads/systems"
	"squall/workloads/systems/programtest"
)

// server is a node without a cluster.
type server struct {
	*programtest.Server
	addr netip.Addr
}

func newServer(t *testing.T, version string) *server {
	t.Helper()
	addr := machinetest.Address()
	node := systems.Node{ID: 1, Name: "n1", Addr: addr}
	a := args(t, "")
	start, err := System{}.Server(node, systems.Cluster{Nodes: []systems.Node{node}}, a)
	if err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(t.TempDir(), "server.conf")
	if err := os.WriteFile(conf, []byte(settings(a)), 0o600); err != nil {
		t.Fatal(err)
	}
	argv := strings.Fields(strings.NewReplacer(serverPath, programtest.Built(t, serverBuild(version)), settingsPath, conf, dataDir, t.TempDir()).Replace(strings.Join(start.Argv, " ")))
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

// TestTheClientOnAServer has the client do the work of every workload on a real server, of
// an old and a new version, in each way of reading.
func TestTheClientOnAServer(t *testing.T) {
	machinetest.NeedWhole(t, "it builds two versions of nats-server; the storms on NATS use the newest")
	for _, version := range []string{"2.10.22", "2.12.1"} {
		for _, reads := range []string{"synced", "leader", "direct", "synced -batch 2"} {
			t.Run(version+" "+reads, func(t *testing.T) {
				s := newServer(t, version)
				for workload, steps := range map[string][][2]string{
					"register": {
						{`"f":"read","key":"r0"`, `null`},
						{`"f":"cas","key":"r0","in":["1","2"]`, `{"found":null}`},
						{`"f":"cas","key":"r0","in":[null,"1"]`, `true`},
						{`"f":"cas","key":"r0","in":[null,"2"]`, `{"found":"1"}`},
						{`"f":"write","key":"r0","in":"é\""`, ``},
						{`"f":"read","key":"r0"`, `"é\""`},
						{`"f":"write","key":"r01","in":"x"`, ``},
						{`"f":"cas","key":"r0","in":["é\"","3"]`, `true`},
						{`"f":"read","key":"r0"`, `"3"`},
						{`"f":"delete","key":"r0"`, ``},
						{`"f":"read","key":"r0"`, `null`},
						{`"f":"cas","key":"r0","in":[null,"4"]`, `true`},
						{`"f":"read","key":"r01"`, `"x"`},
					},
					"set": {
						{`"f":"read","key":"s1"`, `[]`},
						{`"f":"add","key":"s1","in":"b"`, ``},
						{`"f":"add","key":"s1","in":"a"`, ``},
						{`"f":"add","key":"s10","in":"c"`, ``},
						{`"f":"add","key":"s1","in":"a"`, ``}, // and so doubles would be found
						{`"f":"read","key":"s1"`, `["b","a","a"]`},
						{`"f":"read","key":"s10"`, `["c"]`},
					},
				} {
					c := newClient(t, workload, strings.Fields("-reads "+reads)...)
					c.Opens(s.addr, 1, steps[0][0])
					c.Carries(steps[1:])
				}
			})
		}
	}
}

// TestReadsOfAnotherProgram: what a program did not see itself it finds, too, and that a
// stream is gone which was there is no error, but everything in it is lost.
func TestReadsOfAnotherProgram(t *testing.T) {
	machinetest.NeedWhole(t, "it builds nats-server; the storms on NATS count on it")
	s := newServer(t, "2.12.1")
	const read = `"f":"read","key":"s"`
	one, other := newClient(t, "set"), newClient(t, "set")
	one.Opens(s.addr, 1, `"f":"add","key":"s","in":"a"`)
	other.Opens(s.addr, 1, `"f":"add","key":"s","in":"b"`)
	one.Carries([][2]string{{read, `["a","b"]`}})
	other.Carries([][2]string{{`"f":"add","key":"s","in":"c"`, ``}, {read, `["a","b","c"]`}})
	one.Carries([][2]string{{read, `["a","b","c"]`}})
	deleteStream(t, s.addr)
	for _, c := range []*programtest.Client{one, other} {
		c.Carries([][2]string{{read, `[]`}})
	}
}

// TestWhatTheClientKnowsOfErrors: what was handed to nobody has failed, and of what was sent
// and not answered nothing is known.
func TestWhatTheClientKnowsOfErrors(t *testing.T) {
	machinetest.NeedWhole(t, "it builds nats-server; the storms on NATS count on it")
	s := newServer(t, "2.12.1")
	c := newClient(t, "set")
	const read, add = `"f":"read","key":"s"`, `"f":"add","key":"s","in":"1"`
	c.Opens(s.addr, 1, add)
	if got := c.Asks(`"conn":1,"f":"jump","key":"s"`); got.Type != "fail" || got.Lost {
		t.Errorf("an unknown function is answered %+v", got)
	}
	s.Stop(t)
	if got := c.Asks(`"conn":1,%s`, add); got.Type != "info" {
		t.Errorf("an add to a node that stands still is answered %+v, want info", got)
	}
	if got := c.Asks(`"conn":1,%s`, read); got.Type != "fail" {
		t.Errorf("a read from a node that stands still is answered %+v, want fail", got)
	}
	s.Continue()
	deleteStream(t, s.addr)
	if got := c.Asks(`"conn":1,%s`, add); got.Type != "fail" || got.Lost {
		t.Errorf("an add to no stream is answered %+v, want fail", got)
	}
	s.Kill()
	for !c.Asks(`"conn":1,%s`, add).Lost { // the connection takes notice
	}
	if got := c.Asks(`"do":"open","conn":2,"node":"n1","addr":%q`, s.addr); got.Type != "fail" || !got.Lost {
		t.Errorf("a connection to a server that is down is answered %+v", got)
	}
}

// deleteStream deletes the stream of sets, by NATS's own protocol.
func deleteStream(t *testing.T, at netip.Addr) {
	t.Helper()
	conn, err := net.Dial("tcp", netip.AddrPortFrom(at, 4222).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const ask = "CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB answer 1\r\nPUB $JS.API.STREAM.DELETE.SQUALL answer 0\r\n\r\n"
	if _, err := conn.Write([]byte(ask)); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if strings.Contains(lines.Text(), "stream_delete_response") {
			if !strings.Contains(lines.Text(), `"success":true`) {
				t.Fatalf("the stream is not deleted: %s", lines.Text())
			}
			return
		}
	}
	t.Fatal("the server did not answer")
}
