package orchestrator

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"squall/history"
	"squall/nodeimage"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/machines"
	"squall/workloads/driver"
)

// loader is the driver's machine: it takes commands to the driver, and the
// operations that the driver recorded back.
type loader struct {
	machine machines.Machine
	agent   *protocol.Client
	lines   func([]byte) error // takes whole lines of operations
	sink    nodeSink
	log     io.Writer
	status  func(driver.Event)

	begun, taken atomic.Uint64 // pieces of what the driver said; taken follows begun
	hung         atomic.Bool   // it was found to hang

	mu      sync.Mutex
	trace   []byte     // an operation whose line has not ended yet
	out     lineCutter // of the driver's output
	seen    map[string]bool
	texts   map[string]string // of the last event of a name
	exited  string
	leaving bool        // it was told to end
	silent  *time.Timer // since it closed its history; nil: it has not
	trouble string      // the last error that it told of
	asked   uint64      // how often it was asked
	answers map[uint64]driver.Answer
	notice  chan struct{} // closed and replaced at every change of seen or exited
}

// Bounds of what the driver sends, in bytes.
const (
	maxOpLine     = 4 << 20 // an operation; its values are the system's
	maxStatusLine = 64 << 10
)

func newLoader() *loader {
	return &loader{seen: map[string]bool{}, texts: map[string]string{}, answers: map[uint64]driver.Answer{}, notice: make(chan struct{}), out: lineCutter{max: maxStatusLine}}
}

var _ protocol.Handler = (*loader)(nil)

// start starts the driver, which then waits for its configuration.
func (l *loader) start(ctx context.Context) error {
	spec := protocol.StartSpec{Argv: []string{nodeimage.BinaryPath, "driver"}}
	if _, err := l.agent.Start(ctx, spec); err != nil {
		return fmt.Errorf("start the driver: %w", err)
	}
	return nil
}

// configure tells the driver what to do, which it does at once.
func (l *loader) configure(ctx context.Context, config driver.Config) error {
	text, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("write the driver's configuration: %w", err)
	}
	return l.send(ctx, string(text))
}

// send writes one line to the driver.
func (l *loader) send(ctx context.Context, line string) error {
	if err := l.agent.Write(ctx, []byte(line+"\n")); err != nil {
		return fmt.Errorf("command the driver: %w", err)
	}
	return nil
}

// await returns when the driver has reported event; an earlier end of the
// driver is an error.
func (l *loader) await(ctx context.Context, event string) error {
	err := l.until(ctx, func() (bool, error) {
		if !l.seen[event] && l.exited != "" {
			return false, errors.New("the driver ended: " + l.exited)
		}
		return l.seen[event], nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the driver to report %q: %w", event, err)
	}
	return nil
}

// ask has the driver ask the cluster about its members, and waits for what comes of it.
func (l *loader) ask(ctx context.Context, a driver.Ask) (answer driver.Answer, err error) {
	l.mu.Lock()
	l.asked++
	a.ID = l.asked
	l.mu.Unlock()
	text, err := json.Marshal(a)
	if err != nil {
		return answer, fmt.Errorf("write what the driver is to ask: %w", err)
	}
	if err := l.send(ctx, driver.CommandAsk+" "+string(text)); err != nil {
		return answer, err
	}
	return l.answerTo(ctx, a.ID)
}

// answerTo waits for what comes of a question.
func (l *loader) answerTo(ctx context.Context, id uint64) (answer driver.Answer, err error) {
	err = l.until(ctx, func() (found bool, err error) {
		if answer, found = l.answers[id]; found {
			delete(l.answers, id)
			return true, nil
		}
		if l.exited != "" {
			return false, errors.New("the driver ended: " + l.exited)
		}
		return false, nil
	})
	if err != nil {
		return answer, fmt.Errorf("waiting for what the driver was told by the cluster: %w", err)
	}
	return answer, nil
}

// said is the text of the last event of that name.
func (l *loader) said(event string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.texts[event]
}

// awaitExit returns when the driver has ended and everything that it wrote has
// been taken.
func (l *loader) awaitExit(ctx context.Context) error {
	err := l.until(ctx, func() (bool, error) { return l.exited != "", nil })
	if err != nil {
		return fmt.Errorf("waiting for the driver to end: %w", err)
	}
	return nil
}

// until waits for something that holds, which is called with the lock held
// whenever something has changed.
func (l *loader) until(ctx context.Context, holds func() (bool, error)) error {
	for {
		l.mu.Lock()
		done, err := holds()
		notice := l.notice
		l.mu.Unlock()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-notice:
		}
	}
}

// Stream takes operations (the trace stream) and status lines (the log stream).
func (l *loader) Stream(id protocol.StreamID, _ int, data []byte) {
	l.begun.Add(1)
	defer l.taken.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if id == protocol.StreamTrace {
		l.takeOps(data)
		return
	}
	_, _ = l.log.Write(data) // the history matters, not the driver's log
	long := l.out.take(data, func(line []byte) bool {
		l.takeStatus(line)
		return true
	})
	if long {
		l.sink.broken(fmt.Errorf("the driver printed a line of more than %d KiB; its log is nodes/%s/%s", maxStatusLine>>10, driverMachine, serverLog))
	}
}

// heard counts the pieces of what the driver said, and tells whether one is being
// taken.
func (l *loader) heard() (said uint64, taking bool) {
	taken, begun := l.taken.Load(), l.begun.Load()
	return begun, begun != taken
}

// takeOps hands whole lines on and keeps the rest.
func (l *loader) takeOps(data []byte) {
	end := bytes.LastIndexByte(data, '\n') + 1
	if len(l.trace)+len(data)-end > maxOpLine {
		l.trace = nil
		l.sink.broken(fmt.Errorf("the driver sent an operation of more than %d MiB: the system under test answers with values that nobody wrote, or the driver is damaged", maxOpLine>>20))
		return
	}
	if end == 0 {
		l.trace = append(l.trace, data...)
		return
	}
	whole := data[:end]
	if len(l.trace) > 0 {
		whole = append(l.trace, whole...)
	}
	if err := l.lines(whole); err != nil {
		l.sink.broken(fmt.Errorf("record what the driver sent: %w", err))
	}
	l.trace = bytes.Clone(data[end:])
}

func (l *loader) takeStatus(line []byte) {
	var s driver.Event
	if !bytes.HasPrefix(line, []byte(`{"event":`)) || json.Unmarshal(line, &s) != nil {
		return // a log line for people
	}
	if s.Event == driver.EventError {
		l.trouble = s.Error
	}
	if s.Event == driver.EventAnswer && s.Answer != nil {
		l.answers[s.Answer.ID] = *s.Answer
	}
	l.seen[s.Event], l.texts[s.Event] = true, s.Text
	l.wake()
	l.status(s)
}

// quit lets the driver end.
func (l *loader) quit(ctx context.Context) error {
	l.mu.Lock()
	l.leaving = true
	l.mu.Unlock()
	return l.send(ctx, driver.CommandQuit)
}

// patience is how long the driver may take to end by itself, and a context for its
// end: one that hangs is not waited for, and its machine may hang with it.
func (l *loader) patience(ctx context.Context) (context.Context, context.CancelFunc, time.Duration) {
	if l.hung.Load() {
		ctx, cancel := context.WithTimeout(ctx, driverAnswer)
		return ctx, cancel, hungGrace
	}
	return ctx, func() {}, 5 * time.Second
}

// Event notes the driver's end. One that it was not told to come to ends the test
// at once: what clients did from there on would not be known.
func (l *loader) Event(e protocol.Event) {
	switch e.Kind {
	case protocol.EventSilent:
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.leaving && l.silent == nil {
			l.silent = time.AfterFunc(silentGrace, l.closedHistory)
		}
	case protocol.EventExit:
		l.ended(e)
	}
}

// silentGrace is how long before its end a driver closes its history at most.
const silentGrace = 2 * time.Second

// closedHistory takes that the driver has closed its history and has not ended since.
func (l *loader) closedHistory() {
	l.mu.Lock()
	over := l.leaving || l.exited != ""
	l.mu.Unlock()
	if !over {
		l.sink.broken(errors.New("the driver closed its history and runs on: what its clients did is not known"))
	}
}

func (l *loader) ended(e protocol.Event) {
	l.mu.Lock()
	if l.silent != nil {
		l.silent.Stop()
	}
	why := cmp.Or(e.Reason, "exited")
	l.exited = why
	l.wake()
	leaving, trouble := l.leaving, l.trouble
	l.mu.Unlock()
	if leaving {
		return
	}
	how := "ended in the middle of the test"
	switch {
	case e.Reason == signalKilled && e.OOM:
		why = "killed by the kernel: out of memory"
	case e.Reason == signalKilled:
		why = history.ReasonOutside
	case trouble != "":
		how, why = "gave up", trouble
	}
	l.sink.broken(fmt.Errorf("the driver, which runs the clients, %s: %s; its log is nodes/%s/%s", how, why, driverMachine, serverLog))
}

func (l *loader) wake() {
	close(l.notice)
	l.notice = make(chan struct{})
}
