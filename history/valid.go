package history

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"squall/internal/plain"
)

// Limits on times, ns. Within them no sum or difference of times overflows.
const (
	// maxMono is the latest CLOCK_MONOTONIC at which a test may begin: the
	// machine was started a hundred years ago.
	maxMono = 100 * 365 * 24 * int64(time.Hour)
	// maxTest is how long after its begin a test may still record. The load of one
	// lasts a day at most.
	maxTest = 8 * 24 * int64(time.Hour)
)

const (
	maxProcess = 1 << 53 // what a page's script can hold exactly
	maxNodes   = 1000
	maxName    = 64 // bytes of a node's name, which is that of a folder too
)

// Places in faults that are no nodes: where the clients are.
const (
	placeClients = "clients"
	placeDriver  = "driver"
)

// validator refuses what no recorder writes. It takes the records of a history
// in the order of the file and is the one place that says what a history may
// hold, for the recorder and for every reader. What concerns the fields of one
// operation's line is in opDraft.finish, and what needs all operations of a
// process in order in checkProcesses.
type validator struct {
	header Header
	// register says that the operations are those of registers: the header lists just
	// their functions. Those of version 1 are seen to while they are read.
	register bool
	said     RegisterData // the last of them
	nodes    map[string]*nodeLife
	faults   map[int]*faultLife
	// slack is how much earlier than the header a time may be: the error of the
	// clocks' comparison.
	slack int64
	// stage is the last mark of the course of the test, and where it stands in it.
	stage     Mark
	stageSeen map[string]bool
}

// nodeLife is what was seen of a node.
type nodeLife struct {
	boot  int // that was started last; 0: none was
	ended int // the boot that ended last
}

// faultLife is what was seen of a fault.
type faultLife struct {
	name   string
	begun  int64 // when its injection was over, ns
	healed bool
}

// newValidator checks the header.
func newValidator(h Header) (*validator, error) {
	if h.Mono < 0 || h.Mono > maxMono {
		return nil, fmt.Errorf("the header says that the test began at %d ns of the machine's clock; expected 0 to %d", h.Mono, maxMono)
	}
	if len(h.Nodes) == 0 || len(h.Nodes) > maxNodes {
		return nil, fmt.Errorf("the header names %d nodes; expected 1 to %d", len(h.Nodes), maxNodes)
	}
	v := &validator{header: h, nodes: make(map[string]*nodeLife, len(h.Nodes)), faults: map[int]*faultLife{}, stageSeen: map[string]bool{}}
	for _, name := range h.Nodes {
		if err := checkNodeName(name); err != nil {
			return nil, fmt.Errorf("the header names a node %s: %w", plain.Excerpt([]byte(name)), err)
		}
		if v.nodes[name] != nil {
			return nil, fmt.Errorf("the header names node %s twice", name)
		}
		v.nodes[name] = &nodeLife{}
	}
	if err := h.Functions.check(); err != nil {
		return nil, fmt.Errorf("the header: %w", err)
	}
	v.register = h.Version != 1 && h.Functions.isRegister()
	return v, nil
}

// checkNodeName refuses what cannot be the name of a machine and of its folder
// in the run directory.
func checkNodeName(name string) error {
	odd := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r))
	}
	switch {
	case name == "" || len(name) > maxName:
		return fmt.Errorf("a name has 1 to %d bytes", maxName)
	case name == placeClients || name == placeDriver:
		return errors.New("that is what the machine of the clients is called")
	case strings.HasPrefix(name, "."), strings.ContainsFunc(name, odd):
		return errors.New("a name is made of letters, digits, dashes, underscores and dots, and does not begin with a dot")
	}
	return nil
}

// record takes the next record; open says that it is an operation still under
// way.
func (v *validator) record(rec Record, open bool) error {
	switch {
	case rec.Op != nil:
		return v.op(rec.Op, open)
	case rec.Fault != nil:
		return v.fault(rec.Fault)
	case rec.Node != nil:
		return v.node(rec.Node)
	default:
		return v.mark(rec.Mark)
	}
}

// time refuses a time at which the test did not run.
func (v *validator) time(what string, at int64) error {
	mono := v.header.Mono
	switch {
	case at < mono-v.slack:
		return fmt.Errorf("%s is at %d ns, before the start of the test at %d", what, at, mono)
	case at > mono+maxTest:
		return fmt.Errorf("%s is at %d ns, more than %v after the start of the test at %d", what, at, time.Duration(maxTest), mono)
	}
	return nil
}

func (v *validator) op(op *Op, open bool) error {
	if op.Process < 0 || op.Process > maxProcess {
		return fmt.Errorf("process %d; processes are numbered from 0 to %d", op.Process, int64(maxProcess))
	}
	if !v.named(op.Node) {
		return v.unknownNode("an operation", op.Node)
	}
	if !v.header.Functions.Have(op.Func) {
		return fmt.Errorf("unknown function %s; the header lists %s", plain.Excerpt([]byte(op.Func)), v.header.Functions)
	}
	if v.register {
		if err := op.AsRegister(&v.said); err != nil {
			return err
		}
	}
	if err := v.time("the call", op.Call); err != nil || open {
		return err
	}
	return v.time("the return", op.Return)
}

// named reports whether the header names a node. Operations come by the million,
// and for a handful of names a map is the slower way.
func (v *validator) named(node string) bool {
	const handful = 16
	if len(v.header.Nodes) <= handful {
		return slices.Contains(v.header.Nodes, node)
	}
	return v.nodes[node] != nil
}

func (v *validator) unknownNode(what, node string) error {
	return fmt.Errorf("%s names the node %s, and the header names %s", what, plain.Excerpt([]byte(node)), strings.Join(v.header.Nodes, ", "))
}

func (v *validator) fault(f *Fault) error {
	if err := v.faultFields(f); err != nil {
		return err
	}
	before := v.faults[f.ID]
	if f.Phase == Inject {
		if before != nil {
			return fmt.Errorf("fault %d is injected twice", f.ID)
		}
		v.faults[f.ID] = &faultLife{name: f.Name, begun: max(f.Begin, f.End)}
		return nil
	}
	switch {
	case before == nil:
		return fmt.Errorf("fault %d is healed but was never injected", f.ID)
	case before.healed:
		return fmt.Errorf("fault %d is healed twice", f.ID)
	case before.name != f.Name:
		return fmt.Errorf("fault %d was injected as %s and is healed as %s", f.ID, plain.Excerpt([]byte(before.name)), plain.Excerpt([]byte(f.Name)))
	case f.Begin < before.begun:
		return fmt.Errorf("fault %d is healed at %d ns, before its injection was over at %d", f.ID, f.Begin, before.begun)
	}
	before.healed = true
	return nil
}

// faultFields checks what can be said of one line of a fault alone.
func (v *validator) faultFields(f *Fault) error {
	kinds := []FaultKind{"", KindPartition, KindPackets, KindMessages, KindProcess, KindMachine, KindDisk, KindClock, KindMembership, KindSequence}
	switch {
	case f.Phase != Inject && f.Phase != Heal:
		return fmt.Errorf("fault %d has the unknown phase %s; want %q or %q", f.ID, plain.Excerpt([]byte(f.Phase)), Inject, Heal)
	case f.ID < 1:
		return fmt.Errorf("a fault has the number %d; they count from 1", f.ID)
	case f.Name == "":
		return fmt.Errorf("fault %d has no name", f.ID)
	case !slices.Contains(kinds, f.Kind):
		return fmt.Errorf("fault %d has the unknown kind %s", f.ID, plain.Excerpt([]byte(f.Kind)))
	case f.Phase == Inject && f.Lapsed != "":
		return fmt.Errorf("fault %d lapsed in its injection; only the heal can say so", f.ID)
	case f.End != 0 && f.End < f.Begin:
		return fmt.Errorf("fault %d: the end of a step at %d ns is before its start at %d", f.ID, f.End, f.Begin)
	}
	if err := v.time("a fault", f.Begin); err != nil {
		return err
	}
	if f.End != 0 {
		if err := v.time("the end of a fault's step", f.End); err != nil {
			return err
		}
	}
	if err := v.aim(f); err != nil {
		return err
	}
	for _, node := range f.Targets {
		if !v.place(node) {
			return v.unknownNode(fmt.Sprintf("fault %d", f.ID), node)
		}
	}
	for _, l := range f.Cut {
		for _, end := range []string{l.From, l.To} {
			if !v.place(end) {
				return v.unknownNode(fmt.Sprintf("fault %d", f.ID), end)
			}
		}
	}
	return nil
}

// aim checks what a fault was aimed at.
func (v *validator) aim(f *Fault) error {
	a := f.Aim
	switch {
	case a == nil:
		return nil
	case f.Phase != Inject:
		return fmt.Errorf("fault %d has an aim in its heal; only the injection has one", f.ID)
	case a.Moment == "":
		return fmt.Errorf("fault %d is aimed at a moment without a name", f.ID)
	case a.After < 0:
		return fmt.Errorf("fault %d was to begin %d ns before its moment", f.ID, -a.After)
	case a.Missed():
		if a.Node != "" || a.Peer != "" || a.Term != 0 {
			return fmt.Errorf("fault %d has missed its moment, and says whose it was", f.ID)
		}
		return nil
	case a.Time > f.Begin:
		return fmt.Errorf("fault %d began at %d ns, before its moment at %d", f.ID, f.Begin, a.Time)
	}
	for _, node := range []string{a.Node, a.Peer} {
		if node != "" && v.nodes[node] == nil {
			return v.unknownNode(fmt.Sprintf("the aim of fault %d", f.ID), node)
		}
	}
	return v.time("the moment of a fault", a.Time)
}

// place reports whether a fault may act there.
func (v *validator) place(name string) bool {
	return v.nodes[name] != nil || name == placeClients || name == placeDriver
}

func (v *validator) node(e *NodeEvent) error {
	life := v.nodes[e.Node]
	if life == nil {
		return v.unknownNode("a node event", e.Node)
	}
	if err := CheckEvent(e); err != nil {
		return err
	}
	if err := v.time("an event of "+e.Node, e.Time); err != nil {
		return err
	}
	switch {
	case e.Kind == EventLogged && e.Leader != "" && v.nodes[e.Leader] == nil:
		return v.unknownNode("an event \"logged\"", e.Leader)
	case e.Boot < 1:
		return fmt.Errorf("%s: boot %d; they count from 1", e.Node, e.Boot)
	case e.Kind == EventStart && e.Boot <= life.boot:
		return fmt.Errorf("%s: boot %d starts after boot %d was started: boot numbers only increase", e.Node, e.Boot, life.boot)
	case e.Kind == EventStart:
		life.boot = e.Boot
	case life.boot > 0 && e.Boot > life.boot:
		return fmt.Errorf("%s: an event of boot %d, and the last that was started is %d", e.Node, e.Boot, life.boot)
	case e.Kind == EventExit && e.Boot <= life.ended:
		return fmt.Errorf("%s: boot %d ends, and boot %d had ended before", e.Node, e.Boot, life.ended)
	case e.Kind == EventExit:
		life.ended = e.Boot
	}
	return nil
}

// CheckEvent refuses a node event that cannot be, whatever history it is in: one
// of an unknown kind, or one that lacks what its kind must say. A server's own
// trace has to keep to it, as far as it goes (docs/trace.md).
func CheckEvent(e *NodeEvent) error {
	lacks := ""
	switch e.Kind {
	case EventRole:
		if !slices.Contains([]string{RoleFollower, RoleCandidate, RoleLeader, RoleStopped}, e.Role) {
			return fmt.Errorf("an event %q with the unknown role %s", e.Kind, plain.Excerpt([]byte(e.Role)))
		}
	case EventLogged:
		if !slices.Contains([]string{RoleFollower, RoleCandidate, RoleLeader}, e.Role) {
			return fmt.Errorf("an event %q with the unknown role %s", e.Kind, plain.Excerpt([]byte(e.Role)))
		}
	case EventVote:
		if e.Vote == "" {
			lacks = "vote"
		}
	case EventState:
		if e.Hash == "" {
			lacks = "h"
		}
	case EventCommit, EventSnapshot, EventMembers, EventTrial, EventStart, EventExit, EventPause, EventResume, EventSilent:
	default:
		return fmt.Errorf("a node event of the unknown kind %s", plain.Excerpt([]byte(e.Kind)))
	}
	if lacks != "" {
		return fmt.Errorf("an event %q without its %q", e.Kind, lacks)
	}
	if e.Timeout < 0 || e.Timeout > maxTest || e.Late < -maxTest || e.Late > maxTest {
		return fmt.Errorf("an event %q with a timeout of %d ns and late by %d ns", e.Kind, e.Timeout, e.Late)
	}
	return nil
}

// course are the marks that a test passes in this order, as far as it gets, and
// once. Only MarkServing may be several: trials of elections have one for each range
// of timeouts.
func course() []string {
	return []string{MarkUp, MarkServing, MarkLoadBegin, MarkLoadEnd, MarkHealed, MarkFinalReads, MarkScan, MarkDone}
}

// remarks are the marks that may come at any time, any number of times.
func remarks() []string {
	return []string{MarkClock, MarkRate, MarkObserved, MarkReplicas, MarkMissed, MarkStopped, MarkSeen, MarkOverloaded, MarkInvalid}
}

func (v *validator) mark(m *Mark) error {
	if m.Clock != nil {
		if err := v.clock(m.Clock); err != nil {
			return err
		}
	}
	if (m.Replicas != nil) != (m.Name == MarkReplicas) {
		return fmt.Errorf("the mark %q: only %q says, and always says what nodes told of their copies", m.Name, MarkReplicas)
	}
	if m.Replicas != nil {
		if err := v.replicas(m.Replicas); err != nil {
			return err
		}
	}
	if (m.Rate != nil) != (m.Name == MarkRate) {
		return fmt.Errorf("the mark %q: only %q says, and always says at what rate operations arrive", m.Name, MarkRate)
	}
	if r := m.Rate; r != nil && !r.valid() {
		return fmt.Errorf("the mark %q has %g to %g operations a second in %d ns", m.Name, r.From, r.To, r.For)
	}
	if err := v.time(fmt.Sprintf("the mark %q", m.Name), m.Time); err != nil {
		return err
	}
	if m.Bound < 0 || m.Bound > maxTest {
		return fmt.Errorf("the mark %q has a bound of %d ns", m.Name, m.Bound)
	}
	at := slices.Index(course(), m.Name)
	switch {
	case at < 0 && slices.Contains(remarks(), m.Name):
		return nil
	case at < 0:
		return fmt.Errorf("the unknown mark %s", plain.Excerpt([]byte(m.Name)))
	case v.stageSeen[m.Name] && m.Name != MarkServing:
		return fmt.Errorf("the mark %q occurs twice", m.Name)
	case v.stage.Name != "" && at < slices.Index(course(), v.stage.Name):
		return fmt.Errorf("the mark %q comes after %q", m.Name, v.stage.Name)
	case v.stage.Name != "" && m.Time < v.stage.Time:
		return fmt.Errorf("the mark %q is at %d ns, before %q at %d, which came first", m.Name, m.Time, v.stage.Name, v.stage.Time)
	}
	v.stage, v.stageSeen[m.Name] = *m, true
	return nil
}

// replicas takes a comparison of copies: each node is in it once, with a digest or with
// why it has none.
func (v *validator) replicas(r *Replicas) error {
	if r.Wanted != 0 && r.Wanted < r.At {
		return fmt.Errorf("a comparison of copies at position %d was wanted at %d, which comes before it", r.At, r.Wanted)
	}
	seen := map[string]bool{}
	for _, one := range r.Of {
		switch {
		case v.nodes[one.Node] == nil:
			return v.unknownNode("a comparison of copies", one.Node)
		case seen[one.Node]:
			return fmt.Errorf("a comparison of copies names %s twice", one.Node)
		case (one.Digest == "") == (one.Err == ""):
			return fmt.Errorf("a comparison of copies must have, of %s, a digest or why there is none", one.Node)
		case one.Digest != "" && one.Position < r.At:
			return fmt.Errorf("a comparison of copies has a digest of %s at position %d, and it had only come to %d", one.Node, r.At, one.Position)
		}
		seen[one.Node] = true
	}
	for _, node := range v.header.Nodes {
		if !seen[node] {
			return fmt.Errorf("a comparison of copies lacks the node %s", node)
		}
	}
	return nil
}

// clock takes a comparison of clocks: times from the other clock may be off by
// its error.
func (v *validator) clock(c *Clock) error {
	if c.Error < 0 || c.Error > maxTest || c.Offset < -maxMono || c.Offset > maxMono {
		return fmt.Errorf("a comparison of clocks found an offset of %d ns with an error of %d", c.Offset, c.Error)
	}
	v.slack = max(v.slack, c.Error)
	return nil
}
