package crash

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"squall/history/check"
	"squall/nodeimage/disk"
)

// Config is what the farm needs beside a storm.
type Config struct {
	Squall    string // its version
	Seed      uint64
	Binary    string          // of the node that is booted
	Booters   []Booter        // each is used for one state at a time
	Checkers  []check.Checker // of a history, those that can be judged after a power cut
	Limits    check.Limits
	Budget    time.Duration // no further state is begun after it; 0: no bound
	States    int           // as many are judged, at most, in this call; 0: no bound
	KeepGoing bool          // a violation does not end it
	MayRefuse bool          // a server may end and name a file that it cannot start from
	Once      bool          // a state is started once; otherwise a second power cut follows, and a second start
	Fresh     bool          // forget what was judged before
	// Progress is told after every state, one call at a time; nil: nobody.
	Progress func(Progress)
}

// Progress is how far the farm is.
type Progress struct {
	States  int // that were judged in this call
	Equal   int // that were left out, for they equal one that was judged
	Moments int // that are worth a try
	Last    *Result
	Elapsed time.Duration
}

// Outcome is what the farm came to.
type Outcome struct {
	Verdict check.Verdict
	Reason  string // in a sentence, where it is not a pass
	Record  *Record
	Cover   Cover
	States  int // that were judged in this call
	Elapsed time.Duration
	// Worst is the first violation, made as small as could be; nil: there is none.
	Worst  *Result
	Folder string // where it is kept, by the ID that it had before
}

// farm is one under way.
type farm struct {
	cfg     Config
	storm   *Storm
	survey  *survey
	moments []Moment
	begun   time.Time

	mu      sync.Mutex
	record  *Record
	states  int             // judged in this call
	handed  int             // given to booters, in this call
	under   map[string]bool // IDs that are being judged
	equal   int
	left    map[part]int // states that are under way, of parts all of whose states were handed out or are being
	stopped bool         // no further state is begun
	failure error        // of the record, of making states, or of booters: there is no point in going on
	failed  int          // boots that failed, one after the other
}

// Prepare looks at a storm before anything is booted, and says how many moments are worth a try.
func Prepare(ctx context.Context, s *Storm) (moments int, err error) {
	_, list, err := prepared(ctx, s)
	return len(list), err
}

func prepared(ctx context.Context, s *Storm) (*survey, []Moment, error) {
	v, err := look(ctx, s.Disks)
	if err == nil {
		s.until, err = believed(s.Disks, s.Limit)
	}
	if err != nil {
		return nil, nil, err
	}
	list, err := s.moments(v)
	if err == nil && len(list) == 0 {
		err = errors.New("the journals have nothing of the time of the load")
	}
	return v, list, err
}

// Run judges states until all are, the budget is used up, or one is a violation. Where it was stopped, the same call goes on. When ctx ends,
// what was judged by then stands.
func Run(ctx context.Context, s *Storm, cfg Config) (out *Outcome, err error) {
	f := &farm{cfg: cfg, storm: s, begun: time.Now(), under: map[string]bool{}, left: map[part]int{}}
	if f.survey, f.moments, err = prepared(ctx, s); err != nil {
		return nil, err
	}
	head := Head{Version: RecordVersion, Squall: cfg.Squall, Seed: cfg.Seed, Binary: cfg.Binary, Moments: len(f.moments), Journaled: s.Disks[0].Names == disk.Journaled}
	if f.record, err = OpenRecord(s.Dir, head, cfg.Fresh); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.record.Close()) }()
	f.work(ctx)
	return f.conclude(ctx)
}

// work hands states to the booters.
func (f *farm) work(ctx context.Context) {
	jobs := make(chan job)
	var workers sync.WaitGroup
	for _, b := range f.cfg.Booters {
		workers.Go(func() {
			for j := range jobs {
				f.judge(ctx, b, j)
			}
		})
	}
	if err := f.hand(ctx, jobs); err != nil && !errors.Is(err, errEnough) {
		f.fail(err)
	}
	close(jobs)
	workers.Wait()
}

// mostFailed is how many boots may fail, one after the other, before it is given up.
const mostFailed = 3

// judge boots a state and judges it.
func (f *farm) judge(ctx context.Context, b Booter, j job) {
	begun := time.Now()
	judged, err := f.try(ctx, b, j.made)
	if ctx.Err() != nil {
		return // it was not judged
	}
	res := Result{State: j.made.State, Judged: judged, Took: time.Since(begun)}
	if err != nil {
		res.Judged = Judged{Verdict: check.Invalid, Text: err.Error()}
	}
	if res.Verdict != check.Pass {
		res.Lost = j.made.lost()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.under, j.made.ID)
	if f.failed++; err == nil {
		f.failed = 0
	}
	if f.failed >= mostFailed && f.failure == nil {
		f.failure = fmt.Errorf("%d boots failed, one after the other: %w", f.failed, err)
	}
	if err == nil {
		if err := errors.Join(f.record.append(line{Result: &res}), f.leave(j.part)); err != nil && f.failure == nil {
			f.failure = err
		}
		f.states++
	}
	if f.cfg.Progress != nil {
		f.cfg.Progress(Progress{States: f.states, Equal: f.equal, Moments: len(f.moments), Last: &res, Elapsed: time.Since(f.begun)})
	}
}

// try boots a state and judges what is seen. That a cluster does not serve is seen twice before it is believed: a computer may be busy.
func (f *farm) try(ctx context.Context, b Booter, m *made) (judged Judged, err error) {
	for range 2 {
		if judged, _, err = f.start(ctx, b, m); err != nil {
			return Judged{}, err
		}
		if judged.Verdict == check.Pass || judged.Verdict == check.Violation && judged.Check != checkRecovery {
			break
		}
	}
	return judged, nil
}

// start boots a state and judges it, and, if it passed, cuts the power once more and boots what that leaves: what a
// server made of its disk at the first start may show at the next.
func (f *farm) start(ctx context.Context, b Booter, m *made) (Judged, *Seen, error) {
	first, err := b.Boot(ctx, Order{Images: m.images, Look: f.storm.looks(m.At)})
	if err != nil {
		return Judged{}, nil, err
	}
	judged := judge(ctx, f.storm, &f.cfg, m, first)
	if judged.Verdict != check.Pass || f.cfg.Once {
		return judged, first, nil
	}
	second, err := b.Again(ctx, f.storm.looksAgain(m.At, first))
	if err != nil {
		return Judged{}, nil, err
	}
	again := judge(ctx, f.storm, &f.cfg, m, first, second)
	if again.Verdict == check.Pass {
		again.Again = ""
	}
	return again, second, nil
}

// checkRecovery is the check that looks whether nodes serve.
const checkRecovery = "recovery"

func (f *farm) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failure == nil {
		f.failure = err
	}
}

// conclude makes a violation smaller, and gives the verdict of all that was judged, now and before.
func (f *farm) conclude(ctx context.Context) (*Outcome, error) {
	out := &Outcome{Record: f.record, Cover: coverOf(f.record, len(f.moments)), States: f.states, Verdict: check.Pass}
	defer func() { out.Elapsed = time.Since(f.begun) }()
	out.Cover.Equal = f.equal
	if found := f.record.violations(); len(found) > 0 {
		out.Verdict, out.Worst = check.Violation, found[0]
		small, folder, err := f.keep(ctx, *found[0])
		if err != nil {
			return out, err
		}
		out.Worst, out.Folder = small, folder
		out.Reason = f.sentence(small)
		return out, nil
	}
	switch unknown := out.Cover.Verdicts[check.Unknown]; {
	case f.failure != nil:
		out.Verdict, out.Reason = check.Invalid, f.failure.Error()
	case len(f.record.Results) == 0:
		out.Verdict, out.Reason = check.Unknown, "no state was judged"
	case unknown > 0:
		out.Verdict = check.Unknown
		out.Reason = fmt.Sprintf("of %d of %d states it could not be decided: %s", unknown, len(f.record.Results), f.firstUnknown())
	}
	return out, nil
}

func (f *farm) firstUnknown() string {
	for i := range f.record.Results {
		if r := &f.record.Results[i]; r.Verdict == check.Unknown {
			return r.Check + ": " + r.Text
		}
	}
	return ""
}
