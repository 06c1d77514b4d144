package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"squall/history"
	"squall/nemesis"
	"squall/nodeimage"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/machines"
)

// Builder makes the node's binary for an architecture; mutant is the bug to
// plant, or "".
type Builder func(ctx context.Context, arch, mutant string) (nodeimage.Binary, error)

// SelfTest tries what every fault stands on: it brings up two machines, lets
// one drop the other's packets, and measures that they no longer arrive, in
// that direction only. It returns what was measured.
func SelfTest(ctx context.Context, runtime machines.Runtime, build Builder) (proof string, err error) {
	err = withMachines(ctx, runtime, build, []string{"n1", "n2"}, func(pair *nodes, up time.Duration) error {
		if err := expectReach(ctx, pair, true); err != nil {
			return err
		}
		if err := pair.all[1].SetNet(ctx, nemesis.NetState{Cut: []nemesis.Cut{{From: "n1"}}}); err != nil {
			return fmt.Errorf("drop packets: %w (where the kernel lacks nf_tables: sudo modprobe nf_tables)", err)
		}
		hello, err := pair.all[0].agent().Hello(ctx)
		if err != nil {
			return err
		}
		proof = fmt.Sprintf("two machines up in %v; n2 dropped n1's packets, n1 still heard n2; %s",
			up.Round(time.Millisecond), describeIsolation(hello.Isolation))
		return expectReach(ctx, pair, false)
	})
	return proof, err
}

// describeIsolation is what a machine holds its server to, for people.
func describeIsolation(is protocol.Isolation) string {
	text := "servers run without capabilities, behind a filter of system calls"
	if is.UID != 0 {
		text += fmt.Sprintf(", as a user of their own (%d here)", is.UID)
	}
	if len(is.Weaker) > 0 {
		text += "\n" + strings.Join(is.Weaker, "\n")
	}
	return text
}

// Abilities asks a runtime, and a machine that it makes for that, which needs of
// faults cannot be met: the answer has, for each of those, the reason and the
// fix.
func Abilities(ctx context.Context, runtime machines.Runtime, build Builder) (cannotBe map[nemesis.Need]string, err error) {
	err = withMachines(ctx, runtime, build, []string{"n1"}, func(one *nodes, _ time.Duration) (err error) {
		cannotBe, err = cannot(ctx, runtime, []*protocol.Client{one.all[0].agent()})
		return err
	})
	return cannotBe, err
}

// withMachines brings machines up for as long as use takes.
func withMachines(ctx context.Context, runtime machines.Runtime, build Builder, names []string, use func(*nodes, time.Duration) error) (err error) {
	arch, err := runtime.Arch(ctx)
	if err != nil {
		return err
	}
	binary, err := build(ctx, arch, "")
	if err != nil {
		return err
	}
	begun := time.Now()
	spec := machines.ClusterSpec{Run: fmt.Sprintf("doctor-%d", begun.UnixNano()), Binary: binary.Path, BinaryKey: binary.Key}
	for _, name := range names {
		spec.Machines = append(spec.Machines, machines.MachineSpec{Name: name})
	}
	cluster, err := runtime.Up(ctx, spec)
	if err != nil {
		return err
	}
	up := time.Since(begun)
	defer func() {
		down, cancel := context.WithTimeout(context.WithoutCancel(ctx), downTimeout)
		defer cancel()
		err = errors.Join(err, cluster.Down(down))
	}()
	return use(connectPair(cluster, names), up)
}

func connectPair(cluster machines.Cluster, names []string) *nodes {
	pair := &nodes{leaders: newLeaderView()}
	addrs := map[string]netip.Addr{}
	for _, name := range names {
		n := &node{machine: cluster.Machine(name), addrs: addrs, sink: ignoring{}, log: io.Discard}
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
		if reach, err = pair.Reach(ctx, 15*time.Millisecond); err != nil {
			return err
		}
		if reach[history.Link{From: "n1", To: "n2"}] == whole && reach[history.Link{From: "n2", To: "n1"}] {
			return nil
		}
	}
	return fmt.Errorf("probes between two machines arrived on %v, want %v", reach, want)
}

// ignoring is a sink for machines whose servers say nothing.
type ignoring struct{}

func (ignoring) event(history.NodeEvent) {}
func (ignoring) broken(error)            {}
