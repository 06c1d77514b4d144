package faults

import (
	"context"
	"fmt"
	"strings"
	"time"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// meddling is a fault on the messages that servers send each other, above TCP,
// which repairs what befalls packets. The servers themselves carry it out.
type meddling struct {
	name, doc string
	done      string // what messages were: "delayed"
	params    []declare.Param
	check     func(declare.Args) error
	// of is what the parameters mean, beside type and share.
	of func(declare.Args) nemesis.MessageFault
}

func (m meddling) fault() nemesis.Fault {
	return nemesis.Fault{
		Name: m.name, Kind: history.KindMessages, Doc: m.doc, Params: append([]declare.Param{messageType()}, m.params...), Check: m.check,
		// Two nodes of which neither leads have little to say to each other.
		Variants: withoutVariant(links(), "link", "one-way"),
		Needs:    []nemesis.Need{nemesis.NeedMessages},
		// Servers may end and stand still meanwhile: the rules are the machines'.
		Holds:    []nemesis.Resource{nemesis.HoldMessages},
		MinNodes: 2,
		Inject:   m.inject,
		Sustain:  m.sustain,
		Undo:     unmeddle,
	}
}

// messageShare is how many messages of the type are hit.
func messageShare(standard string, draw ...string) declare.Param {
	return declare.Param{Name: "share", Kind: declare.Share, Default: standard, Draw: draw, Min: "1%", Max: "100%",
		Doc: "how many of these messages"}
}

// messageTypes are what can be written for a type, with what it stands for.
var messageTypes = []struct {
	word  string
	types []string
}{
	{"any", nil},
	{"requests", []string{"pre-vote", "vote", "append", "heartbeat", "snapshot"}},
	{"replies", []string{"pre-vote-reply", "vote-reply", "append-reply", "heartbeat-reply", "snapshot-reply"}},
	{"votes", []string{"pre-vote", "pre-vote-reply", "vote", "vote-reply"}},
	{"appends", []string{"append", "append-reply"}},
	{"heartbeats", []string{"heartbeat", "heartbeat-reply"}},
	{"snapshots", []string{"snapshot", "snapshot-reply"}},
	{"pre-vote", []string{"pre-vote"}},
	{"pre-vote-reply", []string{"pre-vote-reply"}},
	{"vote", []string{"vote"}},
	{"vote-reply", []string{"vote-reply"}},
	{"append", []string{"append"}},
	{"append-reply", []string{"append-reply"}},
	{"heartbeat", []string{"heartbeat"}},
	{"heartbeat-reply", []string{"heartbeat-reply"}},
	{"snapshot", []string{"snapshot"}},
	{"snapshot-reply", []string{"snapshot-reply"}},
}

func messageType() declare.Param {
	p := declare.Param{Name: "type", Kind: declare.Word, Default: "any", Draw: []string{"any", "requests", "replies", "appends"},
		Doc: "which messages: a type of Raft's, or a group of types"}
	for _, t := range messageTypes {
		p.Words = append(p.Words, t.word)
	}
	return p
}

// rule is what the parameters mean.
func (m meddling) rule(a declare.Args) nemesis.MessageFault {
	f := m.of(a)
	f.Share = a.Float("share")
	for _, t := range messageTypes {
		if t.word == a["type"] {
			f.Types = t.types
		}
	}
	return f
}

func (m meddling) inject(ctx context.Context, h *nemesis.Hit) error {
	chosen, err := chooseLinks(h)
	if err != nil {
		return err
	}
	layer := nemesis.Layer{Messages: map[history.Link]nemesis.MessageFault{}}
	for i, link := range chosen {
		fault := m.rule(h.Args)
		fault.Seed = h.Plan.Seed + uint64(i) // each link has a sequence of its own
		layer.Messages[link] = fault
	}
	if err := h.Links.Set(ctx, h.Plan.ID, layer); err != nil {
		return err
	}
	return m.prove(ctx, h, chosen)
}

// How long it is looked whether rules bite: for a while in any case, and longer
// where messages came and none was hit, which need not mean anything yet.
const (
	meddleLook  = 50 * time.Millisecond
	meddleQuiet = 400 * time.Millisecond
	meddleProve = 2 * time.Second
	// meddleSure is of how many messages that are to be hit one must have been.
	meddleSure = 20
)

// prove asks the servers whether they have their rules and what they did by them.
func (m meddling) prove(ctx context.Context, h *nemesis.Hit, chosen []history.Link) error {
	wanted := map[string]int{}
	for _, link := range chosen {
		wanted[link.To]++
	}
	for began := time.Now(); ; {
		seen, err := m.look(ctx, h, wanted)
		waited := time.Since(began)
		switch {
		case err != nil && waited < meddleProve:
		case err != nil:
			return err
		case seen.Hit > 0, seen.Matched == 0 && waited >= meddleQuiet, waited >= meddleProve:
			if due := float64(seen.Matched) * h.Args.Float("share"); seen.Hit == 0 && due >= meddleSure && h.Args["age"] == "" {
				return fmt.Errorf("%d messages came in %v, and none was %s", seen.Matched, waited.Round(time.Millisecond), m.done)
			}
			m.tell(h, seen)
			return nil
		}
		h.Forget()
		if !sleep(ctx, meddleLook) {
			return ctx.Err()
		}
	}
}

// look asks each server for its counts. One that cannot answer, because it is
// paused, or is gone, has its rules when it can.
func (m meddling) look(ctx context.Context, h *nemesis.Hit, wanted map[string]int) (sum nemesis.MessageCount, err error) {
	ruled, waiting := 0, []string{}
	for _, node := range h.Nodes() {
		want, chosen := wanted[node.Name()]
		if !chosen {
			continue
		}
		counts, why, err := countMessages(ctx, node)
		if err != nil {
			return sum, err
		}
		if why != "" {
			waiting = append(waiting, fmt.Sprintf("%s %s", node.Name(), why))
			continue
		}
		if len(counts.Rules) != want {
			return sum, fmt.Errorf("%s has %d rules for its messages, wanted %d", node.Name(), len(counts.Rules), want)
		}
		ruled += want
		total := counts.Total()
		sum.Matched += total.Matched
		sum.Hit += total.Hit
	}
	h.Prove(history.Measure{What: "links with message rules", Value: float64(ruled)})
	if len(waiting) > 0 {
		h.Say("%s, and has its rules as soon as it runs", strings.Join(waiting, ", "))
	}
	return sum, nil
}

// countMessages asks a server for its counts; why says why it cannot answer now.
func countMessages(ctx context.Context, node nemesis.Node) (counts nemesis.MessageCounts, why string, err error) {
	if !node.Up() {
		return counts, "is off", nil
	}
	counts, countErr := node.MessageCounts(ctx)
	if countErr == nil {
		return counts, "", nil
	}
	if !node.Up() {
		return counts, "is off", nil
	}
	p, err := node.Process(ctx)
	switch {
	case err != nil:
		return counts, "", fmt.Errorf("%s: look at its process: %w", node.Name(), err)
	case !p.Running:
		return counts, "does not run", nil
	case p.State == "T":
		return counts, "is paused", nil
	}
	return counts, "", fmt.Errorf("%s: count its messages: %w", node.Name(), countErr)
}

// tell says what was done to messages.
func (m meddling) tell(h *nemesis.Hit, seen nemesis.MessageCount) {
	h.Prove(history.Measure{What: "messages of these types", Value: float64(seen.Matched)})
	h.Prove(history.Measure{What: "messages " + m.done, Value: float64(seen.Hit)})
}

// meddleLast is how long before the end of a fault its messages are counted.
const meddleLast = 150 * time.Millisecond

// sustain counts what the servers do while the rules hold, since a server that
// ends takes its counts with it. Rules that hit nothing were none.
func (m meddling) sustain(ctx context.Context, h *nemesis.Hit) error {
	tally := tally{}
	end, _ := ctx.Deadline()
	for more := true; more; {
		more = time.Until(end) > meddleLast+meddleLook
		if !sleep(ctx, min(250*time.Millisecond, max(meddleLook, time.Until(end)-meddleLast))) {
			return nil
		}
		for _, node := range h.Nodes() {
			if counts, why, err := countMessages(ctx, node); err == nil && why == "" {
				tally.add(node.Name(), counts.Total())
			}
		}
	}
	seen := tally.sum()
	m.tell(h, seen)
	if seen.Hit == 0 {
		return fmt.Errorf("of %d messages of these types on these links none was %s", seen.Matched, m.done)
	}
	return nil
}

// tally adds up what servers count, each of which begins anew when it starts.
type tally map[string]*struct{ before, last nemesis.MessageCount }

func (t tally) add(node string, now nemesis.MessageCount) {
	if t[node] == nil {
		t[node] = new(struct{ before, last nemesis.MessageCount })
	}
	n := t[node]
	if now.Matched < n.last.Matched || now.Hit < n.last.Hit { // another server
		n.before.Matched += n.last.Matched
		n.before.Hit += n.last.Hit
	}
	n.last = now
}

func (t tally) sum() (all nemesis.MessageCount) {
	for _, n := range t {
		all.Matched += n.before.Matched + n.last.Matched
		all.Hit += n.before.Hit + n.last.Hit
	}
	return all
}

// unmeddle takes the rules away and sees that no server has any, or holds a
// message back.
func unmeddle(ctx context.Context, h *nemesis.Hit) error {
	if err := h.Links.Set(ctx, h.Plan.ID, nemesis.Layer{}); err != nil {
		return err
	}
	for began := time.Now(); ; {
		without, waiting, err := ruleless(ctx, h)
		if err == nil {
			h.Prove(history.Measure{What: "servers without message rules", Value: float64(without)})
			if len(waiting) > 0 {
				h.Say("%s, and has no rules any more as soon as it runs", strings.Join(waiting, ", "))
			}
			return nil
		}
		if time.Since(began) >= meddleProve {
			return err
		}
		if !sleep(ctx, meddleLook) {
			return ctx.Err()
		}
	}
}

func ruleless(ctx context.Context, h *nemesis.Hit) (without int, waiting []string, err error) {
	for _, node := range h.Nodes() {
		counts, why, err := countMessages(ctx, node)
		switch {
		case err != nil:
			return 0, nil, err
		case why != "":
			waiting = append(waiting, fmt.Sprintf("%s %s", node.Name(), why))
		case len(counts.Rules) > 0 || counts.Held > 0:
			return 0, nil, fmt.Errorf("%s still has %d rules for its messages, and holds %d back", node.Name(), len(counts.Rules), counts.Held)
		default:
			without++
		}
	}
	return without, waiting, nil
}
