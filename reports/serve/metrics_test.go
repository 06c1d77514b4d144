package serve

import (
	"strings"
	"testing"

	"squall/internal/openmetrics"
)

// TestMetrics: the runs of the folder are counted by state, and each test's last one told.
func TestMetrics(t *testing.T) {
	s := newServer(t, folder(t))
	res, text := get(t, s, "/metrics")
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != openmetrics.ContentType {
		t.Fatalf("status %d, %q", res.StatusCode, res.Header.Get("Content-Type"))
	}
	found := s.scanner.look()
	states := map[string]int{}
	for _, r := range found.runs {
		states[r.State]++
	}
	if states["pass"] == 0 || len(states) < 3 {
		t.Fatalf("the folder is too plain: %v", states)
	}
	for state, n := range states {
		if want := `squall_runs{state="` + state + `"} ` + string(rune('0'+n)) + "\n"; !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if n := strings.Count(text, `squall_last_run_faults{test="alpha",`); n != 1 {
		t.Errorf("the last run of alpha stands %d times in:\n%s", n, text)
	}
	if !strings.HasSuffix(text, "# EOF\n") {
		t.Errorf("no end: %q", text)
	}
}
