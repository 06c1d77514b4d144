package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

var (
	// errLeave ends everything at once, after a second Ctrl-C.
	errLeave = errors.New("quit at the second Ctrl-C")
	// errInterrupted ends a command that has nothing to bring to an end first.
	errInterrupted = errors.New("interrupted")
)

// ctrlC is what becomes of Ctrl-C: the command that is under way takes it,
// where it has something to heal and to collect; any other is ended.
type ctrlC struct {
	signals <-chan os.Signal
	// grace is how long a command may go on after it was called off: some work,
	// such as drawing a figure, notices late. 0 is usualGrace.
	grace time.Duration

	mu     sync.Mutex
	taker  chan os.Signal // nil: nobody takes them
	handed int            // to the taker
}

const usualGrace = 2 * time.Second

// attend runs a command and ends it at Ctrl-C: it is called off at the first,
// and when its grace is over, or at the next, it is not waited for any more.
// What it writes it writes in one step, so that nothing is left half.
func (i *ctrlC) attend(ctx context.Context, command func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan error, 1)
	go func() { done <- command(ctx) }()
	var late <-chan time.Time // once it was called off
	for {
		select {
		case err := <-done:
			if late != nil && err != nil && exitCode(err) != exitViolation {
				return &exitError{exitInterrupted, err}
			}
			return err
		case signal := <-i.signals:
			if i.hand(signal) {
				continue
			}
			if late != nil {
				return &exitError{exitInterrupted, errInterrupted}
			}
			cancel(errInterrupted)
			grace := i.grace
			if grace == 0 {
				grace = usualGrace
			}
			late = time.After(grace)
		case <-late:
			return &exitError{exitInterrupted, errInterrupted}
		}
	}
}

// hand gives a signal to the command that takes them, if one does and has not
// had two already.
func (i *ctrlC) hand(s os.Signal) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.taker == nil || i.handed == cap(i.taker) {
		return false
	}
	i.handed++
	i.taker <- s // there is room for it
	return true
}

// take hands the signals that come to the caller, two of them at most, until
// release.
func (i *ctrlC) take() (signals <-chan os.Signal, release func()) {
	taker := make(chan os.Signal, 2)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.taker, i.handed = taker, 0
	return taker, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.taker = nil
	}
}

// interruptible turns the first Ctrl-C into the closing of stop, and the
// second into the end of the context.
func (a *app) interruptible(parent context.Context, w io.Writer) (ctx context.Context, stop <-chan struct{}, release func()) {
	ctx, cancel := context.WithCancelCause(parent)
	stopping := make(chan struct{})
	signals, give := a.take()
	go func() {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		fmt.Fprintln(w, "\nstopping: heal, collect, check and report (press Ctrl-C again to quit immediately)")
		close(stopping)
		select {
		case <-ctx.Done():
		case <-signals:
			cancel(errLeave)
		}
	}()
	return ctx, stopping, func() { give(); cancel(nil) }
}
