package systems

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"squall/history"
	"squall/nodeimage/kv"
)

// RaftKV is squall's own replicated key-value server, in nodeimage/kv.
type RaftKV struct{}

var _ System = RaftKV{}

// Name is "raftkv".
func (RaftKV) Name() string { return "raftkv" }

// Describe is one line for people.
func (RaftKV) Describe() string {
	return "squall's own key-value server on its own Raft: ReadIndex reads, write-ahead log, snapshots"
}

// Traits: it writes every Raft trace event, its clock can be bent, and it takes
// trials.
func (RaftKV) Traits() Traits { return Traits{Trace: true, Clock: true, Trials: true} }

// traceFD is where the agent hands the server the pipe for its trace.
const traceFD = 3

// Server says how to start a node.
func (r RaftKV) Server(node Node, cluster []Node, opt Options) (Start, error) {
	opt = opt.WithDefaults()
	if err := opt.Validate(); err != nil {
		return Start{}, fmt.Errorf("server options of %s: %w", node.Name, err)
	}
	peers := make([]string, 0, len(cluster))
	member := false
	for _, n := range cluster {
		peers = append(peers, fmt.Sprintf("%d=%s", n.ID, n.Addr))
		member = member || n.ID == node.ID
	}
	if !member {
		return Start{}, fmt.Errorf("start %s: id %d is not one of the cluster's", node.Name, node.ID)
	}
	argv := []string{
		"/squall-node", "kv",
		"-id", strconv.Itoa(node.ID),
		"-peers", strings.Join(peers, ","),
		"-data", "/data",
		"-trace-fd", strconv.Itoa(traceFD),
		"-heartbeat", opt.Heartbeat.String(),
		"-election-min", opt.ElectionMin.String(),
		"-election-max", opt.ElectionMax.String(),
	}
	if opt.SnapshotEvery > 0 {
		// Few entries stay behind a snapshot, so that a node which was away for
		// a while must have one installed.
		argv = append(argv, "-snapshot-every", strconv.Itoa(opt.SnapshotEvery),
			"-snapshot-keep", strconv.Itoa(opt.SnapshotEvery/4))
	}
	if opt.Seed != 0 {
		// Nodes of one seed would stand for election all at the same moments.
		argv = append(argv, "-seed", strconv.FormatUint(max(1, opt.Seed+uint64(node.ID)), 10))
	}
	if t := opt.Trials; t != nil {
		argv = append(argv, "-trials", "-start-wait", t.StartWait.String(),
			fmt.Sprintf("-pre-vote=%v", t.PreVote), fmt.Sprintf("-sticky-leader=%v", t.PreVote))
		if t.DiskMax > 0 {
			argv = append(argv, "-disk-min", t.DiskMin.String(), "-disk-max", t.DiskMax.String())
		}
	}
	return Start{Argv: argv, Clock: r.Traits().Clock}, nil
}

// Dial connects to one node.
func (RaftKV) Dial(ctx context.Context, node Node) (Client, error) {
	port := node.Port
	if port == 0 {
		port = kv.DefaultClientPort
	}
	c, err := kv.Dial(ctx, netip.AddrPortFrom(node.Addr, port).String())
	if err != nil {
		var errno syscall.Errno
		if errors.As(err, &errno) {
			err = errno // "connection refused": the history names the node already
		}
		return nil, &Error{Certain: true, Lost: true, Err: err}
	}
	return raftKVClient{c}, nil
}

// raftKVClient is the server's own client, by the names of this package.
type raftKVClient struct{ kv *kv.Client }

func (c raftKVClient) Read(ctx context.Context, key string) (history.Value, error) {
	data, found, err := c.kv.Get(ctx, key)
	return history.Value{Data: data, Present: found}, raftKVError(err)
}

func (c raftKVClient) Write(ctx context.Context, key string, value history.Value) error {
	if !value.Present {
		return c.Delete(ctx, key)
	}
	return raftKVError(c.kv.Put(ctx, key, value.Data))
}

func (c raftKVClient) CAS(ctx context.Context, key string, expect, value history.Value) (bool, history.Value, error) {
	if !value.Present {
		return false, history.None, &Error{Certain: true, Err: errors.New("raftkv has no compare-and-delete")}
	}
	swapped, found, err := c.kv.CAS(ctx, key, kv.Value(expect), value.Data)
	return swapped, history.Value(found), raftKVError(err)
}

func (c raftKVClient) Delete(ctx context.Context, key string) error {
	return raftKVError(c.kv.Delete(ctx, key))
}

func (c raftKVClient) Close() error { return c.kv.Close() }

// raftKVError says in this package's terms what an error of the client means.
func raftKVError(err error) error {
	if err == nil {
		return nil
	}
	var e *kv.Error
	lost := errors.As(err, &e) && (e.Code == kv.CodeConnLost || e.Code == kv.CodeNotSent)
	return &Error{Certain: kv.Certain(err), Lost: lost, Err: err}
}
