package boot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"squall/history"
	"squall/nodeimage"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/machines"
	"squall/workloads/driver"
)

// clients is the driver's machine. It is the handler of what its agent sends.
type clients struct {
	machine machines.Machine
	agent   *protocol.Client

	mu      sync.Mutex
	boot    int
	lines   []byte // operations
	status  []byte // events, the last line perhaps not whole
	seen    map[string]driver.Event
	exited  string
	trouble string
	changed chan struct{} // closed and replaced at every change
}

var _ protocol.Handler = (*clients)(nil)

// maxLines bounds what a driver may send of one state, bytes.
const maxLines = 64 << 20

// Stream takes operations and events.
func (c *clients) Stream(id protocol.StreamID, boot int, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if boot < c.boot {
		return
	}
	if id == protocol.StreamTrace {
		if c.lines = append(c.lines, data...); len(c.lines) > maxLines {
			c.lines, c.trouble = nil, "it sent too much"
			c.wake()
		}
		return
	}
	c.status = append(c.status, data...)
	for {
		end := bytes.IndexByte(c.status, '\n')
		if end < 0 {
			break
		}
		c.take(c.status[:end])
		c.status = c.status[end+1:]
	}
	if len(c.status) > maxLines {
		c.status = nil
	}
}

func (c *clients) take(text []byte) {
	var e driver.Event
	if !bytes.HasPrefix(text, []byte(`{"event":`)) || json.Unmarshal(text, &e) != nil {
		return // for people
	}
	if e.Event == driver.EventError {
		c.trouble = e.Error
	}
	if _, was := c.seen[e.Event]; !was {
		c.seen[e.Event] = e
	}
	c.wake()
}

func (c *clients) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Event takes the driver's end.
func (c *clients) Event(e protocol.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Kind == protocol.EventExit && e.Boot >= c.boot {
		c.exited = "it ended: " + e.Reason
		c.wake()
	}
}

// start starts a driver, and tells it what to do.
func (c *clients) start(ctx context.Context, config driver.Config) error {
	if _, err := c.agent.Kill(ctx); err != nil {
		return fmt.Errorf("end the driver: %w", err)
	}
	c.mu.Lock()
	c.boot++
	c.lines, c.status, c.seen, c.exited, c.trouble = nil, nil, map[string]driver.Event{}, "", ""
	c.mu.Unlock()
	info, err := c.agent.Start(ctx, protocol.StartSpec{Argv: []string{nodeimage.BinaryPath, "driver"}})
	if err != nil {
		return fmt.Errorf("start the driver: %w", err)
	}
	c.mu.Lock()
	c.boot = info.Boot
	c.mu.Unlock()
	text, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("write the driver's configuration: %w", err)
	}
	return c.say(ctx, string(text))
}

func (c *clients) say(ctx context.Context, line string) error {
	if err := c.agent.Write(ctx, []byte(line+"\n")); err != nil {
		return fmt.Errorf("command the driver: %w", err)
	}
	return nil
}

// await waits for an event.
func (c *clients) await(ctx context.Context, event string) (e driver.Event, err error) {
	err = c.until(ctx, event, func() (done bool) {
		e, done = c.seen[event]
		return done
	})
	return e, err
}

// awaitExit waits for the driver's end, and gives all of its operations.
func (c *clients) awaitExit(ctx context.Context) ([]history.Op, error) {
	if err := c.until(ctx, "its end", func() bool { return c.exited != "" }); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return parse(c.lines)
}

// until waits for something that holds, which is called with the lock held.
func (c *clients) until(ctx context.Context, what string, holds func() bool) error {
	for {
		c.mu.Lock()
		done, exited, trouble, changed := holds(), c.exited, c.trouble, c.changed
		c.mu.Unlock()
		switch {
		case trouble != "": // though it did what is waited for: what it told may not be whole
			return errors.New("the driver: " + trouble)
		case done:
			return nil
		case exited != "":
			return errors.New("the driver: " + exited)
		}
		select {
		case <-changed:
		case <-c.agent.Done():
			return c.agent.Err()
		case <-ctx.Done():
			return fmt.Errorf("waiting for the driver to tell of %s: %w", what, context.Cause(ctx))
		}
	}
}

// openOp is the beginning of an operation.
type openOp struct {
	process int64
	call    int64
}

// parse reads the driver's lines. An operation that has no end was under way when the driver ended.
func parse(lines []byte) ([]history.Op, error) {
	var ops []history.Op
	open := map[openOp]history.Op{}
	for text := range bytes.Lines(lines) {
		rec, under, err := history.ParseLine(bytes.TrimSuffix(text, []byte("\n")))
		if err != nil {
			return nil, fmt.Errorf("what the driver wrote: %w", err)
		}
		if rec.Op == nil {
			continue
		}
		at := openOp{rec.Op.Process, rec.Op.Call}
		if under {
			open[at] = *rec.Op
			continue
		}
		delete(open, at)
		ops = append(ops, *rec.Op)
	}
	for _, op := range open {
		op.Outcome, op.Error, op.Return = history.Info, history.ErrorUnderWay, op.Call
		ops = append(ops, op)
	}
	return ops, nil
}
