package steptrace

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"squall/nodeimage/raft"
)

// brokenWriter takes nothing.
type brokenWriter struct{ writes int }

func (w *brokenWriter) Write([]byte) (int, error) {
	w.writes++
	return 0, errors.New("broken pipe")
}

// TestATraceThatCannotBeWritten: the node goes on without, and says so once.
func TestATraceThatCannotBeWritten(t *testing.T) {
	var log bytes.Buffer
	w := &brokenWriter{}
	tr := New(1, w, func() time.Duration { return 1 }, slog.New(slog.NewTextHandler(&log, nil)))
	tr.Step(&raft.Step{Kind: raft.StepStart})
	tr.Sync()
	if n := strings.Count(log.String(), "cannot be written"); n != 1 {
		t.Errorf("the log tells of the error %d times: %s", n, log.String())
	}
	tr.Step(&raft.Step{Kind: raft.StepConfig})
	tr.Sync()
	if w.writes != 1 {
		t.Errorf("%d writes after the first failed", w.writes-1)
	}
}
