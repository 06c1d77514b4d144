package check

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"squall/history"
)

// DefaultMinOK is how many operations must have succeeded for a test to mean
// anything, when nothing else is said.
const DefaultMinOK = 100

// Activity returns the checker "activity": whether so much happened that the
// other verdicts mean something. It says Invalid when the infrastructure
// failed, when a fault did not take effect or was not healed, when no leader
// was seen, when fewer than minOK operations succeeded (0: DefaultMinOK) or none
// of them read or none wrote, and when the history ends before the test did.
func Activity(minOK int) Checker {
	if minOK <= 0 {
		minOK = DefaultMinOK
	}
	return activity{minOK}
}

type activity struct{ minOK int }

var _ Checker = activity{}

func (activity) Name() string { return "activity" }

// Check implements Checker.
func (c activity) Check(_ context.Context, in *Input) Result {
	ok, reads, writes := 0, 0, 0
	for i := range in.Ops {
		op := &in.Ops[i]
		if op.Outcome != history.OK {
			continue
		}
		ok++
		switch {
		case op.Func == history.Read:
			reads++
		case op.Func != history.CAS || op.Swapped:
			writes++
		}
	}
	res := Result{Stats: map[string]float64{"ok": float64(ok), "reads": float64(reads), "writes": float64(writes)}}
	// The first cause comes first: a test whose engine died also has no leader.
	wrong := infrastructure(in)
	wrong = append(wrong, faultTrouble(in.Faults, wrong)...)
	if hint := c.quiet(in, ok, reads, writes); hint != "" {
		wrong = append(wrong, hint)
	}
	if end := ended(in); end != "" {
		wrong = append(wrong, end)
	}
	if len(wrong) > 0 {
		res.Verdict, res.Summary = Invalid, strings.Join(wrong, "; ")
		return res
	}
	res.Verdict = Pass
	res.Summary = fmt.Sprintf("%d operations succeeded, %d of them reads; every fault took effect and was healed", ok, reads)
	if missed := countMarks(in, history.MarkMissed); missed > 0 {
		res.Summary += fmt.Sprintf("; %d more of the plan never began, because the load was over", missed)
	}
	return res
}

func hasMark(in *Input, name string) bool {
	return slices.ContainsFunc(in.Marks, func(m history.Mark) bool { return m.Name == name })
}

func countMarks(in *Input, name string) (n int) {
	for _, m := range in.Marks {
		if m.Name == name {
			n++
		}
	}
	return n
}

// infrastructure lists what was marked as having failed.
func infrastructure(in *Input) (wrong []string) {
	for _, m := range in.Marks {
		if m.Name != history.MarkInvalid {
			continue
		}
		text := m.Text
		if text == "" {
			text = "the infrastructure failed; see the logs of the run"
		}
		wrong = append(wrong, text)
	}
	return wrong
}

// faultTrouble names the faults that did not do what the plan says, and were not
// named before.
func faultTrouble(faults []history.Fault, before []string) (wrong []string) {
	const most = 3
	trouble := 0
	for _, f := range faults {
		known := func(text string) bool { return strings.Contains(text, f.Err) }
		if f.Err == "" || slices.ContainsFunc(before, known) {
			continue
		}
		if trouble++; trouble > most {
			continue
		}
		did := "did not take effect"
		if f.Phase == history.Heal {
			did = "was not healed"
		}
		wrong = append(wrong, fmt.Sprintf("fault %d (%s %s) %s: %s", f.ID, f.Name, f.Variant, did, f.Err))
	}
	if trouble > most {
		wrong = append(wrong, fmt.Sprintf("and %d more faults like that", trouble-most))
	}
	if trouble > 0 {
		wrong[len(wrong)-1] += " (see what the machine can do with `squall doctor`, or leave the fault out)"
	}
	return wrong
}

// quiet says why too little happened; only the root of it, with a mend.
func (c activity) quiet(in *Input, ok, reads, writes int) string {
	elected := slices.ContainsFunc(in.Nodes, func(e history.NodeEvent) bool {
		return e.Kind == history.EventRole && e.Role == history.RoleLeader
	})
	switch {
	case !elected && !hasMark(in, history.MarkLeader):
		return "no leader was ever elected: look at the nodes' logs in the run directory"
	case !hasMark(in, history.MarkLoadBegin):
		return "the clients never started: look at the driver's log in the run directory"
	case ok < c.minOK:
		return fmt.Sprintf("only %d operations succeeded, and it takes %d for a verdict to mean anything: run longer, with more clients or fewer faults", ok, c.minOK)
	case reads == 0:
		return "no read succeeded: nothing shows what the writes did; run longer, or with fewer faults"
	case writes == 0:
		return "no write succeeded: the reads had nothing to see; run longer, or with fewer faults"
	}
	return ""
}

// ended says so when the history stops before the test did: what came later is
// not known, so there can be no pass.
func ended(in *Input) string {
	switch {
	case in.Info.Truncated != "":
		return in.Info.Truncated + ": the recording was cut short; run the test again"
	case !hasMark(in, history.MarkDone) && !hasMark(in, history.MarkInvalid):
		return "the history ends before the test did: squall was stopped; run the test again"
	}
	return ""
}
