package main

import (
	"strings"
	"testing"

	"squall/internal/plain"
)

// TestHelpOfRun: its flags stand in groups, each in one, none is left over, and every line
// fits 80 columns.
func TestHelpOfRun(t *testing.T) {
	var text strings.Builder
	a := app{program: "squall", out: plain.NewWriter(&text), errOut: plain.NewWriter(&text)}
	if code := a.run(t.Context(), []string{"squall", "run", "--help"}); code != exitPass {
		t.Fatalf("exit code %d: %s", code, &text)
	}
	for _, g := range runGroups {
		if !strings.Contains(text.String(), "\n"+g.title+":\n") {
			t.Errorf("the group %q is missing", g.title)
		}
		for _, name := range g.flags {
			if n := strings.Count(text.String(), "  --"+name+" ") + strings.Count(text.String(), ", --"+name+" "); n != 1 {
				t.Errorf("--%s stands %d times", name, n)
			}
		}
	}
	if strings.Contains(text.String(), "Others:") {
		t.Errorf("flags are in no group:\n%s", text.String()[strings.Index(text.String(), "Others:"):])
	}
	for line := range strings.Lines(text.String()) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > plainColumns {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
