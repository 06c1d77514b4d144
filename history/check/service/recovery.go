// Package service has the checks of what clients can rely on when no fault holds: that the
// cluster serves ("availability"), that it does so again when the faults are healed
// ("recovery"), that what it acknowledged is there ("durability"), and that the nodes'
// copies of the state agree ("replicas").
package service

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/check/validity"
)

// DefaultRecovery is how long a cluster has to serve again once every fault is
// healed, where the history does not say (Mark.Bound).
const DefaultRecovery = time.Minute

// Recovery returns the checker "recovery": once every fault is healed, the cluster
// serves again, and every node is back in it. Within the bound that the history gives, or
// DefaultRecovery, a write and a read must succeed through every node, and every node
// must follow one leader in one term and have committed what was committed when the
// faults were healed, where the nodes' traces tell. Where there are none, no node's copy
// of the state may still be behind at the end. A workload without reads is judged
// by its writes. A history of before holds no writes after the storm, and is judged by
// its reads.
//
// What is not the cluster's doing is no violation: an overloaded host, machines or
// faults that failed, a server that somebody else ended. A server that crashed is
// told of by "no-crash" alone, unless it was started again when everything was healed, and
// ended by itself again. Each of these makes it Unknown, and so does a key
// that could not be read through a node which otherwise served.
func Recovery() check.Checker { return recovery{} }

type recovery struct{}

var _ check.Checker = recovery{}

// Name is "recovery".
func (recovery) Name() string { return "recovery" }

// Check implements Checker.
func (recovery) Check(ctx context.Context, in *check.Input) check.Result {
	b := check.NewBudget(ctx, in.Limits)
	defer b.Cancel()
	healed, ok := in.MarkOf(history.MarkHealed)
	if !ok {
		why := "the history does not say that the faults were healed"
		if in.HasMark(history.MarkStopped) {
			why = "the test was stopped before the faults were healed"
		}
		return check.Result{Verdict: check.Unknown, Summary: why + ", so recovery was not tested"}
	}
	f, stop := countFinals(in, healed, b)
	switch {
	case stop != "":
		return check.Result{Verdict: check.Unknown, Summary: stop}
	case f.tried == 0:
		return f.untried(in)
	}
	c, stop := convergence(in, f, b)
	if stop != "" {
		return check.Result{Verdict: check.Unknown, Summary: stop}
	}
	return f.judge(in, c)
}

// serving is what became of the operations after the storm through one node.
type serving struct {
	tried, reads, writes int         // operations, and those of each sort that were tried
	read, written        int64       // when the first of each returned; 0: none did
	last                 *history.Op // the last that did not succeed
	keys                 map[string]bool
}

// finals are the operations after the storm.
type finals struct {
	healed int64
	began  int64 // when the first was called: the bound counts from there
	bound  time.Duration
	does   history.Functions
	writes bool // writes belong to them
	reads  bool // reads do: the workload has a function that only reads
	tried  int
	nodes  map[string]*serving
}

// countFinals goes through the operations after the storm.
func countFinals(in *check.Input, healed history.Mark, b *check.Budget) (f *finals, stop string) {
	f = &finals{does: in.Functions, healed: healed.Time, bound: time.Duration(healed.Bound), nodes: map[string]*serving{}}
	f.writes = f.bound > 0
	f.reads = len(in.Functions) == 0 || slices.ContainsFunc(in.Functions, func(fn history.Function) bool { return fn.Reads })
	if f.bound <= 0 {
		f.bound = DefaultRecovery
	}
	load, _ := in.MarkOf(history.MarkLoadBegin)
	scan, scanned := in.MarkOf(history.MarkScan) // what it reads is for "durability"
	for _, n := range in.Header.Nodes {
		f.nodes[n] = &serving{keys: map[string]bool{}}
	}
	for i := range in.Ops {
		if stop = b.Spent(); stop != "" {
			return f, stop
		}
		op := &in.Ops[i]
		if !op.Final || op.Call < load.Time || scanned && op.Call >= scan.Time { // of the load or before it, or of the scan
			continue
		}
		f.take(op)
	}
	return f, ""
}

func (f *finals) take(op *history.Op) {
	s := f.nodes[op.Node]
	if s == nil {
		s = &serving{keys: map[string]bool{}}
		f.nodes[op.Node] = s
	}
	if f.began == 0 || op.Call < f.began {
		f.began = op.Call
	}
	f.tried++
	s.tried++
	ok := op.Outcome == history.OK
	if !ok && (s.last == nil || op.Return > s.last.Return) {
		s.last = op
	}
	if f.does.Reads(op.Func) {
		s.reads++
		s.keys[op.Key] = s.keys[op.Key] || ok
		if ok {
			s.read = first(s.read, op.Return)
		}
		return
	}
	f.writes = true
	s.writes++
	if ok { // a compare-and-set that found another value was served, too
		s.written = first(s.written, op.Return)
	}
}

func first(before, t int64) int64 {
	if before == 0 {
		return t
	}
	return min(before, t)
}

// untried is the verdict where nothing was tried after the storm.
func (f *finals) untried(in *check.Input) check.Result {
	if len(in.Faults) == 0 {
		return check.Result{Verdict: check.Pass, Summary: "there was no fault to recover from; nothing was tried after the load"}
	}
	return check.Result{Verdict: check.Unknown, Summary: "nothing was tried after the faults were healed, so nothing shows that the cluster recovered"}
}

// judge gives the verdict.
func (f *finals) judge(in *check.Input, conv converged) check.Result {
	res := check.Result{Stats: map[string]float64{"tried": float64(f.tried), "boundSeconds": f.bound.Seconds()}}
	crashed, ended := validity.CrashedNodes(in), validity.EndedByOthers(in)
	dead := f.endsAgain(in)
	var bad, excused, open []string
	var slowest int64
	for _, n := range f.names() {
		s := f.nodes[n]
		what, broken := f.wrong(in, s)
		if what == "" {
			what, broken = conv.wrong(n)
		}
		slowest = max(slowest, s.read-f.healed, s.written-f.healed)
		switch {
		case what == "":
			continue
		case dead[n] != "":
			bad = append(bad, n+": its server was started when the faults were healed, and ended by itself again ("+dead[n]+")")
		case crashed[n]:
			excused = append(excused, n+" (its server crashed: see no-crash)")
		case ended[n] != "":
			excused = append(excused, n+" (its server was ended: "+ended[n]+")")
		case !broken:
			open = append(open, n+": "+what)
		default:
			bad = append(bad, n+": "+what)
			res.Witness = append(res.Witness, finalWitness(in, s)...)
		}
	}
	if conv.at > 0 {
		res.Stats["convergedSeconds"] = time.Duration(conv.at - f.healed).Seconds()
	}
	res.Stats["slowestSeconds"] = max(time.Duration(slowest).Seconds(), 0)
	switch why := f.excuse(in, len(excused), len(dead) > 0); {
	case len(bad) > 0 && why != "":
		res.Verdict, res.Witness = check.Unknown, nil
		res.Summary = fmt.Sprintf("the cluster did not serve again, but it may not be at fault, because %s: %s", why, firstNodes(bad))
	case len(bad) > 0:
		at := f.brokenAt()
		if len(conv.late) > 0 {
			at = f.end()
		}
		res.Verdict, res.FirstAt = check.Violation, in.FirstAt(at)
		res.Summary = fmt.Sprintf("after every fault was healed at %s the cluster did not recover through every node within %s: %s",
			in.Clock(f.healed), check.Took(int64(f.bound)), firstNodes(bad))
	case len(open)+len(excused) > 0:
		res.Verdict = check.Unknown
		res.Summary = "not every node was seen to serve after the faults were healed: " + firstNodes(append(open, excused...))
	default:
		res.Verdict = check.Pass
		res.Summary = f.fine(in, slowest) + conv.fine(f)
	}
	return res
}

// names are the nodes, in order.
func (f *finals) names() []string {
	names := make([]string, 0, len(f.nodes))
	for n := range f.nodes {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// wrong says what is wrong with a node, and whether that breaks the guarantee; ""
// when it served.
func (f *finals) wrong(in *check.Input, s *serving) (what string, broken bool) {
	failed := func(sort string, n int) (string, bool) {
		text := fmt.Sprintf("none of %s succeeded", check.Counted(n, sort, sort+"s"))
		if s.last != nil {
			text += fmt.Sprintf("; the last one ended at %s (%s)", in.Clock(s.last.Return), s.last.Error)
		}
		return text, true
	}
	switch {
	case s.tried == 0:
		return "nothing was tried", false
	case f.writes && s.written == 0 && s.writes > 0:
		return failed("write", s.writes)
	case s.read == 0 && s.reads > 0:
		return failed("read", s.reads)
	case f.reads && s.reads == 0:
		return "no read was tried", false
	case f.writes && s.writes == 0:
		return "no write was tried", false
	case f.writes && s.written > f.end():
		return "the first write succeeded only at " + in.Clock(s.written), true
	case s.read > f.end():
		return "the first read succeeded only at " + in.Clock(s.read), true
	}
	unread := 0
	for _, ok := range s.keys {
		if !ok {
			unread++
		}
	}
	if unread > 0 {
		return fmt.Sprintf("%d of %d keys could not be read", unread, len(s.keys)), false
	}
	return "", false
}

// endsAgain are the nodes whose server was started after the load, when everything was
// healed, and ended by itself, and why: nothing that is left of the storm hinders them.
func (f *finals) endsAgain(in *check.Input) map[string]string {
	over, ok := in.MarkOf(history.MarkLoadEnd)
	ends, started := map[string]string{}, map[string]bool{}
	for i := range in.Nodes {
		switch e := &in.Nodes[i]; {
		case !ok || e.Time < over.Time:
		case e.Kind == history.EventStart:
			started[e.Node] = true
			delete(ends, e.Node)
		case started[e.Node] && validity.EndsByItself(e):
			ends[e.Node] = e.Reason
		}
	}
	return ends
}

// excuse says what else than the cluster may be to blame; "" for nothing. A busy computer
// ends no servers (dead).
func (f *finals) excuse(in *check.Input, excused int, dead bool) string {
	if wrong := validity.Infrastructure(in); len(wrong) > 0 {
		return "the infrastructure failed: " + wrong[0]
	}
	if text := validity.Overload(in, nil); len(text) > 0 && !dead {
		return text[0]
	}
	if in.Info.Truncated != "" {
		return "the history is cut short"
	}
	if t := validity.TellFaults(in); len(t.Unhealed) > 0 {
		return t.Unhealed[0]
	}
	if n := len(in.Header.Nodes); excused > 0 && n-excused < n/2+1 {
		return fmt.Sprintf("%d of %d servers had ended", excused, n)
	}
	return ""
}

// end is when the bound is over. The cluster is not to blame for the time that it
// took until it was asked.
func (f *finals) end() int64 { return max(f.healed, f.began) + int64(f.bound) }

// brokenAt is when it was clear that the cluster did not come back: when the bound
// was over, or when it was last tried, if that was before.
func (f *finals) brokenAt() int64 {
	at := f.healed
	for _, s := range f.nodes {
		if s.last != nil {
			at = max(at, s.last.Return)
		}
		at = max(at, s.read, s.written)
	}
	return min(at, f.end())
}

// finalWitness is the last operation that a node did not carry out.
func finalWitness(in *check.Input, s *serving) []check.WitnessOp {
	if s.last == nil {
		return nil
	}
	return []check.WitnessOp{check.AsWitness(s.last, in)}
}

// fine is the summary of a cluster that came back.
func (f *finals) fine(in *check.Input, slowest int64) string {
	what := "a write and a read"
	switch {
	case !f.writes:
		what = "a read (this history holds no writes after the storm)"
	case !f.reads:
		what = "an operation (this workload has none that only reads)"
	}
	after := "the faults were healed"
	if len(in.Faults) == 0 {
		after = "the load, in which there were no faults"
	}
	return fmt.Sprintf("%s succeeded through each of %s within %s after %s", what, check.Counted(len(f.nodes), "node", "nodes"), check.Took(slowest), after)
}

// firstNodes names the first few nodes of a list, and counts the rest.
func firstNodes(list []string) string {
	const most = 5
	if more := len(list) - most; more > 0 {
		list = append(list[:most:most], fmt.Sprintf("and %d more nodes", more))
	}
	return strings.Join(list, "; ")
}
