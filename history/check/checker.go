package check

import (
	"context"
	"fmt"
	"runtime"
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

// Input is what a checker works on.
type Input struct {
	*history.History
	Limits Limits
	Dir    string // where pictures go; "" for none

	mu     sync.Mutex
	looked bool      // for silent
	silent []silence // the servers whose trace fell silent
}

// silences are the servers whose trace fell silent, found once for all checkers.
// stop is the limit that was reached before the end.
func (in *Input) silences(b *budget) (list []silence, stop string) {
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

// Limits bound what a check may use. A check that reaches one says Unknown and
// names the limit; it never takes the process down.
type Limits struct {
	Time    time.Duration // for each checker; 0: DefaultTime
	Memory  uint64        // bytes of heap of the whole process; 0: see DefaultMemory
	Workers int           // keys checked at once; 0: one a processor
}

// DefaultTime is how long a checker may take when nothing else is said.
const DefaultTime = 2 * time.Minute

// withDefaults fills in what is zero.
func (l Limits) withDefaults() Limits {
	if l.Time <= 0 {
		l.Time = DefaultTime
	}
	if l.Memory == 0 {
		l.Memory = DefaultMemory()
	}
	if l.Workers <= 0 {
		l.Workers = runtime.GOMAXPROCS(0)
	}
	return l
}

// runOne runs one checker. A checker that panics has a bug; the others are run
// all the same, and the verdict is not lost with it.
func runOne(ctx context.Context, c Checker, in *Input) (res Result) {
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

// combine gives the verdict over all checks, and a reason for each check that
// did not pass, the most serious first. Checks that say the same share one.
func combine(checks []Result) (Verdict, []string) {
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
