package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"sync"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/internal/regular"
)

// How a run is watched. Reading takes a fifth of one processor at most, and all
// who look at one run share it.
const (
	watchEvery  = 500 * time.Millisecond
	watchBudget = 60 * time.Millisecond // reading at a stretch
	watchPause  = 4 * watchBudget       // between two stretches while there is more
	maxStreams  = 64                    // people who look, over all runs
	// reportWait is how long the report may take after the results.
	reportWait = time.Minute
)

var errTooMany = errors.New("too many pages are being kept up to date already")

// watches are the runs that somebody looks at.
type watches struct {
	server *Server

	mu      sync.Mutex
	runs    map[string]*watch
	streams int
}

// watch follows one run for as long as somebody looks at it.
type watch struct {
	server  *Server
	dir     string
	cancel  context.CancelFunc
	done    chan struct{}
	lookers int

	mu     sync.Mutex
	state  liveState
	broken bool      // what was read of it could not be taken
	ended  time.Time // when it was first seen that the run is over
}

// join begins to look at a run; leave ends it.
func (w *watches) join(dir string) (run *watch, leave func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.streams >= maxStreams {
		return nil, nil, errTooMany
	}
	if w.runs == nil {
		w.runs = map[string]*watch{}
	}
	run = w.runs[dir]
	if run == nil {
		ctx, cancel := context.WithCancel(context.Background())
		run = &watch{server: w.server, dir: dir, cancel: cancel, done: make(chan struct{})}
		run.state.init(plannedLoad(&w.server.scanner, dir))
		run.look()
		w.runs[dir] = run
		go run.follow(ctx)
	}
	w.streams++
	run.lookers++
	return run, func() { w.leave(run) }, nil
}

// leave stops the watching with the last who looked.
func (w *watches) leave(run *watch) {
	w.mu.Lock()
	w.streams--
	run.lookers--
	last := run.lookers == 0
	if last {
		delete(w.runs, run.dir)
	}
	w.mu.Unlock()
	if last {
		run.cancel()
		<-run.done
	}
}

// plannedLoad is how long the load of a run is to last; 0: not known.
func plannedLoad(s *scanner, dir string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := read[plan](s, path.Join(dir, planFile))
	if err != nil {
		return 0
	}
	length, _ := time.ParseDuration(p.Test.Time)
	return max(0, length)
}

// follow reads what the run records, until ctx ends.
func (w *watch) follow(ctx context.Context) {
	defer close(w.done)
	var in *history.Follower
	defer func() {
		if in != nil {
			_ = in.Close()
		}
	}()
	for {
		if in == nil {
			in = w.open()
		}
		more := w.step(in)
		pause := watchEvery
		if more {
			pause = watchPause
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// step reads on and looks whether the run goes on. Whatever is in the run, it ends
// the watching of this run at most: the run is then shown as damaged.
func (w *watch) step(in *history.Follower) (more bool) {
	defer func() {
		if p := recover(); p != nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.broken, more = true, false
			w.state.trouble = "the history is damaged: what it holds cannot be shown: " + harmless(fmt.Sprint(p), 300)
		}
	}()
	more = in != nil && !w.broken && w.poll(in)
	w.look()
	return more
}

// now is what somebody who looks is told who has the seconds before sent.
func (w *watch) now(sent int) (message, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.message(time.Now(), sent)
}

// open opens the history, once there is one.
func (w *watch) open() *history.Follower {
	name := path.Join(w.dir, history.FileName)
	if !isFile(w.server.root.FS(), name) {
		return nil
	}
	f, err := regular.OpenIn(w.server.root, name)
	if err != nil {
		return nil
	}
	in, err := history.Follow(f)
	if err != nil {
		return nil
	}
	return in
}

func (w *watch) poll(in *history.Follower) (more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	more, err := in.Poll(watchBudget, func(rec history.Record, open bool) {
		w.header(in)
		if !open {
			w.state.take(rec)
		}
	})
	w.header(in)
	if err != nil {
		w.state.trouble = "the history cannot be read any further: " + harmless(err.Error(), 300)
	}
	w.state.behind = 0
	if info, err := fs.Stat(w.server.root.FS(), path.Join(w.dir, history.FileName)); more && err == nil && info.Size() > 0 {
		w.state.behind = math.Min(1, float64(in.Bytes())/float64(info.Size()))
	}
	return more
}

// header takes the header, by which all times count, before the first record.
func (w *watch) header(in *history.Follower) {
	if !w.state.begun {
		if h, ok := in.Header(); ok {
			w.state.begin(h)
		}
	}
}

// look sees whether the run goes on.
func (w *watch) look() {
	fsys := w.server.root.FS()
	results := isFile(fsys, path.Join(w.dir, check.ResultsName))
	held := w.server.scanner.held(path.Join(w.dir, history.HoldName))
	report := reportOf(fsys, w.dir)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.checked = results
	switch {
	case held:
		w.ended = time.Time{}
		return
	case w.ended.IsZero():
		w.ended = time.Now()
	}
	waited := time.Since(w.ended)
	switch {
	case results && report != "":
		w.state.next = link("runs", w.dir, report)
	case results && waited > reportWait, !results && waited > 2*time.Second:
		w.state.next = link("runs", w.dir) + "/"
	}
}
