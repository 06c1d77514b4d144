package raftkv

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"squall/internal/declare"
	"squall/workloads/systems"
)

// Params are the parameters of a server.
func (System) Params() declare.Params {
	return declare.Params{
		{Name: "heartbeat", Kind: declare.Duration, Default: "50ms", Min: "1ms", Max: "10s",
			Doc: "the leader's heartbeat interval; at most half of the shortest election timeout"},
		{Name: "election", Kind: declare.Range, Default: "300ms-600ms", Min: "5ms", Max: "1m",
			Doc: "election timeouts: each is drawn from this range"},
		{Name: "snapshot-every", Kind: declare.Count, Default: "2000", Min: "10", Max: "2147483647", Unit: "log entries",
			Doc: "log entries between two snapshots"},
		{Name: "resend", Kind: declare.Word, Words: []string{"on", "off"}, Default: "on",
			Doc: "on: every other client of a node, from the second one on, sends again, in a session and through other nodes, what is not answered in time"},
		{Name: "sessions", Kind: declare.Count, Default: "1024", Min: "1", Max: "1024", Unit: "sessions",
			Doc: "clients' sessions that the servers keep; beyond it they forget the one that was used the longest ago"},
		{Name: "long-logs", Kind: declare.Count, Default: "0", Min: "0", Max: "1000", Unit: "nodes",
			Doc: "so many nodes, the last ones, take a snapshot a hundred times less often: they restart from a long log, and send others entries and no snapshot"},
		{Name: "slow-disk", Kind: declare.Duration, Default: "0s", Min: "0s", Max: "1s",
			Doc: "what a write to the log takes at least on every other node, from the first one on: a server that is killed meanwhile has not written it"},
		{Name: "short-logs", Kind: declare.Count, Default: "0", Min: "0", Max: "1000", Unit: "nodes",
			Doc: "so many nodes, the first ones, take a snapshot twenty times more often and keep no entry that is in it: they send others a snapshot for the least that those lack"},
		{Name: "chunk", Kind: declare.Bytes, Default: "256KiB", Min: "1B", Max: "16MiB",
			Doc: "how much of a snapshot one message holds at most that every other node sends, from the second one on; those of the others hold 256 KiB"},
		{Name: "slow-snapshots", Kind: declare.Duration, Default: "0s", Min: "0s", Max: "1m",
			Doc: "what it takes at least to write a snapshot, to restore one, and to put one in the place of the log, as of a large state"},
		{Name: "batch", Kind: declare.Bytes, Default: "1MiB", Min: "1B", Max: "16MiB",
			Doc: "how much the entries of one message hold at most; one entry is always sent"},
		{Name: "in-flight", Kind: declare.Count, Default: "64", Min: "1", Max: "10000", Unit: "messages",
			Doc: "messages with entries that a leader sends a follower before the first is answered"},
		{Name: "segment", Kind: declare.Bytes, Default: "16MiB", Min: "1KiB", Max: "1GiB",
			Doc: "how large a file of the log gets before the next one is begun; old ones are removed once a snapshot covers them"},
		{Name: "pre-vote", Kind: declare.Word, Words: []string{"on", "off"}, Default: "on",
			Doc: "off: a node stands for election without asking first whether it could win"},
		{Name: "stickiness", Kind: declare.Word, Words: []string{"on", "off"}, Default: "on",
			Doc: "off: a node votes against a leader that it still hears"},
	}
}

// CheckParams refuses timeouts that do not go together.
func (System) CheckParams(a declare.Args) error {
	shortest, longest := a.Range("election")
	switch heartbeat := a.Duration("heartbeat"); {
	case shortest >= longest:
		return &declare.Error{Param: "election", Err: fmt.Errorf(
			"election: the longest timeout must be greater than the shortest, which is %v, or two nodes stand for election at the same moment again and again", shortest)}
	case 2*heartbeat > shortest:
		return &declare.Error{Param: "heartbeat", Err: fmt.Errorf(
			"heartbeat must be at most half of the shortest election timeout, which is %v; it is %v", shortest, heartbeat)}
	}
	return nil
}

// ElectionTimeout is the parameter of that name.
func (System) ElectionTimeout(a declare.Args) (shortest, longest time.Duration) {
	return a.Range("election")
}

// AvailableWithin allows for ten failed elections, and for 5 s at least.
func (System) AvailableWithin(a declare.Args) time.Duration {
	_, longest := a.Range("election")
	return max(5*time.Second, 10*longest)
}

// Resends is the parameter "resend".
func (System) Resends(a declare.Args) bool { return a["resend"] == "on" }

// timeouts are those of a server.
type timeouts struct{ heartbeat, shortest, longest time.Duration }

// validate refuses what no server can have.
func (t timeouts) validate() error {
	switch {
	case t.heartbeat <= 0:
		return fmt.Errorf("heartbeat %v must be above zero", t.heartbeat)
	case t.shortest <= t.heartbeat:
		return fmt.Errorf("election timeout %v must be longer than the heartbeat %v, "+
			"or every pause between two heartbeats starts an election", t.shortest, t.heartbeat)
	case t.longest < t.shortest:
		return fmt.Errorf("greatest election timeout %v is below the least, %v", t.longest, t.shortest)
	}
	return nil
}

// traceFD is where the agent hands the server the pipe for its trace.
const traceFD = 3

// Server says how to start a node.
func (System) Server(node systems.Node, cluster systems.Cluster, a declare.Args) (systems.Start, error) {
	t := timeouts{heartbeat: a.Duration("heartbeat")}
	t.shortest, t.longest = a.Range("election")
	start, err := server(node, cluster, a, t)
	for _, off := range []struct{ param, flag string }{{"pre-vote", "-pre-vote=false"}, {"stickiness", "-sticky-leader=false"}} {
		if a[off.param] == "off" {
			start.Argv = append(start.Argv, off.flag)
		}
	}
	return start, err
}

// TrialServer says how to start a node that takes trials of elections.
func (System) TrialServer(node systems.Node, cluster systems.Cluster, a declare.Args, t systems.Trials) (systems.Start, error) {
	start, err := server(node, cluster, a, timeouts{t.Heartbeat, t.ElectionMin, t.ElectionMax})
	if err != nil {
		return start, err
	}
	start.Argv = append(start.Argv, "-trials", "-start-wait", t.StartWait.String(),
		fmt.Sprintf("-pre-vote=%v", t.PreVote), fmt.Sprintf("-sticky-leader=%v", t.PreVote))
	if t.DiskMax > 0 {
		start.Argv = append(start.Argv, "-disk-min", t.DiskMin.String(), "-disk-max", t.DiskMax.String())
	}
	return start, nil
}

func server(node systems.Node, cluster systems.Cluster, a declare.Args, t timeouts) (systems.Start, error) {
	if err := t.validate(); err != nil {
		return systems.Start{}, fmt.Errorf("timeouts of %s: %w", node.Name, err)
	}
	peers := make([]string, 0, len(cluster.Nodes))
	member := false
	for _, n := range cluster.Nodes {
		peers = append(peers, fmt.Sprintf("%d=%s", n.ID, n.Addr))
		member = member || n.ID == node.ID
	}
	if !member {
		return systems.Start{}, fmt.Errorf("start %s: id %d is not one of the cluster's", node.Name, node.ID)
	}
	every, keep := snapshotEvery(node, cluster, a)
	chunk := int64(0) // as much as may be
	if place(node, cluster)%2 == 1 {
		chunk = int64(a.Float("chunk"))
	}
	argv := []string{
		"/squall-node", "kv",
		"-id", strconv.Itoa(node.ID),
		"-peers", strings.Join(peers, ","),
		"-data", "/data",
		"-trace-fd", strconv.Itoa(traceFD),
		"-heartbeat", t.heartbeat.String(),
		"-election-min", t.shortest.String(),
		"-election-max", t.longest.String(),
		"-snapshot-every", strconv.Itoa(every), "-snapshot-keep", strconv.Itoa(keep),
		"-snapshot-chunk", strconv.FormatInt(chunk, 10), "-slow-snapshots", a.Duration("slow-snapshots").String(),
		"-sessions", a["sessions"],
		"-max-batch", strconv.FormatInt(int64(a.Float("batch")), 10), "-max-inflight", a["in-flight"],
		"-segment", strconv.FormatInt(int64(a.Float("segment")), 10),
	}
	if slow := a.Duration("slow-disk"); slow > 0 && place(node, cluster)%2 == 0 {
		argv = append(argv, "-slow-disk", slow.String())
	}
	if cluster.Seed != 0 {
		// Nodes of one seed would stand for election all at the same moments.
		argv = append(argv, "-seed", strconv.FormatUint(max(1, cluster.Seed+uint64(node.ID)), 10))
	}
	return systems.Start{Argv: argv}, nil
}

// snapshotEvery is after how many entries a node takes a snapshot, and how many entries
// it keeps behind it: few, so that a node which was away for a while must have a snapshot
// installed.
func snapshotEvery(node systems.Node, cluster systems.Cluster, a declare.Args) (every, keep int) {
	every = a.Int("snapshot-every")
	before := place(node, cluster)
	switch after := len(cluster.Nodes) - 1 - before; {
	case after < a.Int("long-logs"):
		every = min(100*every, math.MaxInt32)
	case before < a.Int("short-logs"):
		return max(every/20, 1), 0
	}
	return every, every / 4
}

// place is how many nodes of a cluster come before one of them.
func place(node systems.Node, cluster systems.Cluster) (before int) {
	for _, n := range cluster.Nodes {
		if n.ID < node.ID {
			before++
		}
	}
	return before
}
