package etcd

import (
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"squall/internal/declare"
	"squall/internal/machinetest"
	"squall/nodeimage/files"
	"squall/workloads/systems"
	"squall/workloads/systems/programtest"
)

func TestMain(m *testing.M) { os.Exit(machinetest.Main(m).Run()) }

// args are the parameters with these values.
func args(t *testing.T, values string) declare.Args {
	t.Helper()
	given := declare.Args{}
	for pair := range strings.FieldsSeq(values) {
		name, value, _ := strings.Cut(pair, "=")
		given[name] = value
	}
	resolved, err := systems.Declaration(System{}).Resolve(given)
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}

func TestServer(t *testing.T) {
	cluster := systems.Cluster{}
	for i, name := range []string{"n1", "n2", "n3"} {
		cluster.Nodes = append(cluster.Nodes, systems.Node{ID: i + 1, Name: name, Addr: netip.AddrFrom4([4]byte{198, 18, 0, byte(11 + i)})})
	}
	start, err := System{}.Server(cluster.Nodes[1], cluster, args(t, "heartbeat=20ms election=300ms snapshot-count=500"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "/opt/etcd/etcd --name n2 --data-dir /data/etcd " +
		"--listen-peer-urls http://198.18.0.12:2380 --initial-advertise-peer-urls http://198.18.0.12:2380 " +
		"--listen-client-urls http://198.18.0.12:2379 --advertise-client-urls http://198.18.0.12:2379 " +
		"--initial-cluster n1=http://198.18.0.11:2380,n2=http://198.18.0.12:2380,n3=http://198.18.0.13:2380 --initial-cluster-state new --initial-cluster-token squall " +
		"--heartbeat-interval 20 --election-timeout 300 --snapshot-count 500"
	if got := strings.Join(start.Argv, " "); got != want {
		t.Errorf("it runs\n%s, want\n%s", got, want)
	}
	cluster.Joining = cluster.Nodes[1:]
	start, err = System{}.Server(cluster.Nodes[1], cluster, args(t, ""))
	if got := strings.Join(start.Argv, " "); err != nil || !strings.Contains(got, " --initial-cluster n2=http://198.18.0.12:2380,n3=http://198.18.0.13:2380 --initial-cluster-state existing ") {
		t.Errorf("a node that joins runs\n%s, %v", got, err)
	}
	cluster.Joining = nil
	start, err = System{}.Server(cluster.Nodes[0], cluster, args(t, "fsync=false"))
	if err != nil || !slices.Contains(start.Argv, "--unsafe-no-fsync") {
		t.Errorf("without syncs it runs %q, %v", start.Argv, err)
	}
	if lo, hi := (System{}).ElectionTimeout(args(t, "election=3s")); lo != 3*time.Second || hi != 6*time.Second {
		t.Errorf("it elects a leader after %v to %v", lo, hi)
	}
}

// TestWhereTheServerComesFrom: built, given, or out of an image; each can be checked
// before it is there.
func TestWhereTheServerComesFrom(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for values, want := range map[string]string{
		"":                                     "etcd 3.7.3",
		"version=v3.5.0":                       "etcd 3.5.0",
		"binary=" + program:                    program,
		"image=quay.io/coreos/etcd:v3.6.8":     "/usr/local/bin/etcd of the image quay.io/coreos/etcd:v3.6.8",
		"image=localhost:5000/e:1:/opt/e":      "/opt/e of the image localhost:5000/e:1",
		"image=e:1 version=3.4.27":             "/usr/local/bin/etcd of the image e:1",
		"version=4.0.0-rc.1 binary=" + program: program,
	} {
		list, err := System{}.Files(t.Context(), runtime.GOARCH, args(t, values))
		if err != nil || len(list) != 1 || list[0].Origin() != want || list[0].Path != serverPath || !list[0].Exec {
			t.Errorf("%s: %+v, %v, want %s", values, list, err, want)
		}
		if list[0].Source == "" {
			if err := files.Check(list, runtime.GOARCH); err != nil {
				t.Errorf("%s: %v", values, err)
			}
		}
	}
	if list, err := (System{}).Files(t.Context(), runtime.GOARCH, args(t, "version=v3.5.9")); err != nil || list[0].Build.Requires[0].String() != "go.etcd.io/etcd/server/v3@v3.5.9" {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestParametersThatAreRefused(t *testing.T) {
	for values, want := range map[string]string{
		"version=latest":                 "version: expected a version such as 3.7.3, found \"latest\"",
		"version=3.4.27":                 "versions from 3.5.0 on can be built, and 3.4.27 cannot: give its program with binary, or an image of it with image",
		"binary=/x image=y":              "image: the server is a program that is given (binary) or out of an image",
		"heartbeat=100ms election=400ms": "election: etcd wants at least five heartbeats (500ms), found 400ms",
	} {
		given := declare.Args{}
		for pair := range strings.FieldsSeq(values) {
			name, value, _ := strings.Cut(pair, "=")
			given[name] = value
		}
		if _, err := systems.Declaration(System{}).Resolve(given); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", values, err, want)
		}
	}
}

// TestTheClient: its sources are whole, it is told what it must know, and a program may
// be given in its place.
func TestTheClient(t *testing.T) {
	a := args(t, "reads=serializable lease=5s")
	if got := (System{}).ClientProgram(a); strings.Join(got.Argv, " ") != "/opt/etcd/client -reads serializable -lease 5s -watch-streams own -transactions whole" || !got.Leader {
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
	if !strings.Contains(sources["go.mod"], "go.etcd.io/etcd/client/v3 v"+clientVersion+"\n") || sources["go.sum"] == "" || sources["goclient/lines.go"] == "" {
		t.Errorf("its sources are %v, and do not require version %s", len(sources), clientVersion)
	}
	list, err = System{}.ClientFiles(t.Context(), runtime.GOARCH, args(t, "client=/opt/x"))
	if err != nil || list[0].Source != "/opt/x" || list[0].Build != nil {
		t.Errorf("given a program: %+v, %v", list, err)
	}
}

// TestTheSourcesAreInOrder, of both programs.
func TestTheSourcesAreInOrder(t *testing.T) {
	build, err := clientBuild()
	if err != nil {
		t.Fatal(err)
	}
	programtest.AreFormatted(t, build.Sources)
	programtest.AreFormatted(t, serverBuild("3.7.3").Sources)
	machinetest.NeedWhole(t, "it fetches the modules of etcd's client; the storms on etcd build the program")
	programtest.AreInOrder(t, build.Sources)
}
