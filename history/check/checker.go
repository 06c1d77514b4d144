package check

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"squall/history"
)

// Checker judges one guarantee over a history. It must not change its input.
type Checker interface {
	Name() string
	// Check gives its verdict within the limits of the input. The caller fills
	// in Result.Name and Result.Seconds.
	Check(ctx context.Context, in *Input) Result
}

// Applicable is a checker that does not apply to every run of a system. Where it does
// not, the results do not name it.
type Applicable interface{ Applies(in *Input) bool }

// Input is what a checker works on.
type Input struct {
	*history.History
	Limits Limits
	Dir    string // where pictures go; "" for none

	mu     sync.Mutex
	looked bool      // for silent
	silent []Silence // the servers whose trace fell silent
}

// Silences are the servers whose trace fell silent, found once for all checkers.
// stop is the limit that was reached before the end.
func (in *Input) Silences(b *Budget) (list []Silence, stop string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.looked {
		if in.silent, stop = silences(in, b); stop != "" {
			return nil, stop
		}
		in.looked = true
	}
	return in.silent, ""
}

// RunOne runs one checker. A checker that panics has a bug; the others are run
// all the same, and the verdict is not lost with it.
func RunOne(ctx context.Context, c Checker, in *Input) (res Result) {
	begin := time.Now()
	defer func() {
		if p := recover(); p != nil {
			res = Result{Verdict: Unknown, Summary: fmt.Sprintf("the checker failed: %v", p)}
		}
		res.Name, res.Seconds = c.Name(), time.Since(begin).Seconds()
	}()
	if err := ctx.Err(); err != nil {
		return Result{Verdict: Unknown, Summary: "not run: " + context.Cause(ctx).Error()}
	}
	return c.Check(ctx, in)
}

// verdicts in the order in which they dominate.
func order() []Verdict { return []Verdict{Violation, Invalid, Unknown, Pass} }

// Combine gives the verdict over all checks, and a reason for each check that
// did not pass, the most serious first. Checks that say the same share one.
func Combine(checks []Result) (Verdict, []string) {
	if len(checks) == 0 {
		return Unknown, []string{"nothing was checked"}
	}
	verdict := Pass
	reasons := []string{}
	for _, v := range order() {
		var summaries []string
		names := map[string]string{} // of the checks that say so
		for _, c := range checks {
			if c.Verdict != v {
				continue
			}
			if slices.Index(order(), v) < slices.Index(order(), verdict) {
				verdict = v
			}
			told := c.Told()
			if before, said := names[told]; said {
				names[told] = before + ", " + c.Name
				continue
			}
			summaries = append(summaries, told)
			names[told] = c.Name
		}
		for _, s := range summaries {
			if v != Pass {
				reasons = append(reasons, names[s]+": "+s)
			}
		}
	}
	return verdict, reasons
}
