// Package etcd is etcd as a system under test: any version that Go can build, or a program
// or an image that is given, with etcd's own client in a program of its own.
package etcd

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"squall/internal/declare"
	"squall/nodeimage/files"
	"squall/workloads/systems"
	"squall/workloads/systems/origin"
)

// System is etcd.
type System struct{}

var (
	_ systems.ParamChecker     = System{}
	_ systems.FileProvider     = System{}
	_ systems.ClientProgrammer = System{}
	_ systems.ElectionTimer    = System{}
)

// Where the programs are in the machines, and the server's data.
const (
	serverPath = "/opt/etcd/etcd"
	clientPath = "/opt/etcd/client"
	dataDir    = "/data/etcd"
	peerPort   = 2380
	clientPort = 2379
)

// Name is "etcd".
func (System) Name() string { return "etcd" }

// Describe is one line for people.
func (System) Describe() string {
	return "etcd, of any version: built through the Go module proxy, or a program or an image that is given"
}

// Params are its parameters.
func (System) Params() declare.Params {
	return append(origin.Params("3.7.3", "the version to build, from 3.5.0 on", "quay.io/coreos/etcd:v3.6.8"), declare.Params{
		{Name: "reads", Kind: declare.Word, Default: "linearizable", Words: []string{"linearizable", "serializable"},
			Doc: "serializable: each node answers reads from its own state, which may be old"},
		{Name: "transactions", Kind: declare.Word, Default: "whole", Words: []string{"whole", "compared", "unchecked"},
			Doc: "whole: one of etcd's, where one can do it; compared: clients read first, and write if nothing was changed since; unchecked: they write all the same"},
		{Name: "heartbeat", Kind: declare.Duration, Default: "100ms", Min: "5ms", Max: "10s", Doc: "between two heartbeats of a leader"},
		{Name: "election", Kind: declare.Duration, Default: "1s", Min: "50ms", Max: "50s",
			Doc: "how long a node does without a leader before it elects one, at least; at most twice that"},
		{Name: "snapshot-count", Kind: declare.Count, Default: "10000", Min: "1", Max: "10000000", Unit: "log entries",
			Doc: "entries between two snapshots"},
		{Name: "lease", Kind: declare.Duration, Default: "1h0m0s", Min: "2s", Max: "24h",
			Doc: "of locks, kept alive by who holds them; where a short one ends, the lock is another's"},
		{Name: "watch-streams", Kind: declare.Word, Default: "own", Words: []string{"own", "shared"},
			Doc: "own: each watch has a stream of etcd's to itself; shared: all watches of a connection share one"},
		{Name: "fsync", Kind: declare.Bool, Default: "true", Doc: "false: nothing is synced to the disk (unsafe-no-fsync)"},
	}...)
}

// versionPattern is what a version looks like.
var versionPattern = regexp.MustCompile(`^v?(\d+)\.(\d+)\.\d+(-[0-9A-Za-z.-]+)?$`)

// CheckParams refuses two origins of the server, and times that etcd refuses.
func (System) CheckParams(a declare.Args) error {
	refuse := func(param, format string, args ...any) error {
		return &declare.Error{Param: param, Err: fmt.Errorf(param+": "+format, args...)}
	}
	if err := origin.Check(a); err != nil {
		return err
	}
	parts := versionPattern.FindStringSubmatch(a[origin.Version])
	if parts == nil {
		return refuse(origin.Version, "expected a version such as 3.7.3, found %q", a[origin.Version])
	}
	major, _ := strconv.Atoi(parts[1])
	minor, _ := strconv.Atoi(parts[2])
	if origin.IsBuilt(a) && (major != 3 || minor < 5) {
		return refuse(origin.Version, "versions from 3.5.0 on can be built, and %s cannot: give its program with %s, or an image of it with %s", a[origin.Version], origin.Binary, origin.Image)
	}
	if election, heartbeat := a.Duration("election"), a.Duration("heartbeat"); election < 5*heartbeat {
		return refuse("election", "etcd wants at least five heartbeats (%v), found %v", 5*heartbeat, election)
	}
	return nil
}

// ElectionTimeout is what etcd makes of its one time: a random one up to twice as long.
func (System) ElectionTimeout(a declare.Args) (shortest, longest time.Duration) {
	election := a.Duration("election")
	return election, 2 * election
}

// Server starts a node of a new cluster, whose members are known from the start, or one
// that was made a member of a cluster.
func (System) Server(node systems.Node, cluster systems.Cluster, a declare.Args) (systems.Start, error) {
	url := func(n systems.Node, port uint16) string {
		return "http://" + netip.AddrPortFrom(n.Addr, port).String()
	}
	members, state := cluster.Nodes, "new"
	if cluster.Joining != nil {
		members, state = cluster.Joining, "existing"
	}
	var initial []string
	for _, n := range members {
		initial = append(initial, n.Name+"="+url(n, peerPort))
	}
	peer, client := url(node, peerPort), url(node, clientPort)
	argv := []string{serverPath, "--name", node.Name, "--data-dir", dataDir,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--initial-cluster", strings.Join(initial, ","), "--initial-cluster-state", state, "--initial-cluster-token", "squall",
		"--heartbeat-interval", milliseconds(a.Duration("heartbeat")), "--election-timeout", milliseconds(a.Duration("election")),
		"--snapshot-count", a["snapshot-count"],
	}
	if !a.Bool("fsync") {
		argv = append(argv, "--unsafe-no-fsync")
	}
	return systems.Start{Argv: argv}, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// Files are the server's program.
func (System) Files(_ context.Context, _ string, a declare.Args) ([]files.File, error) {
	return []files.File{origin.Server(a, serverPath, "/usr/local/bin/etcd", serverBuild)}, nil
}

// ClientProgram is the client's program, and what it can do.
func (System) ClientProgram(a declare.Args) systems.Program {
	return systems.Program{
		// It holds little, and collecting that all the time costs a fifth of its work.
		Env:  []string{"GOGC=800"},
		Argv: []string{clientPath, "-reads", a["reads"], "-lease", a.Duration("lease").String(), "-watch-streams", a["watch-streams"], "-transactions", a["transactions"]},
		Workloads: []string{"register", "multi-register", "append", "rw", "mini", "bank", "counter", "monotonic", "unique-ids",
			"set", "queue", "fifo-queue", "lock", "watch"},
		Leader: true, Members: true, Replicas: true,
	}
}

// ClientFiles are that program.
func (System) ClientFiles(_ context.Context, _ string, a declare.Args) ([]files.File, error) {
	return origin.ClientFiles(a, clientPath, clientBuild)
}
