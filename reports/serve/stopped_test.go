package serve

import (
	"strings"
	"testing"

	"squall/history/check"
)

// TestTheListSaysThatARunWasStopped: beside its verdict, whatever that is.
func TestTheListSaysThatARunWasStopped(t *testing.T) {
	out := t.TempDir()
	addRun(t, out, "a/20261128T000000Z-1", check.Results{Verdict: check.Pass, Stopped: "stopped after 12.2 s of 20 s"})
	addRun(t, out, "a/20261128T000001Z-2", check.Results{Verdict: check.Pass})
	_, page := get(t, newServer(t, out), "/")
	if n := strings.Count(page, "stopped after 12.2 s of 20 s"); n != 1 {
		t.Errorf("it is said %d times:\n%s", n, page)
	}
}
