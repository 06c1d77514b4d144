package orchestrator

import (
	"regexp"
	"strings"
	"testing"
)

func TestALineIsFoundHoweverItComes(t *testing.T) {
	const line = "2026 INFO: raft.node: 1 elected leader 2 at term 7\n"
	seen := func(pieces ...string) bool {
		w := newLineWatch(regexp.MustCompile(`elected leader \d+ at`))
		for _, p := range pieces {
			w.take([]byte(p))
		}
		select {
		case <-w.seen:
			return true
		default:
			return false
		}
	}
	for cut := range line {
		if !seen("other\n"+line[:cut], line[cut:]+line) {
			t.Errorf("not seen when it is cut at %d", cut)
		}
	}
	if seen(strings.TrimSuffix(line, "\n")) {
		t.Error("a line counts whose end has not come")
	}
	if seen("elected\nleader 2 at\n") {
		t.Error("two lines count as one")
	}
	if seen(strings.Repeat("x", maxLoggedLine) + line) {
		t.Error("what comes late in a line that is too long is looked at")
	}
}
