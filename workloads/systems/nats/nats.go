// Package nats is NATS JetStream as a system under test: any version that Go can build, or
// a program or an image that is given, with NATS's own client library in a program of its
// own. A set is the messages of a subject of a replicated stream, a register a key of a
// replicated key-value bucket.
package nats

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"squall/history"
	"squall/internal/declare"
	"squall/nodeimage/files"
	"squall/workloads/systems"
	"squall/workloads/systems/origin"
)

// System is NATS JetStream.
type System struct{}

var (
	_ systems.ParamChecker     = System{}
	_ systems.FileProvider     = System{}
	_ systems.ClientProgrammer = System{}
	_ systems.ElectionTimer    = System{}
	_ systems.LogReader        = System{}
)

// Where the programs are in the machines, and the server's settings and data.
const (
	serverPath   = "/opt/nats/nats-server"
	settingsPath = "/opt/nats/server.conf"
	clientPath   = "/opt/nats/client"
	dataDir      = "/data"
	clusterPort  = 6222
)

// The parameters that are named more than once.
const (
	replicasParam = "replicas"
	readsParam    = "reads"
	batchParam    = "batch"
	syncParam     = "sync"
)

// Name is "nats".
func (System) Name() string { return "nats" }

// Describe is one line for people.
func (System) Describe() string {
	return "NATS JetStream, of any version: built through the Go module proxy, or a program or an image that is given"
}

// Params are its parameters.
func (System) Params() declare.Params {
	return append(origin.Params("2.12.1", "the version to build", "nats:2.12.1"), declare.Params{
		{Name: readsParam, Kind: declare.Word, Default: "synced", Words: []string{"synced", "leader", "direct"},
			Doc: "synced: each read writes a mark and finds all that there was before it; leader: the stream's leader answers, or a node that believes it is; direct: any node answers from its own copy"},
		{Name: batchParam, Kind: declare.Count, Default: "0", Min: "0", Max: "1000", Unit: "messages",
			Doc: "how many messages a node is asked for at a time, from 2.11 on, where reads are synced or direct; 0: one"},
		{Name: replicasParam, Kind: declare.Count, Default: "0", Min: "0", Max: "5", Unit: "nodes",
			Doc: "nodes that keep the stream; 0: all, up to 5"},
		{Name: syncParam, Kind: declare.Text, Default: "2m", Doc: "when the disk is synced: always (before an acknowledgement), or how often (sync_interval)"},
	}...)
}

// versionPattern is what a version looks like.
var versionPattern = regexp.MustCompile(`^v?2\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// The longest and the shortest interval of syncing that are taken.
const (
	shortestSync = time.Millisecond
	longestSync  = 24 * time.Hour
)

// CheckParams refuses two origins of the server, and what NATS would not read.
func (System) CheckParams(a declare.Args) error {
	refuse := func(param, format string, args ...any) error {
		return &declare.Error{Param: param, Err: fmt.Errorf(param+": "+format, args...)}
	}
	if err := origin.Check(a); err != nil {
		return err
	}
	if !versionPattern.MatchString(a[origin.Version]) {
		return refuse(origin.Version, "expected a version of nats-server 2, such as 2.12.1, found %q", a[origin.Version])
	}
	if text := a[syncParam]; text != "always" {
		if every, err := time.ParseDuration(text); err != nil || every < shortestSync || every > longestSync {
			return refuse(syncParam, "expected always, or a duration from %v to %v such as 2m, found %q", shortestSync, longestSync, text)
		}
	}
	return nil
}

// ElectionTimeout is that of NATS's Raft, which no setting changes.
func (System) ElectionTimeout(declare.Args) (shortest, longest time.Duration) {
	return 4 * time.Second, 9 * time.Second
}

// LogPatterns are what leaders of the stream tell. Nothing tells of terms, and of
// candidates only a log that is far too long to keep.
func (System) LogPatterns() []systems.LogPattern {
	const stream = `'\$G > (SQUALL|KV_squall)'`
	return []systems.LogPattern{
		systems.MustLogPattern(history.RoleLeader, `JetStream cluster new stream leader for `+stream),
		systems.MustLogPattern(history.RoleFollower, `JetStream cluster stream `+stream+` has NO quorum, stalled`),
	}
}

// Server starts a node that knows the routes to all others.
func (System) Server(node systems.Node, cluster systems.Cluster, a declare.Args) (systems.Start, error) {
	if n := a.Int(replicasParam); n > len(cluster.Nodes) {
		return systems.Start{}, fmt.Errorf("%s: %d nodes are to keep the stream, and there are %d: start more nodes, or ask for fewer", replicasParam, n, len(cluster.Nodes))
	}
	url := func(n systems.Node) string { return "nats://" + netip.AddrPortFrom(n.Addr, clusterPort).String() }
	var routes []string
	for _, n := range cluster.Nodes {
		routes = append(routes, url(n))
	}
	argv := []string{serverPath, "--config", settingsPath, "--name", node.Name, "--addr", node.Addr.String(), "--store_dir", dataDir}
	if len(cluster.Nodes) > 1 { // one that waits for routes to itself never serves
		argv = append(argv, "--cluster_name", "squall", "--cluster", url(node), "--routes", strings.Join(routes, ","))
	}
	return systems.Start{Argv: argv}, nil
}

// settings are what no flag of the server says.
func settings(a declare.Args) string {
	return fmt.Sprintf("jetstream {\n  sync_interval: %s\n}\n", strconv.Quote(a[syncParam]))
}

// Files are the server's program and its settings.
func (System) Files(_ context.Context, _ string, a declare.Args) ([]files.File, error) {
	return []files.File{origin.Server(a, serverPath, "/nats-server", serverBuild), {Path: settingsPath, Text: settings(a)}}, nil
}

// ClientProgram is the client's program, and what it can do.
func (System) ClientProgram(a declare.Args) systems.Program {
	return systems.Program{
		Argv:      []string{clientPath, "-reads", a[readsParam], "-replicas", a[replicasParam], "-batch", a[batchParam]},
		Workloads: []string{"register", "set"},
		Leader:    true,
	}
}

// ClientFiles are that program.
func (System) ClientFiles(_ context.Context, _ string, a declare.Args) ([]files.File, error) {
	return origin.ClientFiles(a, clientPath, clientBuild)
}
