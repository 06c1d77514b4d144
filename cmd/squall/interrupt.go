package main

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// errLeave ends everything at once, after a second Ctrl-C.
var errLeave = errors.New("quit at the second Ctrl-C")

// interruptible turns the first Ctrl-C into the closing of stop, and the
// second into the end of the context.
func (a *app) interruptible(parent context.Context, w io.Writer) (ctx context.Context, stop <-chan struct{}, release func()) {
	ctx, cancel := context.WithCancelCause(parent)
	stopping := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
			return
		case <-a.signals:
		}
		fmt.Fprintln(w, "\nstopping: heal, collect, check and report (press Ctrl-C again to quit immediately)")
		close(stopping)
		select {
		case <-ctx.Done():
		case <-a.signals:
			cancel(errLeave)
		}
	}()
	return ctx, stopping, func() { cancel(nil) }
}
