package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A command that heeds its context ends with it; one that does not is left; one
// that takes the signals has two of them.
func TestEveryCommandEndsOnCtrlC(t *testing.T) {
	interrupted := func(err error) bool {
		var exit *exitError
		return errors.As(err, &exit) && exit.code == exitInterrupted
	}
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 4)
		c := &ctrlC{signals: signals}
		signals <- os.Interrupt
		if err := c.attend(t.Context(), func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }); !interrupted(err) || !errors.Is(err, errInterrupted) {
			t.Errorf("one that heeds its context: %v", err)
		}
		begin, release := time.Now(), make(chan struct{})
		signals <- os.Interrupt
		if err := c.attend(t.Context(), func(context.Context) error { <-release; return nil }); !interrupted(err) {
			t.Errorf("one that heeds nothing: %v", err)
		}
		if took := time.Since(begin); took != usualGrace {
			t.Errorf("it was waited for %v, want %v", took, usualGrace)
		}
		close(release)

		stopped := errors.New("stopped")
		signals <- os.Interrupt
		err := c.attend(t.Context(), func(ctx context.Context) error {
			mine, give := c.take()
			defer give()
			signals <- os.Interrupt // the first may have come before
			<-mine
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return stopped
		})
		if !errors.Is(err, stopped) && !interrupted(err) {
			t.Errorf("one that takes the signals: %v", err)
		}
	})
}

// An engine that never answers does not hold a command that is called off.
func TestACommandThatHangsIsLeft(t *testing.T) {
	var out bytes.Buffer
	signals := make(chan os.Signal, 1)
	a := &app{program: "squall", out: &out, errOut: &out, ctrlC: ctrlC{signals: signals, grace: time.Millisecond}, build: buildNode,
		open: func(context.Context, string, *slog.Logger) (opened, error) {
			signals <- os.Interrupt
			select {} // a hung engine
		}}
	if code := a.run(t.Context(), []string{"squall", "list", "faults"}); code != exitInterrupted || !strings.Contains(out.String(), "interrupted") {
		t.Errorf("exit code %d: %s", code, out.String())
	}
}
