package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"squall/history"
	"squall/nemesis"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/machines"
	"squall/orchestrator/testplan"
	"squall/workloads/systems"
)

// bringUp makes the machines and greets their agents.
func (r *run) bringUp(ctx context.Context) error {
	r.env.Runtime = r.cfg.Runtime.Describe(ctx)
	binary := r.binary
	r.env.Binary, r.env.Files, r.env.ClientFiles = binary.Key, r.files.servers.Files(), r.files.clients.Files()
	reach := ctx // as long as the test
	ctx, cancel := context.WithTimeout(ctx, upTimeout+time.Duration(r.files.bytes()>>20)*time.Second)
	defer cancel()
	r.cfg.Progress.Phase(fmt.Sprintf("starting %d machines in %s", len(r.plan.Nodes)+1, r.cfg.Runtime.Name()))
	cluster, err := r.cfg.Runtime.Up(ctx, machines.ClusterSpec{
		Run: filepath.Base(r.dir), Machines: machineSpecs(r.plan.Nodes, r.plan.Test, r.files, r.plan.Schedule), Binary: binary.Path, BinaryKey: binary.Key,
	})
	if err != nil {
		return err
	}
	r.cluster = cluster
	go r.watchReach(reach, pingEvery)
	if err := r.connect(); err != nil {
		return err
	}
	if err := r.greet(ctx); err != nil {
		return err
	}
	if err := r.openHistory(); err != nil {
		return err
	}
	if r.plan.Test.Trace == testplan.TraceFull {
		r.nodes.watch.OnSteps(r.nodes.prompts.want)
		r.prompting.Go(func() { r.nodes.keepPrompt(reach) })
	}
	r.markClock(r.clock)
	r.mark(history.MarkUp, fmt.Sprintf("%d machines", len(r.plan.Nodes)+1))
	return nil
}

// machineSpecs are the nodes' machines, with the test's limits and the files of the
// system's servers, and the driver's, with those of its clients. Where a fault is one of disks, or
// journals of them are asked for, and only then, a file system of squall's lies on the nodes'.
func machineSpecs(nodes []string, t testplan.Test, sets machineSets, schedule []nemesis.Planned) []machines.MachineSpec {
	disk := len(needsOf(schedule)[nemesis.NeedDisk]) > 0 || t.DiskJournal > 0
	var specs []machines.MachineSpec
	for _, name := range nodes {
		specs = append(specs, machines.MachineSpec{Name: name, CPUs: t.CPUs, Memory: int64(t.Memory) << 20, Files: sets.servers, Disk: disk, DiskJournal: int64(t.DiskJournal) << 20})
	}
	return append(specs, machines.MachineSpec{Name: driverMachine, Files: sets.clients})
}

// connect makes the agents' clients, each with a log file of its own.
func (r *run) connect() error {
	system, err := r.plan.Test.FindSystem()
	if err != nil {
		return err
	}
	peers := r.peers()
	addrs := map[string]netip.Addr{}
	for _, p := range peers {
		addrs[p.Name] = p.Addr
	}
	addrs[nemesis.Clients] = r.cluster.Machine(driverMachine).Addr()
	_, bends := systems.As[systems.ClockBender](system)
	_, ruled := systems.As[systems.MessageRuler](system)
	cluster := systems.Cluster{Nodes: peers, Seed: r.plan.Test.Seed}
	for _, p := range peers {
		start, err := system.Server(p, cluster, r.plan.Test.SystemParams)
		if err != nil {
			return fmt.Errorf("prepare the server of %s: %w", p.Name, err)
		}
		log, err := r.openLog(p.Name)
		if err != nil {
			return err
		}
		n := &node{machine: r.cluster.Machine(p.Name), start: start, untraced: !systems.Traced(system), bends: bends, ruled: ruled, addrs: addrs, sink: r, log: log,
			memory: int64(r.plan.Test.Memory) << 20, now: func() int64 { return r.clock.now() }, begin: r.earliest, lost: r.lost}
		if reader, ok := systems.As[systems.LogReader](system); ok && n.untraced {
			n.told = &logTeller{patterns: reader.LogPatterns(), nodes: r.plan.Nodes,
				full: func() {
					r.log.Warn("a server wrote so much that its log is not read on: who leads is not known from it", "node", p.Name)
				}}
		}
		if readier, ok := systems.As[systems.Readier](system); ok && readier.ReadyLine() != nil {
			n.readyLine = newLineWatch(readier.ReadyLine())
		}
		if n.full, err = r.openFullTrace(p.Name); err != nil {
			return err
		}
		n.prompt = r.nodes.prompts.wanted.Load
		n.connect()
		r.nodes.all = append(r.nodes.all, n)
	}
	r.setMembership(system, cluster)
	log, err := r.openLog(driverMachine)
	if err != nil {
		return err
	}
	l := r.loader
	l.machine, l.sink, l.log = r.cluster.Machine(driverMachine), r, log
	l.lines = func(lines []byte) error { return r.record().AppendLines(lines) }
	l.status = r.loadStatus
	l.agent = protocol.NewClient(l.machine.Control(), l)
	r.nodes.clients = l
	go func() {
		<-l.agent.Done()
		r.lost(l.machine, l.agent)
	}()
	return nil
}

// peers are the nodes as a system under test addresses them.
func (r *run) peers() []systems.Node {
	var peers []systems.Node
	for i, name := range r.plan.Nodes {
		peers = append(peers, systems.Node{ID: i + 1, Name: name, Addr: r.cluster.Machine(name).Addr()})
	}
	return peers
}

func (r *run) openLog(machine string) (*boundedLog, error) {
	folder := filepath.Join(r.dir, nodesDir, machine)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("keep the log of %s: %w", machine, err)
	}
	log, err := newBoundedLog(filepath.Join(folder, serverLog), func() {
		r.log.Warn("a log is too long: from here on only its end is kept", "machine", machine, "MiB", maxLogHead>>20)
		r.env.shortened(machine)
	})
	if err != nil {
		return nil, fmt.Errorf("keep the log of %s: %w", machine, err)
	}
	r.logs = append(r.logs, log)
	return log, nil
}

// lost fails the test when a machine has ended that squall did not switch off.
func (r *run) lost(m machines.Machine, agent *protocol.Client) {
	r.fail(fmt.Errorf("the machine %s was lost in the middle of the test: %s", m.Name(), death(m, agent)))
}

// death says why a machine whose agent is gone has ended.
func death(m machines.Machine, agent *protocol.Client) string {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	if why := m.Death(ctx); why != "" {
		return why
	}
	return agent.Err().Error()
}

// greetOne waits until an agent answers.
func greetOne(ctx context.Context, m machines.Machine, agent *protocol.Client) (protocol.Hello, error) {
	hello, err := agent.Hello(ctx)
	if errors.Is(err, protocol.ErrAgentGone) {
		return hello, fmt.Errorf("the machine %s ended before its agent answered: %s", m.Name(), death(m, agent))
	}
	if err != nil {
		return hello, fmt.Errorf("greet the machine %s: %w", m.Name(), err)
	}
	return hello, nil
}

// greet waits until every agent answers, and learns the machines' clock.
func (r *run) greet(ctx context.Context) error {
	hello, err := greetOne(ctx, r.loader.machine, r.loader.agent)
	if err != nil {
		return err
	}
	r.env.isolated(hello.Isolation)
	if r.clock, err = compareClocks(ctx, r.loader.agent, hello.BootID != "" && hello.BootID == bootID()); err != nil {
		return err
	}
	return r.nodes.each(ctx, func(ctx context.Context, _ int, n *node) error {
		hello, err := greetOne(ctx, n.machine, n.agent())
		r.env.isolated(hello.Isolation)
		return err
	})
}

// collect ends the driver and the servers, so that everything they wrote is
// taken. It does what it can: a machine that is lost has nothing to give.
func (r *run) collect(ctx context.Context) {
	if ctx.Err() != nil || !r.reachable() {
		return // leaving at once
	}
	whole := ctx
	ctx, cancel := context.WithTimeout(ctx, downTimeout)
	defer cancel()
	var group errgroup.Group
	if agent := r.loader.agent; agent != nil {
		group.Go(func() error {
			ctx, cancel, grace := r.loader.patience(ctx)
			defer cancel()
			state, err := agent.Terminate(ctx, grace)
			if err != nil || state.Boot == 0 { // it never ran
				return err
			}
			return r.loader.awaitExit(ctx)
		})
	}
	for _, n := range r.nodes.all {
		if n.Up() { // else it has nothing to give
			group.Go(func() error {
				if err := n.stop(ctx); err != nil {
					return err
				}
				return n.awaitEnd(ctx)
			})
		}
	}
	if err := group.Wait(); err != nil {
		r.log.Warn("collect", "err", err)
	}
	r.keepJournals(whole)
}

// keep ends the machines but leaves their disks, and says where they are.
func (r *run) keep() (where string, err error) {
	if r.cluster == nil { // there never were any
		return "", nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), downTimeout)
	defer cancel()
	if where, err = r.cluster.Keep(ctx); err != nil {
		return "", fmt.Errorf("keep the machines: %w", err)
	}
	r.cluster = nil
	r.disconnect()
	return where, nil
}

// down takes the machines away. It is idempotent.
func (r *run) down() {
	if r.cluster == nil {
		return
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), downTimeout)
	defer cancel()
	if err := r.cluster.Down(ctx); err != nil {
		r.log.Error("machines could not be removed; `squall clean` does", "err", err)
	}
	r.cluster = nil
	r.env.mark("down", time.Since(begun))
	r.disconnect()
}

// disconnect ends the talk with agents that are gone, and the logs that came
// from them.
func (r *run) disconnect() {
	if r.loader.agent != nil {
		_ = r.loader.agent.Close()
	}
	for _, n := range r.nodes.all {
		_ = n.agent().Close()
	}
	r.closeFullTraces()
	for _, log := range r.logs {
		if err := log.Close(); err != nil {
			r.log.Warn("the end of a log is lost", "err", err)
		}
	}
}
