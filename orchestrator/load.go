package orchestrator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"squall/nodeimage"
	"squall/nodeimage/agent/protocol"
	"squall/workloads/driver"
)

// loader is the driver's machine: it takes commands to the driver, and the
// operations that the driver recorded back.
type loader struct {
	machine Machine
	agent   *protocol.Client
	lines   func([]byte) error // takes whole lines of operations
	sink    nodeSink
	log     io.Writer
	status  func(driver.Event)

	mu     sync.Mutex
	trace  []byte // an operation whose line has not ended yet
	out    []byte // likewise of the driver's output
	seen   map[string]bool
	exited string
	notice chan struct{} // closed and replaced at every change of seen or exited
}

func newLoader() *loader {
	return &loader{seen: map[string]bool{}, notice: make(chan struct{})}
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
	l.mu.Lock()
	defer l.mu.Unlock()
	if id == protocol.StreamTrace {
		l.takeOps(data)
		return
	}
	_, _ = l.log.Write(data) // the history matters, not the driver's log
	l.out = append(l.out, data...)
	for {
		line, rest, whole := bytes.Cut(l.out, []byte{'\n'})
		if !whole {
			l.out = bytes.Clone(l.out)
			return
		}
		l.takeStatus(line)
		l.out = rest
	}
}

// takeOps hands whole lines on and keeps the rest.
func (l *loader) takeOps(data []byte) {
	end := bytes.LastIndexByte(data, '\n') + 1
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
	l.seen[s.Event] = true
	l.wake()
	l.status(s)
}

// Event notes the driver's end.
func (l *loader) Event(e protocol.Event) {
	if e.Kind != protocol.EventExit {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.exited = e.Reason
	if l.exited == "" {
		l.exited = "exited"
	}
	l.wake()
}

func (l *loader) wake() {
	close(l.notice)
	l.notice = make(chan struct{})
}
