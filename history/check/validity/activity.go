// Package validity has the checks of the test itself, "activity" and "whole": was it whole,
// and did so much happen that other verdicts mean something? It also tells what befell
// servers ("no-crash") and faults, which other checks ask for.
package validity

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"squall/history"
	"squall/history/check"
)

// Activity returns the checker "activity": whether so much happened that the
// other verdicts mean something. It says Invalid when the infrastructure failed,
// when the faults did not do what the plan says, when the system never served, when the
// history ends before the test did, and when too little of the load succeeded: in
// all (minOK operations; 0: DefaultMinOK), of a function, on the keys, or in a
// stretch in which the cluster should have served (load.go tells the bounds).
func Activity(minOK int) check.Checker {
	if minOK <= 0 {
		minOK = DefaultMinOK
	}
	return activity{minOK}
}

type activity struct{ minOK int }

var _ check.Checker = activity{}

func (activity) Name() string { return "activity" }

// Check implements Checker.
func (c activity) Check(ctx context.Context, in *check.Input) check.Result {
	b := check.NewBudget(ctx, in.Limits)
	defer b.Cancel()
	l, stop := countLoad(in, b)
	if stop != "" {
		return check.Result{Verdict: check.Unknown, Summary: stop}
	}
	faults := TellFaults(in)
	res := check.Result{Stats: map[string]float64{"ok": float64(l.ok), "reads": float64(l.reads), "writes": float64(l.writes),
		"faults": float64(faults.proven), "voidFaults": float64(faults.void)}}
	// The first cause comes first: a test whose engine died also has no leader.
	wrong := Infrastructure(in)
	if killed := c.killed(ctx, in, wrong); killed != nil {
		if wrong = append(killed.others, faults.wrong(wrong)...); len(wrong) == 0 {
			res.Verdict, res.Summary = check.Invalid, killed.told
			return res
		}
		wrong = append(wrong, Overload(in, wrong)...)
		res.Verdict, res.Summary = check.Invalid, strings.Join(wrong, "; ")
		return res
	}
	wrong = append(wrong, faults.wrong(wrong)...)
	seen := in.HasMark(history.MarkSeen) // then the load was ended on purpose, and has shown something
	if hint := c.quiet(in, l); hint != "" && !seen {
		wrong = append(wrong, hint)
	}
	if end := ended(in); end != "" {
		wrong = append(wrong, end)
	}
	if len(wrong) > 0 {
		wrong = append(wrong, Overload(in, wrong)...)
		res.Verdict, res.Summary = check.Invalid, strings.Join(wrong, "; ")
		return res
	}
	res.Verdict = check.Pass
	if seen {
		res.Summary = fmt.Sprintf("%d operations of the load succeeded before it was ended because a violation was seen; whether that is enough is not asked", l.ok)
		return res
	}
	said := []string{fmt.Sprintf("%d operations of the load succeeded, %d of them with an answer to check; %s", l.ok, l.reads, faults.fine())}
	said = append(said, faults.said...)
	if missed := countMarks(in, history.MarkMissed); missed > 0 {
		said = append(said, fmt.Sprintf("%d more of the plan never began, because the load was over", missed))
	}
	res.Summary = strings.Join(append(said, Overload(in, nil)...), "; ")
	return res
}

// killedServer is a test that ended because somebody else ended a server.
type killedServer struct {
	told   string   // what no-crash says of it
	others []string // what failed beside it
}

// killed is not nil when the infrastructure is said to have failed because of a
// server that no-crash says was ended by somebody else. That is the cause, and it
// is named once: in the words of no-crash if nothing else was wrong (see combine),
// and else by no-crash alone. What the early end of the test led to is left out.
func (activity) killed(ctx context.Context, in *check.Input, wrong []string) *killedServer {
	if len(wrong) == 0 {
		return nil
	}
	crash := Crashes().Check(ctx, in)
	if crash.Verdict != check.Invalid {
		return nil
	}
	k := &killedServer{told: crash.Summary}
	for _, text := range wrong {
		if !slices.ContainsFunc(crash.Events, func(e history.NodeEvent) bool {
			return strings.HasPrefix(text, "the server of "+e.Node+" was ")
		}) {
			k.others = append(k.others, text)
		}
	}
	if len(k.others) == len(wrong) {
		return nil
	}
	return k
}

func countMarks(in *check.Input, name string) (n int) {
	for _, m := range in.Marks {
		if m.Name == name {
			n++
		}
	}
	return n
}

// Infrastructure lists what was marked as having failed.
func Infrastructure(in *check.Input) (wrong []string) {
	for _, m := range in.Marks {
		if m.Name != history.MarkInvalid {
			continue
		}
		text := m.Text
		if text == "" {
			text = "the infrastructure failed; see the logs of the run"
		}
		if !slices.Contains(wrong, text) {
			wrong = append(wrong, text)
		}
	}
	return wrong
}

// Overload says that the host was too busy, unless that is among what was said.
func Overload(in *check.Input, said []string) []string {
	m, ok := in.MarkOf(history.MarkOverloaded)
	if !ok || m.Text != "" && slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, m.Text) }) {
		return nil
	}
	if m.Text == "" {
		return []string{"the host was overloaded"}
	}
	return []string{"the host was overloaded: " + m.Text}
}

// quiet says why too little happened; only the root of it, with the way out.
func (c activity) quiet(in *check.Input, l *load) string {
	elected := slices.ContainsFunc(in.Nodes, func(e history.NodeEvent) bool { return e.Leads() })
	switch served := elected || in.HasMark(history.MarkServing); {
	case !served && history.Traced(in.Nodes):
		return "no leader was ever elected: look at the nodes' logs in the run directory"
	case !served:
		return "the system never served: look at the nodes' logs in the run directory"
	case !in.HasMark(history.MarkLoadBegin):
		return "the clients never started: look at the driver's log in the run directory"
	}
	return l.missing(in, c.minOK)
}

// ended says so when the history stops before the test did: what came later is
// not known, so there can be no pass.
func ended(in *check.Input) string {
	switch {
	case in.Info.Truncated != "":
		return in.Info.Truncated + ": the recording was cut short; run the test again"
	case !in.HasMark(history.MarkDone) && !in.HasMark(history.MarkInvalid):
		return "the history ends before the test did: squall was stopped; run the test again"
	}
	return ""
}
