package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// limits are how long the engine may take, so that nothing waits for ever for
// one that is hung. An engine under load may take seconds to start a container.
type limits struct {
	question time.Duration // an answer that it only has to look up
	step     time.Duration // one thing that it has to do; several times that while it answers a ping
	image    time.Duration // an image that it has to receive, maybe from afar
	clean    time.Duration // everything that is to be removed
	ping     time.Duration // to say that it is there, while a test runs
	hung     time.Duration // anything, of one that is known to hang
}

// wait is how a limit is waited for: context.WithTimeout, or less in tests.
type wait func(context.Context, time.Duration) (context.Context, context.CancelFunc)

func usualLimits() limits {
	return limits{question: 15 * time.Second, step: 30 * time.Second, image: 2 * time.Minute, clean: time.Minute,
		ping: 10 * time.Second, hung: 5 * time.Second}
}

// silentError says that the engine did not answer in time.
type silentError struct{ text string }

func (e *silentError) Error() string { return e.text }

func isSilent(err error) bool {
	var silent *silentError
	return errors.As(err, &silent)
}

func (r *Runtime) silent(limit time.Duration, doing string) error {
	return &silentError{fmt.Sprintf("the engine at %s did not answer within %v while %s: is it hung? (%s)",
		r.addr.Host, limit, doing, r.addr.restart())}
}

// ask asks the engine for something that it only has to look up.
func (r *Runtime) ask(ctx context.Context, doing string, do func(context.Context) error) error {
	return r.within(ctx, r.limits.question, doing, do)
}

// step lets the engine do something that must not be cut in half: were the
// request called off, the engine might still do what it asked for, unseen by a
// clean-up that ran already. It only has its own limit.
func (r *Runtime) step(ctx context.Context, doing string, do func(context.Context) error) error {
	return r.patiently(context.WithoutCancel(ctx), doing, do)
}

// mostSteps is for how many limits of a step an engine is waited for that is there.
const mostSteps = 4

// patiently does one thing that the engine has to do. A computer may be so busy that
// this takes minutes; one whose engine answers a ping meanwhile does not hang.
func (r *Runtime) patiently(ctx context.Context, doing string, do func(context.Context) error) error {
	return r.until(ctx, r.limits.step, r.waitWhileThere, doing, do)
}

// waitWhileThere is a wait that goes on after the limit if the engine answers a ping.
func (r *Runtime) waitWhileThere(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		for n := 1; ; n++ {
			limited, end := r.wait(ctx, limit)
			<-limited.Done()
			end()
			if ctx.Err() != nil || n == mostSteps || !r.isThere(ctx) {
				return
			}
		}
	}()
	return ctx, cancel
}

// isThere reports whether the engine answers a ping soon.
func (r *Runtime) isThere(ctx context.Context) bool {
	ctx, cancel := r.wait(ctx, r.limits.hung)
	defer cancel()
	_, err := r.api.Ping(ctx)
	return err == nil
}

// within does something that needs the engine's answer, and says so when that
// did not come in time.
func (r *Runtime) within(ctx context.Context, limit time.Duration, doing string, do func(context.Context) error) error {
	return r.until(ctx, limit, r.wait, doing, do)
}

func (r *Runtime) until(ctx context.Context, limit time.Duration, wait wait, doing string, do func(context.Context) error) error {
	hang, known := r.hang.now()
	if known {
		limit, wait = min(limit, r.limits.hung), r.wait
	}
	limited, cancel := wait(ctx, limit)
	defer cancel()
	if !known { // when it is found to hang, nothing is waited for any longer
		defer context.AfterFunc(hang, cancel)()
	}
	err := do(limited)
	switch {
	case err == nil:
		if known {
			r.hang.over()
		}
		return nil
	case isSilent(err):
		return err
	case ctx.Err() != nil: // the caller called it off
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	case limited.Err() != nil:
		return r.silent(limit, doing)
	default:
		return fmt.Errorf("%s: %w", doing, r.withFullDisk(err))
	}
}

// fullDiskError is an error of an engine whose disk is full, with the fix.
type fullDiskError struct {
	err  error
	host string
}

func (e *fullDiskError) Unwrap() error { return e.err }

func (e *fullDiskError) Error() string {
	return fmt.Sprintf("%v: the disk of the engine at %s is full: make room (squall clean --images, docker system prune) "+
		"or give it more", e.err, e.host)
}

// withFullDisk says it when the engine's disk is full. The engine only tells in
// its text.
func (r *Runtime) withFullDisk(err error) error {
	var told *fullDiskError
	text := strings.ToLower(err.Error())
	full := strings.Contains(text, "no space left on device") || strings.Contains(text, "disk quota exceeded")
	if !full || errors.As(err, &told) {
		return err
	}
	return &fullDiskError{err, r.addr.Host}
}

// watched gives what in gives, and calls stop when nothing more was taken for a
// limit's time: a hung engine is found out long before the time is up that a
// far one may need for the whole.
type watched struct {
	in    io.Reader
	limit time.Duration
	timer *time.Timer
}

func watch(in io.Reader, limit time.Duration, stop func()) *watched {
	return &watched{in: in, limit: limit, timer: time.AfterFunc(limit, stop)}
}

func (w *watched) Read(p []byte) (int, error) {
	w.timer.Reset(w.limit)
	return w.in.Read(p)
}

// Close ends the watch.
func (w *watched) Close() error {
	w.timer.Stop()
	return nil
}
