package boot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"squall/nodeimage/agent/protocol"
	"squall/orchestrator"
	"squall/orchestrator/crash"
	"squall/orchestrator/machines"
	"squall/orchestrator/testplan"
	"squall/workloads"
	"squall/workloads/driver"
	"squall/workloads/systems"
)

// Options are how a Site boots states.
type Options struct {
	Runtime  machines.Runtime
	Machines *orchestrator.Machines // of the test
	Test     testplan.Test
	Run      string        // it goes into names and labels
	Serve    time.Duration // in which every node of a state must serve
	// Disk lays squall's file system on the nodes' data directories, for a second power cut to take what is not synced; the place
	// must allow that (machines.CanDisk, machines.CanRestart). Otherwise all servers are killed in its place.
	Disk bool
}

// Times that the steps of a boot may take before it has failed.
const (
	upTimeout   = 3 * time.Minute
	layTimeout  = time.Minute
	downTimeout = 30 * time.Second
	scanTimeout = 10 * time.Second // to read everything back
	opTimeout   = 5 * time.Second
	slack       = 20 * time.Second // beside what the driver bounds
)

// Site is machines that boot one state after the other. A boot that failed leaves it with new machines at the next.
type Site struct {
	opts    Options
	system  systems.System
	cluster machines.Cluster // nil: there are none
	servers []*server
	clients *clients
}

var _ crash.Booter = (*Site)(nil)

// New makes no machines yet.
func New(o Options) (*Site, error) {
	system, err := o.Test.FindSystem()
	if err != nil {
		return nil, err
	}
	return &Site{opts: o, system: system}, nil
}

// Close removes the machines.
func (s *Site) Close() error {
	if s.cluster == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), downTimeout)
	defer cancel()
	err := s.cluster.Down(ctx)
	for _, one := range s.servers {
		_ = one.agent.Close()
	}
	_ = s.clients.agent.Close()
	s.cluster, s.servers, s.clients = nil, nil, nil
	return err
}

// up makes the machines.
func (s *Site) up(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	spec := s.opts.Machines.Spec(s.opts.Run, s.opts.Disk)
	if s.cluster, err = s.opts.Runtime.Up(ctx, spec); err != nil {
		return err
	}
	var cluster systems.Cluster
	for i, name := range testplan.NodeNames(s.opts.Test.Nodes) {
		cluster.Nodes = append(cluster.Nodes, systems.Node{ID: i + 1, Name: name, Addr: s.cluster.Machine(name).Addr()})
	}
	cluster.Seed = s.opts.Test.Seed
	s.clients = &clients{machine: s.cluster.Machine(orchestrator.DriverMachine), changed: make(chan struct{})}
	s.clients.agent = protocol.NewClient(s.clients.machine.Control(), s.clients)
	for _, node := range cluster.Nodes {
		s.servers = append(s.servers, newServer(node, s.cluster.Machine(node.Name)))
	}
	if _, err := s.clients.agent.Hello(ctx); err != nil {
		return fmt.Errorf("greet the machine of the clients: %w", err)
	}
	for _, one := range s.servers {
		if err := one.greet(ctx); err != nil {
			return err
		}
		if one.start, err = s.system.Server(one.node, cluster, s.opts.Test.SystemParams); err != nil {
			return fmt.Errorf("prepare the server of %s: %w", one.node.Name, err)
		}
	}
	return nil
}

// Boot implements crash.Booter.
func (s *Site) Boot(ctx context.Context, o crash.Order) (*crash.Seen, error) {
	if s.cluster == nil {
		if err := s.up(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("make machines: %w", err), s.Close())
		}
	}
	seen, err := s.boot(ctx, o)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return seen, nil
}

func (s *Site) boot(ctx context.Context, o crash.Order) (*crash.Seen, error) {
	laying, cancel := context.WithTimeout(ctx, layTimeout)
	defer cancel()
	err := s.each(laying, func(ctx context.Context, one *server) error {
		return one.lay(ctx, o.Images[one.node.Name], s.opts.Disk)
	})
	if err != nil {
		return nil, err
	}
	return s.start(ctx, o.Look, 0)
}

// Again implements crash.Booter.
func (s *Site) Again(ctx context.Context, look []crash.Intent) (*crash.Seen, error) {
	if s.cluster == nil {
		return nil, errors.New("nothing was booted")
	}
	seen, err := s.again(ctx, look)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return seen, nil
}

func (s *Site) again(ctx context.Context, look []crash.Intent) (*crash.Seen, error) {
	lost, err := s.cut(ctx)
	if err != nil {
		return nil, err
	}
	seen, err := s.start(ctx, look, secondAttempt)
	if err == nil {
		seen.Cut = lost
	}
	return seen, err
}

// secondAttempt is beyond the attempts of a first start.
const secondAttempt = 1 << 21

// start starts the servers, and looks at them until none ends meanwhile.
func (s *Site) start(ctx context.Context, look []crash.Intent, attempt int) (*crash.Seen, error) {
	starting, cancel := context.WithTimeout(ctx, layTimeout)
	defer cancel()
	seen := &crash.Seen{Bound: s.opts.Serve, ScanBound: scanTimeout}
	var err error
	if seen.Began, err = s.clients.agent.Clock(starting); err != nil {
		return nil, err
	}
	ended := make(chan struct{}, len(s.servers)) // a server ends once at most
	err = s.each(starting, func(ctx context.Context, one *server) error { return one.run(ctx, func() { ended <- struct{}{} }) })
	if err != nil {
		return nil, err
	}
	for {
		again, err := s.look(ctx, look, attempt, seen, ended)
		if err != nil || !again {
			return seen, err
		}
	}
}

// errEnded ends a look, for a server has ended.
var errEnded = errors.New("a server ended")

// look has the clients look at the servers that run. again: one ended meanwhile, and the others are to be looked at
// anew. Those that a client saw serve before are held to that all the same: it is what serves in the end that counts.
func (s *Site) look(ctx context.Context, look []crash.Intent, attempt int, seen *crash.Seen, ended <-chan struct{}) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, seen.Bound+2*seen.ScanBound+slack)
	defer cancel()
	watched, end := context.WithCancelCause(ctx)
	defer end(nil)
	released := make(chan struct{})
	defer func() { <-released }()
	defer end(nil)
	go func() {
		defer close(released)
		select {
		case <-ended:
			end(errEnded)
		case <-watched.Done():
		}
	}()
	seen.Ended = nil
	var nodes []systems.Node
	for _, one := range s.servers {
		if e := one.end(); e != nil {
			seen.Ended = append(seen.Ended, *e)
			continue
		}
		nodes = append(nodes, one.node)
	}
	if len(nodes) == 0 {
		return false, nil
	}
	err = s.ask(watched, nodes, look, attempt, seen)
	if errors.Is(context.Cause(watched), errEnded) {
		return true, nil
	}
	return false, err
}

// ask has clients show that nodes serve, read everything back, and compare the nodes' copies.
func (s *Site) ask(ctx context.Context, nodes []systems.Node, look []crash.Intent, attempt int, seen *crash.Seen) error {
	t := &s.opts.Test
	config := driver.Config{System: t.System, Definition: t.Definition, SystemArgs: t.SystemParams, Workload: t.Workload, Args: t.WorkloadParams,
		Nodes: nodes, Seed: t.Seed, Clients: len(nodes), Timeout: opTimeout, Patience: t.Patience(),
		Recovery: seen.Bound, ScanTimeout: seen.ScanBound, Look: []workloads.Intent{}, Attempt: attempt}
	for _, in := range look {
		config.Look = append(config.Look, workloads.Intent{Func: in.Func, Key: in.Key, In: in.In})
	}
	c := s.clients
	if err := c.start(ctx, config); err != nil {
		return err
	}
	if _, err := c.await(ctx, driver.EventLoadBegin); err != nil {
		return err
	}
	commands, last := driver.CommandRecover+"\n"+driver.CommandScan, driver.EventScanned
	if systems.TellsReplicas(s.system) {
		commands, last = commands+"\n"+driver.CommandCompare, driver.EventCompared
	}
	if err := c.say(ctx, commands); err != nil {
		return err
	}
	end, err := c.await(ctx, last)
	if err != nil {
		return err
	}
	scan, err := c.await(ctx, driver.EventScan)
	if err != nil {
		return err
	}
	seen.Scan, seen.Replicas, seen.Compared = scan.Time, end.Replicas, end.Time
	if err := c.say(ctx, driver.CommandQuit); err != nil {
		return err
	}
	seen.Ops, err = c.awaitExit(ctx)
	return err
}

// each does something with every server at once.
func (s *Site) each(ctx context.Context, do func(context.Context, *server) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, one := range s.servers {
		group.Go(func() error { return do(ctx, one) })
	}
	return group.Wait()
}
