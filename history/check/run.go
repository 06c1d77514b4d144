package check

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"squall/history"
	"squall/history/measure"
)

// Checked is a run directory after its check: what the check came to, and the
// history that it read. What follows a check, such as the report, is made from the
// same history and results: neither is read a second time.
type Checked struct {
	Dir     string
	Results *Results
	// History is nil when it is damaged, of which Damage then says where and how, or
	// when it was not read: the results are those of an earlier check.
	History *history.History
	Damage  *history.DamageError
}

// Judge loads the history in dir, runs the checkers one after another, and derives
// the figures. It writes no results (see Checked.Write): a caller may have more to
// judge. A violation is not an error, and neither is a history that is damaged: it
// is invalid, and no checker looks at it. One that is missing, or of a version that
// this squall does not know, is an error.
//
// Planned is how long the load was to last; 0: not known. One that ended earlier,
// and not because something failed, was stopped: earlier histories do not say so
// themselves.
//
// When ctx ends, the checkers still to run say Unknown.
func Judge(ctx context.Context, dir string, checkers []Checker, limits Limits, planned time.Duration) (*Checked, error) {
	h, err := history.Load(filepath.Join(dir, history.FileName))
	if damage := new(history.DamageError); errors.As(err, &damage) {
		return &Checked{Dir: dir, Results: damaged(damage), Damage: damage}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", dir, err)
	}
	return &Checked{Dir: dir, Results: judge(ctx, h, dir, checkers, limits, planned), History: h}, nil
}

// JudgeHistory is Judge for a history that is in no run directory.
func JudgeHistory(ctx context.Context, h *history.History, checkers []Checker, limits Limits) *Results {
	return judge(ctx, h, "", checkers, limits, 0)
}

func judge(ctx context.Context, h *history.History, dir string, checkers []Checker, limits Limits, planned time.Duration) *Results {
	in := &Input{History: h, Limits: limits.WithDefaults(), Dir: dir}
	res := &Results{SchemaVersion: SchemaVersion, Checks: []Result{}}
	for _, c := range checkers {
		if a, ok := c.(Applicable); ok && !a.Applies(in) {
			continue
		}
		res.Checks = append(res.Checks, RunOne(ctx, c, in))
	}
	res.Verdict, res.Reasons = Combine(res.Checks)
	res.Stopped = stopped(in, planned)
	res.confirm(in)
	res.setFigures(h)
	res.Situations = situationsOf(ctx, res, in)
	res.History = measure.HistoryInfo{Records: h.Info.Records, Bytes: h.Info.Bytes, Truncated: h.Info.Truncated}
	return res
}

// Write writes results.json, whole or not at all.
func (c *Checked) Write() error { return WriteResults(c.Dir, c.Results) }

// Run is Judge for what nobody else has to judge: it writes the results, and
// returns them.
func Run(ctx context.Context, dir string, checkers []Checker, limits Limits) (*Results, error) {
	checked, err := Judge(ctx, dir, checkers, limits, 0)
	if err != nil {
		return nil, err
	}
	if err := checked.Write(); err != nil {
		return nil, err
	}
	return checked.Results, nil
}

// setFigures puts the figures of a history into the results.
func (r *Results) setFigures(h *history.History) {
	sum := measure.Summarize(h)
	r.Ops, r.Elections, r.Faults, r.Clocks = sum.Ops, sum.Elections, sum.Faults, sum.Clocks
	r.Effects, r.Blocks = sum.Effects, sum.Blocks
	r.thin()
}

// stopped says that the test was stopped early, as Results.Stopped does.
func stopped(in *Input, planned time.Duration) string {
	if m, ok := in.MarkOf(history.MarkStopped); ok {
		if m.Text == "" {
			return "stopped early"
		}
		return m.Text
	}
	// Clocks of two hosts are compared to some milliseconds.
	const slack = 500 * time.Millisecond
	begin, began := in.MarkOf(history.MarkLoadBegin)
	end, ended := in.MarkOf(history.MarkLoadEnd)
	lasted := time.Duration(end.Time - begin.Time)
	if planned == 0 || !began || !ended || in.HasMark(history.MarkInvalid) || lasted >= planned-slack {
		return ""
	}
	return fmt.Sprintf("stopped after %.1f s of %s", lasted.Seconds(), strconv.FormatFloat(planned.Seconds(), 'f', -1, 64)+" s")
}

// confirm takes what was seen while the test ran. The verdict is that of the whole check,
// but a test that was stopped because of a violation has not passed.
func (r *Results) confirm(in *Input) {
	m, seen := in.MarkOf(history.MarkSeen)
	if !seen {
		return
	}
	r.Seen = m.Text
	if r.Verdict == Pass {
		r.Verdict = Unknown
		r.Reasons = append(r.Reasons, "a violation was seen while the test ran, and the check of the whole history finds none: this is a bug in squall; please report it with the history ("+m.Text+")")
	}
}

// damaged are the results of a history that cannot be believed.
func damaged(damage *history.DamageError) *Results {
	short := *damage
	short.Path = "" // a run directory may be moved
	return Damaged(short.Error() + "; it says nothing about the cluster: copy it again if it is a copy, or run the test again")
}

// Damaged are the results of a history that cannot be believed, for the reason told. Its
// only check is that of the history itself.
func Damaged(reason string) *Results {
	res := &Results{SchemaVersion: SchemaVersion, Checks: []Result{{Name: "history", Verdict: Invalid, Summary: reason}}}
	res.Verdict, res.Reasons = Combine(res.Checks)
	res.setFigures(&history.History{})
	return res
}
