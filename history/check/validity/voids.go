package validity

import (
	"fmt"
	"slices"
	"strings"

	"squall/history"
	"squall/history/check"
)

// FaultTale is what became of the faults of a test.
type FaultTale struct {
	proven   int
	void     int // they did not take effect, or not the whole time: the test says nothing of them
	missed   int // they never began
	said     []string
	Unhealed []string // each that could not be healed
	broken   []string // what makes the test invalid
	errs     []string // the errors in broken
}

// mostFaults is how many faults are named before the rest is counted.
const mostFaults = 3

// TellFaults goes through the faults. One whose injection could not be proven is
// void, and so is one that lapsed, which was in force for a part of its time only:
// the test goes on, and says nothing of that fault. One that could not be healed breaks the test, for nobody knows what held from then on; unless a server
// that it hit had crashed, which is a finding of its own ("no-crash") and not the
// nemesis's.
func TellFaults(in *check.Input) *FaultTale {
	t := &FaultTale{missed: countMarks(in, history.MarkMissed)}
	crashed := CrashedNodes(in)
	lapses := lapsedFaults(in)
	healed := healsOf(in)
	var voids []string
	for i := range in.Faults {
		f := &in.Faults[i]
		name := strings.TrimSpace(f.Name + " " + f.Variant)
		onCrashed := slices.ContainsFunc(f.Targets, func(n string) bool { return crashed[n] })
		why, lapsed := lapses[f.ID]
		switch {
		case f.Err == "" && f.Phase == history.Inject && lapsed && onCrashed:
			t.proven++
			t.said = append(t.said, fmt.Sprintf("fault %d (%s) ended early on a server that had crashed", f.ID, name))
		case f.Err == "" && f.Phase == history.Inject && lapsed:
			t.void++
			voids = append(voids, fmt.Sprintf("fault %d (%s) is void, it stopped taking effect before its end: %s", f.ID, name, why))
			t.errs = append(t.errs, why)
		case f.Err == "" && f.Phase == history.Inject && healed != nil && !healed[f.ID]:
			t.proven++
			t.Unhealed = append(t.Unhealed, fmt.Sprintf("fault %d (%s) was never healed, and the history goes on to the end of the test", f.ID, name))
		case f.Err == "" && f.Phase == history.Inject:
			t.proven++
		case f.Err == "":
		case f.Phase != history.Heal:
			t.void++
			voids = append(voids, fmt.Sprintf("fault %d (%s) is void, it did not take effect: %s", f.ID, name, f.Err))
			t.errs = append(t.errs, f.Err)
		case onCrashed:
			t.said = append(t.said, fmt.Sprintf("fault %d (%s) was not healed on a server that had crashed", f.ID, name))
		default:
			t.Unhealed = append(t.Unhealed, fmt.Sprintf("fault %d (%s) was not healed: %s", f.ID, name, f.Err))
			t.errs = append(t.errs, f.Err)
		}
	}
	t.broken = firstFew(t.Unhealed)
	voids = firstFew(voids)
	switch {
	case in.HasMark(history.MarkSeen): // it was ended when it had shown something, with the faults that there were
	case t.void > 0 && t.proven == 0:
		t.broken = append(t.broken, "no fault of the plan took effect")
	case t.void > t.proven:
		t.broken = append(t.broken, fmt.Sprintf("only %d of %d faults took effect", t.proven, t.proven+t.void))
	case t.missed > 0 && t.proven == 0:
		t.broken = append(t.broken, "no fault of the plan took effect: the load was over before any began; run longer")
	}
	if len(t.broken) > 0 {
		t.broken = append(t.broken, voids...)
	} else {
		t.said = append(t.said, voids...)
	}
	return t
}

// healsOf are the faults that were healed, or tried to be. It is nil where a history need not
// tell of every heal: one that ends before its test, or whose test was stopped or broke.
func healsOf(in *check.Input) map[int]bool {
	if !in.HasMark(history.MarkDone) || in.HasMark(history.MarkStopped) || in.HasMark(history.MarkInvalid) {
		return nil
	}
	healed := map[int]bool{}
	for i := range in.Faults {
		if f := &in.Faults[i]; f.Phase == history.Heal {
			healed[f.ID] = true
		}
	}
	return healed
}

// lapsedFaults are the faults that stopped biting before they were to be healed,
// and why.
func lapsedFaults(in *check.Input) map[int]string {
	lapsed := map[int]string{}
	for i := range in.Faults {
		if f := &in.Faults[i]; f.Lapsed != "" {
			lapsed[f.ID] = f.Lapsed
		}
	}
	return lapsed
}

// firstFew keeps the first of a list, and counts the rest.
func firstFew(list []string) []string {
	if more := len(list) - mostFaults; more > 0 {
		return append(list[:mostFaults:mostFaults], fmt.Sprintf("and %d more faults like that", more))
	}
	return list
}

// wrong is what makes the test invalid and was not said before.
func (t *FaultTale) wrong(before []string) []string {
	var wrong []string
	for _, text := range t.broken {
		known := slices.ContainsFunc(t.errs, func(err string) bool {
			return strings.HasSuffix(text, err) && slices.ContainsFunc(before, func(s string) bool { return strings.Contains(s, err) })
		})
		if !known {
			wrong = append(wrong, text)
		}
	}
	if len(wrong) > 0 && len(t.errs) > 0 {
		wrong[len(wrong)-1] += " (see what the machine can do with `squall doctor`, or leave the fault out)"
	}
	return wrong
}

// fine says what became of the faults of a test that is valid.
func (t *FaultTale) fine() string {
	switch {
	case t.proven+t.void == 0:
		return "there were no faults"
	case t.void > 0:
		return fmt.Sprintf("%d of %d faults took effect", t.proven, t.proven+t.void)
	}
	return "every fault took effect and was healed"
}
