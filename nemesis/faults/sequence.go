package faults

import (
	"context"
	"fmt"
	"slices"
	"time"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// sequence is a fault of several steps, each of which waits for what the one before has
// led to: a server that is killed after its vote, a leader that is cut off until another
// one leads. It begins with a cut or a kill that is proven like any other; of the steps
// after it the proof of the heal says which were taken, and what was seen.
type sequence struct {
	name, doc string
	params    []declare.Param
	nodes     int           // that it takes at least
	least     time.Duration // that it takes for all its steps; 0: any time will do
	needs     []nemesis.Need
	holds     []nemesis.Resource // beside links and servers
	// messages is true where it acts on messages alone: other faults on links and servers
	// may be in force meanwhile, and none on messages.
	messages bool
	// begin takes the first step, goOn the others; nil: there is no other.
	begin func(ctx context.Context, s *steps) error
	goOn  func(ctx context.Context, s *steps) error
	// undo, beside wholeAgain and after it, undoes what else it has done; nil: there is nothing.
	undo func(ctx context.Context, s *steps) error
}

func (q sequence) fault() nemesis.Fault {
	fault := nemesis.Fault{
		Name: q.name, Kind: history.KindSequence, Doc: q.doc, Params: q.params,
		// Whom each step hits is seen while it goes on: the leader is where it begins.
		Variants: []nemesis.Variant{{Name: "leader", Doc: "it begins with the current leader", Need: nemesis.NeedLeader, Leader: true, Majority: never}},
		Needs:    append(append(cutNeeds(), nemesis.NeedTrace), q.needs...),
		Holds:    append([]nemesis.Resource{nemesis.HoldLinks, nemesis.HoldServers}, q.holds...),
		MinNodes: q.nodes, Least: q.least,
		Inject: func(ctx context.Context, h *nemesis.Hit) error { return q.begin(ctx, newSteps(h)) },
		Undo:   wholeAgain,
	}
	if q.undo != nil {
		fault.Undo = func(ctx context.Context, h *nemesis.Hit) error {
			if err := wholeAgain(ctx, h); err != nil {
				return err
			}
			return q.undo(ctx, newSteps(h))
		}
	}
	if q.messages {
		fault.Needs, fault.Holds = []nemesis.Need{nemesis.NeedTrace, nemesis.NeedMessages}, []nemesis.Resource{nemesis.HoldMessages}
		fault.Undo = unmeddle
	}
	if q.goOn != nil {
		fault.Sustain = func(ctx context.Context, h *nemesis.Hit) error {
			s := newSteps(h)
			err := q.goOn(ctx, s)
			s.tell()
			return err
		}
	}
	return fault
}

// steps is a sequence under way.
type steps struct {
	*nemesis.Hit
	leader string   // with whom it begins
	others []string // the rest, in the order that was drawn
	taken  int
	begun  time.Time
}

func newSteps(h *nemesis.Hit) *steps {
	s := &steps{Hit: h, begun: time.Now(), leader: h.Roles.Leader}
	switch {
	case len(h.Plan.Nodes) > 0:
		s.leader = h.Plan.Nodes[0]
	case s.leader == "":
		s.leader = h.Plan.Order[0]
	}
	s.others = without(h.Plan.Order, s.leader)
	return s
}

// touch says which nodes the sequence may hurt beside the one that it begins with, so that
// they are healed whatever becomes of it.
func (s *steps) touch(detail string, nodes ...string) {
	s.Targets = slices.Sorted(slices.Values(append([]string{s.leader}, nodes...)))
	if s.Roles.Leader == "" && len(s.Plan.Nodes) == 0 {
		detail += " (there was no leader: a node at random)"
	}
	s.Detail = detail
}

// did notes a step that was taken, and what was seen.
func (s *steps) did(format string, args ...any) {
	s.taken++
	s.Say("%d ms: "+format, append([]any{time.Since(s.begun).Milliseconds()}, args...)...)
}

// skipped notes that something was not seen in time, and that the sequence goes on.
func (s *steps) skipped(format string, args ...any) {
	s.Say("%d ms: not seen: "+format, append([]any{time.Since(s.begun).Milliseconds()}, args...)...)
}

// tell adds how many steps were taken to the proof.
func (s *steps) tell() {
	s.Note(history.Measure{What: "steps taken", Value: float64(s.taken)})
}

// kill ends servers and proves it, whatever becomes of the sequence meanwhile.
func (s *steps) kill(ctx context.Context, nodes ...string) error {
	return unbroken(ctx, func(ctx context.Context) error { return onEach(ctx, s.Hit, nodes, nemesis.Node.Kill, dead) })
}

func (s *steps) start(ctx context.Context, nodes ...string) error {
	return unbroken(ctx, func(ctx context.Context) error { return onEach(ctx, s.Hit, nodes, nemesis.Node.Start, running) })
}

// running is what is to be seen of a server that was started. One that ended by itself at
// once is for the check of crashes to find.
func running(p nemesis.Process) (string, bool) {
	if p.Crashed {
		return "no process: it had ended by itself: " + p.Exit, true
	}
	return alive(p)
}

// cutNow cuts links, and no others, without waiting for a proof: the next step may have
// only milliseconds. prove proves it.
func (s *steps) cutNow(ctx context.Context, links map[history.Link]bool, shape map[history.Link]nemesis.Shaping) error {
	s.Cut = nemesis.SortedLinks(links)
	layer := nemesis.Layer{Cut: map[history.Link]bool{}, Shape: shape}
	for link := range links {
		layer.Cut[link] = s.Args["how"] == "reject" // of a sequence that takes this parameter
	}
	return unbroken(ctx, func(ctx context.Context) error { return s.Links.Set(ctx, s.Plan.ID, layer) })
}

// cut cuts links, and no others, and proves it.
func (s *steps) cut(ctx context.Context, links map[history.Link]bool) error {
	if err := s.cutNow(ctx, links, nil); err != nil {
		return err
	}
	if err := s.prove(ctx); err != nil {
		return err
	}
	return unbroken(ctx, func(ctx context.Context) error { return proveRefused(ctx, s.Hit, links) })
}

// prove proves by probes that exactly those links are cut that some fault has cut.
func (s *steps) prove(ctx context.Context) error {
	return unbroken(ctx, func(ctx context.Context) error { return s.ProveLinks(ctx, nil) })
}

// expect looks out for a moment; within is how long await waits for it.
func (s *steps) expect(moment string, accept func(nemesis.Sighting) bool) (*nemesis.Expected, error) {
	return s.Watch().Expect(moment, accept)
}

// await waits for a moment; ok is false when it was not seen in time.
func (s *steps) await(ctx context.Context, e *nemesis.Expected, within time.Duration) (seen nemesis.Sighting, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	seen, err := e.Wait(ctx)
	e.Drop()
	return seen, err == nil
}

// cutLinks is a set of links; true where a fault refuses packets with a reset.
type cutLinks = map[history.Link]bool

// groups are the links between groups of nodes: those of one group hear each other.
func groups(all ...[]string) map[history.Link]bool {
	links := map[history.Link]bool{}
	for i, a := range all {
		for _, b := range all[i+1:] {
			for _, x := range a {
				for _, y := range b {
					links[history.Link{From: x, To: y}] = true
					links[history.Link{From: y, To: x}] = true
				}
			}
		}
	}
	return links
}

// minus are the nodes that are not among some others.
func minus(nodes []string, others ...string) []string {
	return slices.DeleteFunc(slices.Clone(nodes), func(s string) bool { return slices.Contains(others, s) })
}

// elected accepts a leader of some nodes; nil: of all.
func elected(among []string) func(nemesis.Sighting) bool {
	return func(s nemesis.Sighting) bool { return among == nil || slices.Contains(among, s.Node) }
}

// wholeAgain undoes all that a sequence may have done, in whatever step it is.
func wholeAgain(ctx context.Context, h *nemesis.Hit) error {
	for _, do := range []func(nemesis.Node, context.Context) error{nemesis.Node.Start, nemesis.Node.Resume} {
		for _, name := range h.Targets {
			if err := do(h.Node(name), ctx); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	if err := onEach(ctx, h, h.Targets, nemesis.Node.Resume, running); err != nil {
		return err
	}
	return uncut(ctx, h)
}
