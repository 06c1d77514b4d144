package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"squall/history"
	"squall/nemesis"
)

// fakeCluster behaves as machines do, without any, in virtual time.
type fakeCluster struct {
	mu    sync.Mutex
	nodes []*fakeNode
	roles nemesis.Roles
	watch nemesis.Watch
	// What goes wrong: inert machines say yes and do nothing; uncounted ones
	// lose packets without a rule that drops them; startFails starts fail.
	inert, uncounted bool
	untold           int  // that often machines say that they shape nothing
	quiet, harmless  bool // no messages come; rules for them do nothing
	startFails       int
	crashing         bool     // servers end by themselves as soon as they are started
	commands         []string // SetNet in order

	members nemesis.Members
	before  nemesis.Members // until they were changed last
	changed time.Time
	roster  *nemesis.Roster
	trouble memberTrouble
	flowing func() // befalls it while flows are measured
}

type fakeNode struct {
	c    *fakeCluster
	name string

	proc      nemesis.Process
	net       nemesis.NetState
	up, lost  bool
	limits    fakeLimits
	hog       int64
	oomKills  uint64
	messages  []nemesis.MessageRule
	ruled     time.Time // when it got those
	disk      fakeDisk
	bend      nemesis.Bend
	bent      time.Time // when
	bentValue time.Duration
}

type fakeLimits struct {
	CPUs   float64
	Memory int64
}

const used = 40 << 20 // bytes that a machine of the fake uses

func newFake(n int) *fakeCluster {
	c := &fakeCluster{roles: nemesis.Roles{Leader: "n1", OldLeader: "n2", Candidate: "n3"}}
	names := nodeNames(n)
	for i, name := range names {
		c.nodes = append(c.nodes, &fakeNode{c: c, name: name, up: true, proc: nemesis.Process{Running: true, PID: 10 + i, State: "S"}})
	}
	c.members = nemesis.Members{Voters: names}
	c.roster = nemesis.NewRoster(names, c.members)
	return c
}

func nodeNames(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("n%d", i+1))
	}
	return names
}

func (c *fakeCluster) Nodes() []nemesis.Node {
	var nodes []nemesis.Node
	for _, n := range c.nodes {
		nodes = append(nodes, n)
	}
	return nodes
}

func (c *fakeCluster) Roles() nemesis.Roles { return c.roles }

func (c *fakeCluster) Watch() *nemesis.Watch { return &c.watch }

func (c *fakeCluster) node(name string) *fakeNode {
	i := slices.IndexFunc(c.nodes, func(n *fakeNode) bool { return n.name == name })
	if i < 0 {
		return nil
	}
	return c.nodes[i]
}

func (n *fakeNode) cuts(from string) bool {
	return slices.ContainsFunc(n.net.Cut, func(c nemesis.Cut) bool { return c.From == from })
}

// loses is what cuts is, one layer up: packets come, and no message does.
func (n *fakeNode) loses(from string) bool {
	return n.cuts(from) || n.rule(from).Do == nemesis.LoseMessage && n.rule(from).Types == nil
}

// rule is what befalls the messages of another node.
func (n *fakeNode) rule(from string) nemesis.MessageRule {
	i := slices.IndexFunc(n.messages, func(r nemesis.MessageRule) bool { return r.From == from })
	if i < 0 {
		return nemesis.MessageRule{}
	}
	return n.messages[i]
}

func (c *fakeCluster) Reach(_ context.Context, flight time.Duration) (map[history.Link]bool, error) {
	time.Sleep(flight) // virtual time passes for nobody who waits for a lock
	c.mu.Lock()
	defer c.mu.Unlock()
	reach := map[history.Link]bool{}
	for _, from := range append([]string{nemesis.Clients}, nodeNames(len(c.nodes))...) {
		for _, to := range c.nodes {
			if f := c.node(from); from != to.name && to.up && (f == nil || f.up) {
				reach[history.Link{From: from, To: to.name}] = !to.cuts(from)
			}
		}
	}
	return reach, nil
}

func (c *fakeCluster) Flow(_ context.Context, spec nemesis.FlowSpec) (map[history.Link]nemesis.Flow, error) {
	time.Sleep(time.Duration(spec.Count)*spec.Interval + spec.Wait)
	if c.flowing != nil {
		c.flowing()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	flows := map[history.Link]nemesis.Flow{}
	for _, link := range spec.Links {
		if !c.node(link.From).up || !c.node(link.To).up {
			continue
		}
		there, back := c.shaping(link), c.shaping(history.Link{From: link.To, To: link.From})
		flows[link] = flowOf(spec, there, back)
	}
	return flows, nil
}

func (c *fakeCluster) shaping(l history.Link) nemesis.Shaping {
	for _, s := range c.node(l.From).net.Shape {
		if s.To == l.To {
			return s.Shaping
		}
	}
	return nemesis.Shaping{}
}

// flowOf is what a shaped link does, on average.
func flowOf(spec nemesis.FlowSpec, s, back nemesis.Shaping) nemesis.Flow {
	n := float64(spec.Count)
	loss := s.Loss
	if s.Burst != nil {
		loss = s.Burst.Loss()
	}
	if s.CorruptKind == nemesis.CorruptChecksum {
		loss += s.Corrupt
	}
	f := nemesis.Flow{Sent: spec.Count, Received: int(n*(1-loss) + 0.5), OneWay: s.Delay + 100*time.Microsecond,
		RoundTrip: s.Delay + back.Delay + 200*time.Microsecond, Rate: 50e6}
	f.Duplicates = int(float64(f.Received)*s.Duplicate + 0.5)
	f.Reordered = int(float64(f.Received)*s.Reorder + 0.5)
	if s.CorruptKind == nemesis.CorruptPayload {
		f.Corrupted = int(float64(f.Received)*s.Corrupt + 0.5)
	}
	if s.Rate > 0 {
		f.Rate = float64(s.Rate)
	}
	return f
}

func (c *fakeCluster) Membership() (nemesis.Membership, *nemesis.Roster) {
	return fakeMembers{c}, c.roster
}

// do is what every primitive does: under the lock, and nothing if inert.
func (n *fakeNode) do(action func() error) error {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if n.c.inert {
		return nil
	}
	return action()
}

func (n *fakeNode) Name() string { return n.name }

func (n *fakeNode) Kill(context.Context) error {
	return n.do(func() error { n.proc = nemesis.Process{Exit: "signal: killed"}; return nil })
}

func (n *fakeNode) Start(context.Context) error {
	return n.do(func() error {
		if n.c.startFails > 0 {
			n.c.startFails--
			return errors.New("no such file")
		}
		switch {
		case n.c.crashing:
			n.proc = nemesis.Process{Exit: "exit status 2: panic", Crashed: true}
		case !n.proc.Running:
			n.c.trouble.asked = append(n.c.trouble.asked, "start "+n.name)
			n.proc = nemesis.Process{Running: true, PID: 99, State: "R"}
		}
		return nil
	})
}

func (n *fakeNode) setState(state string) error {
	return n.do(func() error {
		if n.proc.Running {
			n.proc.State = state
		}
		return nil
	})
}

func (n *fakeNode) Pause(context.Context) error  { return n.setState("T") }
func (n *fakeNode) Resume(context.Context) error { return n.setState("S") }

func (n *fakeNode) Process(context.Context) (nemesis.Process, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	return n.proc, nil
}

func (n *fakeNode) SetNet(_ context.Context, s nemesis.NetState) error {
	return n.do(func() error {
		if !n.up { // what it was told would be in force when it is on again
			return errors.New("the machine is off")
		}
		n.net = s
		n.c.commands = append(n.c.commands, fmt.Sprintf("%s cuts %d", n.name, len(s.Cut)))
		return nil
	})
}

func (n *fakeNode) NetCounts(context.Context) (nemesis.NetCounts, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	counts := nemesis.NetCounts{Cut: map[string]uint64{}, Shape: map[string]nemesis.ShapeCount{}}
	for _, c := range n.net.Cut {
		counts.Cut[c.From] = 3
	}
	for _, s := range n.net.Shape {
		counts.Shape[s.To] = nemesis.ShapeCount{Engine: "fake"}
	}
	if n.c.uncounted {
		clear(counts.Cut)
	}
	if n.c.untold > 0 {
		n.c.untold--
		clear(counts.Shape)
	}
	return counts, nil
}

func (n *fakeNode) Connect(_ context.Context, to []string, timeout time.Duration) ([]string, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	answers := make([]string, len(to))
	for i, name := range to {
		other := n.c.node(name)
		switch {
		case !other.up:
			answers[i] = "no route to host"
		case n.cuts(name) || other.cuts(n.name):
			answers[i] = "i/o timeout"
			if len(other.net.Cut) > 0 && other.net.Cut[0].Reject {
				answers[i] = "connection refused"
			}
		}
	}
	return answers, nil
}

func (n *fakeNode) Up() bool {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	return n.up
}

func (n *fakeNode) Lost() bool {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	return n.lost
}

func (n *fakeNode) PowerOff(context.Context) error {
	return n.do(func() error { n.off(); return nil })
}

func (n *fakeNode) off() {
	n.up, n.net, n.proc, n.bend, n.bentValue = false, nemesis.NetState{}, nemesis.Process{Exit: "power cut"}, nemesis.Bend{}, 0
	n.messages = nil
	n.disk.rules = nil
}

func (n *fakeNode) PowerOn(context.Context) error {
	return n.do(func() error {
		n.disk.restored, n.disk.cut = n.disk.cut && !n.up, n.disk.cut && n.up
		n.up, n.lost = true, false
		return nil
	})
}

func (n *fakeNode) LimitCPU(_ context.Context, cpus float64) error {
	return n.do(func() error { n.limits.CPUs = cpus; return nil })
}

func (n *fakeNode) LimitMemory(_ context.Context, bytes int64) error {
	return n.do(func() error { n.limits.Memory = bytes; return nil })
}

func (n *fakeNode) Spin(_ context.Context, d time.Duration, _ int) (time.Duration, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if n.limits.CPUs > 0 {
		return time.Duration(n.limits.CPUs * float64(d)), nil
	}
	return d, nil
}

func (n *fakeNode) Hog(_ context.Context, bytes int64) error {
	return n.do(func() error {
		n.hog = bytes
		if n.limits.Memory > 0 && used+bytes > n.limits.Memory {
			n.proc, n.hog = nemesis.Process{Exit: "signal: killed"}, 0
			n.oomKills++
		}
		return nil
	})
}

func (n *fakeNode) Usage(context.Context) (nemesis.Usage, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	return nemesis.Usage{Memory: used + n.hog, MemoryLimit: n.limits.Memory, OOMKills: n.oomKills}, nil
}

func (n *fakeNode) SetMessages(_ context.Context, rules []nemesis.MessageRule) error {
	return n.do(func() error {
		if !n.up {
			return errors.New("the machine is off")
		}
		n.messages, n.ruled = rules, time.Now()
		return nil
	})
}

// MessageCounts of a server that gets a message from each other every 10 ms.
func (n *fakeNode) MessageCounts(context.Context) (counts nemesis.MessageCounts, err error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if !n.up || !n.proc.Running || n.proc.State == "T" {
		return counts, errors.New("the server does not answer")
	}
	for _, rule := range n.messages {
		came := uint64(time.Since(n.ruled) / (10 * time.Millisecond))
		if n.c.quiet {
			came = 0
		}
		hit := uint64(rule.Share * float64(came))
		if n.c.harmless {
			hit = 0
		}
		counts.Rules = append(counts.Rules, nemesis.MessageCount{Matched: came, Hit: hit})
	}
	return counts, nil
}

func (n *fakeNode) BendClock(_ context.Context, b nemesis.Bend) error {
	return n.do(func() error { n.bend, n.bent = b, time.Now(); return nil })
}

func (n *fakeNode) ReadClock(context.Context) (nemesis.Reading, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	now := time.Now()
	rate := n.bend.Rate
	if rate == 0 {
		rate = 1
	}
	if n.bend.Frozen {
		rate = 0
	}
	since := now.Sub(n.bent)
	if n.bent.IsZero() {
		since = 0
	}
	skew := n.bend.Offset + time.Duration(float64(since)*(rate-1))
	return nemesis.Reading{True: now.UnixNano(), Server: now.UnixNano() + int64(skew), Error: 1000}, nil
}

// memberTrouble is what goes wrong with changes of members.
type memberTrouble struct {
	// answer says what a change is answered with, and whether it is made all the same;
	// nil: all are made.
	answer func(what, node string) (made bool, err error)
	lag    time.Duration // until a change is shown
	asked  []string      // every change, in order, and what was done to servers
}

// fakeMembers changes members at once.
type fakeMembers struct{ c *fakeCluster }

// Members are those of some time ago, if they are shown late.
func (m fakeMembers) Members(context.Context) (nemesis.Members, error) {
	m.c.mu.Lock()
	defer m.c.mu.Unlock()
	if time.Since(m.c.changed) < m.c.trouble.lag {
		return m.c.before, nil
	}
	return m.c.members, nil
}

func (m fakeMembers) set(what, node string, s nemesis.Standing) error {
	m.c.mu.Lock()
	defer m.c.mu.Unlock()
	t := &m.c.trouble
	t.asked = append(t.asked, what+" "+node)
	var answer error
	if t.answer != nil {
		var made bool
		if made, answer = t.answer(what, node); !made {
			return answer
		}
	}
	if m.c.inert {
		return nil
	}
	out := func(names []string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == node })
	}
	m.c.before, m.c.changed = m.c.members, time.Now()
	now := nemesis.Members{Voters: out(m.c.members.Voters), Learners: out(m.c.members.Learners)}
	switch s {
	case nemesis.Voter:
		now.Voters = slices.Sorted(slices.Values(append(now.Voters, node)))
	case nemesis.Learner:
		now.Learners = append(now.Learners, node)
	}
	m.c.members = now
	return answer
}

func (m fakeMembers) Add(_ context.Context, node string, learner bool) error {
	if learner {
		return m.set("add as a learner", node, nemesis.Learner)
	}
	return m.set("add", node, nemesis.Voter)
}

func (m fakeMembers) Remove(_ context.Context, node string) error {
	return m.set("remove", node, nemesis.Outside)
}

func (m fakeMembers) Promote(_ context.Context, node string) error {
	return m.set("promote", node, nemesis.Voter)
}

func (m fakeMembers) Transfer(_ context.Context, to string) error {
	m.c.mu.Lock()
	defer m.c.mu.Unlock()
	if m.c.trouble.answer != nil {
		if made, err := m.c.trouble.answer("transfer", to); !made {
			return err
		}
	}
	if !m.c.inert {
		m.c.roles.OldLeader, m.c.roles.Leader = m.c.roles.Leader, to
	}
	return nil
}

func (m fakeMembers) Wipe(ctx context.Context, node string) error {
	m.c.mu.Lock()
	m.c.trouble.asked = append(m.c.trouble.asked, "wipe "+node)
	m.c.mu.Unlock()
	return m.c.node(node).Kill(ctx)
}

type memory struct {
	mu     sync.Mutex
	faults []history.Fault
}

func (m *memory) Append(r history.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = append(m.faults, *r.Fault)
	return nil
}

// planned is a fault of a schedule for five nodes that holds for three seconds.
func planned(fault nemesis.Fault, variant string) nemesis.Planned {
	return nemesis.Planned{ID: 1, Fault: fault.Name, Variant: variant, Params: fault.Params.Fill(nil, nil),
		AtMs: 1000, ForMs: 3000, Order: nodeNames(5), Seed: 7}
}

// runFake carries out faults on the fake in virtual time.
func runFake(t *testing.T, c *fakeCluster, plan ...nemesis.Planned) (faults []history.Fault, err error) {
	synctest.Test(t, func(t *testing.T) {
		var rec memory
		begin := time.Now()
		r := nemesis.Runner{Catalogue: All(), Cluster: c, Recorder: &rec, Now: func() int64 { return int64(time.Since(begin)) }}
		err = r.Run(t.Context(), plan, 0)
		faults = rec.faults
	})
	return faults, err
}

// whole says what is still wrong with the nodes.
func (c *fakeCluster) hurt() []string {
	var wrong []string
	for _, n := range c.nodes {
		if len(n.net.Cut)+len(n.net.Shape) > 0 || !n.proc.Running || n.proc.State == "T" || !n.up || n.limits != (fakeLimits{}) ||
			n.hog != 0 || len(n.messages) > 0 || len(n.disk.rules) > 0 || n.disk.cut || n.disk.damaged || n.bend != (nemesis.Bend{}) {
			wrong = append(wrong, fmt.Sprintf("%s: %+v", n.name, *n))
		}
	}
	if len(c.members.Voters) != len(c.nodes) {
		wrong = append(wrong, c.members.String())
	}
	return wrong
}
