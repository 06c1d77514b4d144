package gate

import (
	"strings"
	"testing"
)

// What pages show is in people's words, and does not tell how thresholds are written.
func TestFiguresHaveNames(t *testing.T) {
	names := map[string]string{}
	for _, f := range ShownFigures() {
		names[f.Key] = f.Name
		if f.Doc == "" || strings.ContainsAny(f.Doc+f.Name, ";{()") {
			t.Errorf("%s is %q: %s", f.Key, f.Name, f.Doc)
		}
	}
	if names["latency p(99)"] != "latency p99" || names["leaders-lost"] != "leaders lost" || names["throughput"] != "throughput" {
		t.Errorf("%v", names)
	}
}
