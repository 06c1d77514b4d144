package validity

import (
	"context"
	"fmt"
	"strings"

	"squall/history"
	"squall/history/check"
)

// Crashes returns the checker "no-crash": no server ends by itself once the
// system was seen to serve. What squall killed or stopped does not count. One that
// somebody else killed, or that ran out of its own memory limit, is nothing that
// the server did, and makes the test Invalid. A server that never got so far makes
// the test invalid, which is not decided here.
func Crashes() check.Checker { return crashes{} }

type crashes struct{}

var _ check.Checker = crashes{}

// Name is "no-crash".
func (crashes) Name() string { return "no-crash" }

// Check implements Checker.
func (crashes) Check(ctx context.Context, in *check.Input) check.Result {
	b := check.NewBudget(ctx, in.Limits)
	defer b.Cancel()
	serving, ok := servingSince(in.Marks)
	if !ok {
		return check.Result{Verdict: check.Unknown, Summary: "the system never served, so no server was at work"}
	}
	starts := 0
	var own, others []history.NodeEvent
	for _, e := range in.Nodes {
		if stop := b.Spent(); stop != "" {
			return check.Result{Verdict: check.Unknown, Summary: stop}
		}
		switch {
		case e.Kind == history.EventStart:
			starts++
		case e.Kind != history.EventExit || history.OwnDoing(e.Reason):
		case fromOutside(e.Reason):
			others = append(others, e)
		case e.Time >= serving:
			own = append(own, e)
		}
	}
	switch {
	case len(own) > 0:
		return crashed(in, own)
	case len(others) > 0:
		return killedByOthers(in, others)
	}
	return check.Result{Verdict: check.Pass, Summary: fmt.Sprintf("none of %d started servers ended by itself", starts)}
}

func crashed(in *check.Input, ends []history.NodeEvent) check.Result {
	first := ends[0]
	text := fmt.Sprintf("the server of %s ended by itself at %s (%s); its log is nodes/%s/server.log",
		first.Node, in.Clock(first.Time), first.Reason, first.Node)
	if len(ends) > 1 {
		text += fmt.Sprintf("; the first of %d such ends", len(ends))
	}
	return check.Result{Verdict: check.Violation, Summary: text, FirstAt: in.FirstAt(first.Time), Events: ends[:min(len(ends), 4)]}
}

func killedByOthers(in *check.Input, ends []history.NodeEvent) check.Result {
	first := ends[0]
	text := fmt.Sprintf("something other than squall ended the server of %s at %s: %s", first.Node, in.Clock(first.Time), first.Reason)
	if first.Reason == history.ReasonOwnLimit {
		text = fmt.Sprintf("the server of %s ran out of memory at %s: %s (--memory gives it more)", first.Node, in.Clock(first.Time), first.Reason)
	}
	if len(ends) > 1 {
		text += fmt.Sprintf("; the first of %d such ends", len(ends))
	}
	if first.Reason != history.ReasonOwnLimit {
		text += "; find out who did, and run the test again"
	}
	return check.Result{Verdict: check.Invalid, Summary: strings.Join(append([]string{text}, Overload(in, nil)...), "; "), Events: ends[:min(len(ends), 4)]}
}

// fromOutside reports whether an end came from somebody other than the server and
// squall. Histories of before say no more than the signal, and no server sends
// these to itself.
func fromOutside(reason string) bool {
	switch reason {
	case "signal: killed", "signal: terminated", "signal: interrupt", "signal: hangup":
		return true
	}
	return history.Outside(reason)
}

// EndsByItself reports whether an event is a server's end that was neither squall's doing
// nor somebody else's.
func EndsByItself(e *history.NodeEvent) bool {
	return e.Kind == history.EventExit && !history.OwnDoing(e.Reason) && !fromOutside(e.Reason)
}

// CrashedNodes are those whose server ended by itself once the system had served.
func CrashedNodes(in *check.Input) map[string]bool {
	nodes := map[string]bool{}
	serving, ok := servingSince(in.Marks)
	for i := range in.Nodes {
		e := &in.Nodes[i]
		if ok && e.Time >= serving && EndsByItself(e) {
			nodes[e.Node] = true
		}
	}
	return nodes
}

// servingSince is when the system was first seen to serve.
func servingSince(marks []history.Mark) (int64, bool) {
	for _, m := range marks {
		if m.Name == history.MarkServing {
			return m.Time, true
		}
	}
	return 0, false
}

// EndedByOthers are the nodes whose server somebody else ended last, and how.
func EndedByOthers(in *check.Input) map[string]string {
	ended := map[string]string{}
	for i := range in.Nodes {
		switch e := &in.Nodes[i]; {
		case e.Kind == history.EventStart:
			delete(ended, e.Node)
		case e.Kind == history.EventExit && (fromOutside(e.Reason) || e.Reason == history.ReasonLost):
			ended[e.Node] = e.Reason
		}
	}
	return ended
}
