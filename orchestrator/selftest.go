package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"squall/history"
	"squall/nodeimage"
)

// SelfTest tries what every fault stands on: it brings up two machines, lets
// one drop the other's packets, and measures that they no longer arrive, in
// that direction only. It returns what was measured.
func SelfTest(ctx context.Context, runtime Runtime,
	build func(ctx context.Context, arch, mutant string) (nodeimage.Binary, error)) (proof string, err error) {
	arch, err := runtime.Arch(ctx)
	if err != nil {
		return "", err
	}
	binary, err := build(ctx, arch, "")
	if err != nil {
		return "", err
	}
	begun := time.Now()
	names := []string{"n1", "n2"}
	cluster, err := runtime.Up(ctx, ClusterSpec{Run: fmt.Sprintf("doctor-%d", begun.UnixNano()), Machines: []MachineSpec{{Name: names[0]}, {Name: names[1]}},
		Binary: binary.Path, BinaryKey: binary.Key})
	if err != nil {
		return "", err
	}
	up := time.Since(begun)
	defer func() {
		down, cancel := context.WithTimeout(context.WithoutCancel(ctx), downTimeout)
		defer cancel()
		err = errors.Join(err, cluster.Down(down))
	}()
	pair := connectPair(cluster, names)
	if err := expectReach(ctx, pair, true); err != nil {
		return "", err
	}
	if err := pair.all[1].Drop(ctx, []string{"n1"}); err != nil {
		return "", fmt.Errorf("drop packets: %w (where the kernel lacks nf_tables: sudo modprobe nf_tables)", err)
	}
	if err := expectReach(ctx, pair, false); err != nil {
		return "", err
	}
	return fmt.Sprintf("two machines up in %v; n2 dropped n1's packets, n1 still heard n2", up.Round(time.Millisecond)), nil
}

func connectPair(cluster Cluster, names []string) *nodes {
	pair := &nodes{leaders: newLeaderView()}
	addrs := map[string]netip.Addr{}
	for _, name := range names {
		n := &node{machine: cluster.Machine(name), addrs: addrs, sink: deaf{}, log: io.Discard}
		addrs[name] = n.machine.Addr()
		n.connect()
		pair.all = append(pair.all, n)
	}
	return pair
}

// expectReach wants n2 to hear nothing of n1 when cut, and everything else to
// arrive.
func expectReach(ctx context.Context, pair *nodes, whole bool) error {
	want := map[history.Link]bool{{From: "n1", To: "n2"}: whole, {From: "n2", To: "n1"}: true}
	var reach map[history.Link]bool
	for range 10 {
		var err error
		if reach, err = pair.Reach(ctx); err != nil {
			return err
		}
		if reach[history.Link{From: "n1", To: "n2"}] == whole && reach[history.Link{From: "n2", To: "n1"}] {
			return nil
		}
	}
	return fmt.Errorf("probes between two machines arrived on %v, want %v", reach, want)
}

// deaf is a sink for machines whose servers say nothing.
type deaf struct{}

func (deaf) event(history.NodeEvent) {}
func (deaf) broken(error)            {}
