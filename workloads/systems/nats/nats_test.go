package nats

import (
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"squall/history"
	"squall/internal/declare"
	"squall/internal/machinetest"
	"squall/nodeimage/files"
	"squall/workloads/systems"
	"squall/workloads/systems/programtest"
)

func TestMain(m *testing.M) { os.Exit(machinetest.Main(m).Run()) }

func given(values string) declare.Args {
	given := declare.Args{}
	for pair := range strings.FieldsSeq(values) {
		name, value, _ := strings.Cut(pair, "=")
		given[name] = value
	}
	return given
}

// args are the parameters with these values.
func args(t *testing.T, values string) declare.Args {
	t.Helper()
	resolved, err := systems.Declaration(System{}).Resolve(given(values))
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}

func cluster(n int) (c systems.Cluster) {
	for i := range n {
		c.Nodes = append(c.Nodes, systems.Node{ID: i + 1, Name: "n" + string(rune('1'+i)), Addr: netip.AddrFrom4([4]byte{198, 18, 0, byte(11 + i)})})
	}
	return c
}

func TestServer(t *testing.T) {
	three := cluster(3)
	start, err := System{}.Server(three.Nodes[1], three, args(t, ""))
	const want = "/opt/nats/nats-server --config /opt/nats/server.conf --name n2 --addr 198.18.0.12 --store_dir /data --cluster_name squall " +
		"--cluster nats://198.18.0.12:6222 --routes nats://198.18.0.11:6222,nats://198.18.0.12:6222,nats://198.18.0.13:6222"
	if got := strings.Join(start.Argv, " "); got != want || err != nil {
		t.Errorf("it runs\n%s, %v, want\n%s", got, err, want)
	}
	one := cluster(1)
	start, err = System{}.Server(one.Nodes[0], one, args(t, "replicas=1"))
	if got := strings.Join(start.Argv, " "); strings.Contains(got, "cluster") || err != nil {
		t.Errorf("a node alone runs %s, %v", got, err)
	}
	if _, err := (System{}).Server(three.Nodes[0], three, args(t, "replicas=5")); err == nil || !strings.Contains(err.Error(), "5 nodes are to keep the stream, and there are 3") {
		t.Errorf("5 replicas on 3 nodes: %v", err)
	}
}

// TestLogPatterns: lines of servers of both versions, and those of other streams beside.
func TestLogPatterns(t *testing.T) {
	for line, want := range map[string]string{
		"[14] 2026/11/28 15:26:24.219168 [INF] JetStream cluster new stream leader for '$G > SQUALL'":         history.RoleLeader,
		"[14] 2026/11/28 15:26:24.219168 [INF] JetStream cluster new stream leader for '$G > KV_squall'":      history.RoleLeader,
		"[14] 2026/11/28 15:26:24.219168 [WRN] JetStream cluster stream '$G > SQUALL' has NO quorum, stalled": history.RoleFollower,
		"[14] 2026/11/28 15:26:24.219168 [INF] JetStream cluster new stream leader for '$G > KV_other'":       "",
		"[14] 2026/11/28 15:26:23.439327 [INF] JetStream cluster new metadata leader: n5/squall":              "",
	} {
		if got, ok := systems.ReadLogLine(System{}.LogPatterns(), line); got.Role != want || ok != (want != "") {
			t.Errorf("%s: %+v, want %q", line, got, want)
		}
	}
}

// TestFiles: the server is built, given, or out of an image, and has its settings beside it;
// each can be checked before it is there.
func TestFiles(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for values, want := range map[string]string{
		"":                                "nats-server 2.12.1",
		"version=v2.10.22":                "nats-server 2.10.22",
		"binary=" + program:               program,
		"image=nats:2.12.1":               "/nats-server of the image nats:2.12.1",
		"image=localhost:5000/n:1:/opt/n": "/opt/n of the image localhost:5000/n:1",
		"version=2.13.0-rc.1 sync=always": "nats-server 2.13.0-rc.1",
	} {
		list, err := System{}.Files(t.Context(), runtime.GOARCH, args(t, values))
		if err != nil || len(list) != 2 || list[0].Origin() != want || list[0].Path != serverPath || !list[0].Exec || list[1].Path != settingsPath {
			t.Errorf("%s: %+v, %v, want %s", values, list, err, want)
		}
		if list[0].Source == "" {
			if err := files.Check(list, runtime.GOARCH); err != nil {
				t.Errorf("%s: %v", values, err)
			}
		}
	}
	if list, err := (System{}).Files(t.Context(), runtime.GOARCH, args(t, "version=v2.10.22")); err != nil || list[0].Build.Requires[0].String() != "github.com/nats-io/nats-server/v2@v2.10.22" {
		t.Errorf("%+v, %v", list, err)
	}
	for values, want := range map[string]string{"": `sync_interval: "2m"`, "sync=always": `sync_interval: "always"`, "sync=50ms": `sync_interval: "50ms"`} {
		if got := settings(args(t, values)); !strings.Contains(got, want) {
			t.Errorf("%s: the server's settings are %s", values, got)
		}
	}
}

func TestParametersThatAreRefused(t *testing.T) {
	for values, want := range map[string]string{
		"version=latest":    "version: expected a version of nats-server 2, such as 2.12.1, found \"latest\"",
		"version=1.4.1":     "version: expected a version of nats-server 2",
		"binary=/x image=y": "image: the server is a program that is given (binary) or out of an image",
		"sync=never":        "sync: expected always, or a duration from 1ms to 24h0m0s such as 2m, found \"never\"",
		"sync=0s":           "sync: expected always",
		"sync=2m\"}":        "sync: expected always",
		"reads=sync":        "reads: expected one of synced, leader, direct",
		"replicas=7":        "replicas: expected from 0 to 5",
	} {
		if _, err := systems.Declaration(System{}).Resolve(given(values)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", values, err, want)
		}
	}
}

// TestTheClient: its sources are whole, it is told what it must know, and a program may be
// given in its place.
func TestTheClient(t *testing.T) {
	a := args(t, "reads=direct replicas=3 batch=7")
	if got := (System{}).ClientProgram(a); strings.Join(got.Argv, " ") != "/opt/nats/client -reads direct -replicas 3 -batch 7" || !got.Leader {
		t.Errorf("it runs %+v", got)
	}
	list, err := System{}.ClientFiles(t.Context(), runtime.GOARCH, a)
	if err != nil || len(list) != 1 || list[0].Build == nil {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := files.Check(list, runtime.GOARCH); err != nil {
		t.Error(err)
	}
	sources := list[0].Build.Sources
	if !strings.Contains(sources["go.mod"], "github.com/nats-io/nats.go v"+clientVersion+"\n") || sources["go.sum"] == "" || sources["goclient/lines.go"] == "" {
		t.Errorf("its %d sources do not require version %s, or are not whole", len(sources), clientVersion)
	}
	list, err = System{}.ClientFiles(t.Context(), runtime.GOARCH, args(t, "client=/opt/x"))
	if err != nil || list[0].Source != "/opt/x" || list[0].Build != nil {
		t.Errorf("given a program: %+v, %v", list, err)
	}
}

func TestTheSourcesAreInOrder(t *testing.T) {
	build, err := clientBuild()
	if err != nil {
		t.Fatal(err)
	}
	programtest.AreFormatted(t, build.Sources)
	machinetest.NeedWhole(t, "it fetches the modules of NATS's client; the storms on NATS build the program")
	programtest.AreInOrder(t, build.Sources)
}
