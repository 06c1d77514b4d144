package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"squall/history"
	"squall/history/measure"
	"squall/internal/atomicfile"
	"squall/internal/regular"
)

// ResultsName is the name of results.json in a run directory.
const ResultsName = "results.json"

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

// Run loads the history in dir, runs the checkers one after another, and
// writes and returns the results. A violation is not an error, and neither is a
// history that is damaged: it is invalid, and no checker looks at it. One that is
// missing, or of a version that this squall does not know, is an error.
//
// When ctx ends, the checkers still to run say Unknown, and the results are
// written all the same.
func Run(ctx context.Context, dir string, checkers []Checker, limits Limits) (*Results, error) {
	return RunPlanned(ctx, dir, checkers, limits, 0)
}

// RunPlanned is Run for a test whose load was to last so long; 0: not known. One
// that ended earlier, and not because something failed, was stopped: histories of
// before do not say so themselves.
func RunPlanned(ctx context.Context, dir string, checkers []Checker, limits Limits, planned time.Duration) (*Results, error) {
	h, err := history.Load(filepath.Join(dir, history.FileName))
	if damage := new(history.DamageError); errors.As(err, &damage) {
		res := damaged(damage)
		return res, WriteResults(dir, res)
	}
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", dir, err)
	}
	in := &Input{History: h, Limits: limits.withDefaults(), Dir: dir}
	res := &Results{SchemaVersion: SchemaVersion, Checks: []Result{}}
	for _, c := range checkers {
		res.Checks = append(res.Checks, runOne(ctx, c, in))
	}
	res.Verdict, res.Reasons = combine(res.Checks)
	res.Stopped = stopped(in, planned)
	sum := measure.Summarize(h)
	res.Ops, res.Elections, res.Faults, res.Clocks = sum.Ops, sum.Elections, sum.Faults, sum.Clocks
	res.Effects, res.Blocks = sum.Effects, sum.Blocks
	res.thin()
	res.History = measure.HistoryInfo{Records: h.Info.Records, Bytes: h.Info.Bytes, Truncated: h.Info.Truncated}
	if err := WriteResults(dir, res); err != nil {
		return nil, err
	}
	return res, nil
}

// stopped says that the test was stopped early, as Results.Stopped does.
func stopped(in *Input, planned time.Duration) string {
	if m, ok := in.markOf(history.MarkStopped); ok {
		if m.Text == "" {
			return "stopped early"
		}
		return m.Text
	}
	// Clocks of two hosts are compared to some milliseconds.
	const slack = 500 * time.Millisecond
	begin, began := in.markOf(history.MarkLoadBegin)
	end, ended := in.markOf(history.MarkLoadEnd)
	lasted := time.Duration(end.Time - begin.Time)
	if planned == 0 || !began || !ended || hasMark(in, history.MarkInvalid) || lasted >= planned-slack {
		return ""
	}
	return fmt.Sprintf("stopped after %.1f s of %s", lasted.Seconds(), strconv.FormatFloat(planned.Seconds(), 'f', -1, 64)+" s")
}

// damaged are the results of a history that cannot be believed. Its only check
// is that of the history itself.
func damaged(damage *history.DamageError) *Results {
	short := *damage
	short.Path = "" // a run directory may be moved
	res := &Results{SchemaVersion: SchemaVersion, Checks: []Result{{
		Name: "history", Verdict: Invalid,
		Summary: short.Error() + "; it says nothing about the cluster: copy it again if it is a copy, or run the test again",
	}}}
	res.Verdict, res.Reasons = combine(res.Checks)
	sum := measure.Summarize(&history.History{})
	res.Ops, res.Elections, res.Faults, res.Clocks = sum.Ops, sum.Elections, sum.Faults, sum.Clocks
	res.Effects, res.Blocks = sum.Effects, sum.Blocks
	return res
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

// WriteResults puts results.json into dir, whole or not at all.
func WriteResults(dir string, res *Results) error {
	data, err := json.MarshalIndent(res, "", "  ")
	if err == nil && len(data) > regular.MaxJSON/2 { // more than people look at
		data, err = json.Marshal(res)
	}
	if err != nil {
		return fmt.Errorf("encode the results: %w", err)
	}
	return atomicfile.Write(filepath.Join(dir, ResultsName), append(data, '\n'), 0o644)
}

// ReadResults reads the results.json of a run directory.
func ReadResults(dir string) (*Results, error) {
	return ReadResultsFile(filepath.Join(dir, ResultsName))
}

// ReadResultsFile reads a results.json under whatever name.
func ReadResultsFile(path string) (*Results, error) {
	data, err := regular.ReadFile(path, regular.MaxJSON)
	if err != nil {
		return nil, fmt.Errorf("read the results: %w", err)
	}
	var res Results
	if err := json.Unmarshal(data, &res); err != nil {
		return nil, fmt.Errorf("read the results in %s: %w", path, err)
	}
	if res.SchemaVersion != SchemaVersion {
		return nil, fmt.Errorf("%s has schema version %d, and this squall knows version %d only: check the run again",
			path, res.SchemaVersion, SchemaVersion)
	}
	if c, t := len(res.Checks), len(res.Thresholds); c > maxListed || t > maxListed {
		return nil, fmt.Errorf("%s is damaged: it has %d checks and %d thresholds, and %d of each at most are written: check the run again", path, c, t, maxListed)
	}
	return &res, nil
}

// maxListed bounds the checks and the thresholds of results that are read: a run
// has some ten of each.
const maxListed = 1000
