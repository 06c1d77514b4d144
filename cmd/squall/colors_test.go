package main

import (
	"bytes"
	"strings"
	"testing"

	"squall/internal/plain"
)

// Where no terminal is, there are colours only if they are asked for.
func TestColors(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want bool
	}{
		{nil, false},
		{[]string{"--color", "never"}, false},
		{[]string{"--color=always"}, true},
	} {
		t.Setenv("NO_COLOR", "")
		var out, errOut bytes.Buffer
		code := run(t.Context(), append([]string{"squall", "report", t.TempDir()}, tt.args...), nil, &out, &errOut)
		if got := strings.Contains(errOut.String(), "\x1b[31msquall:\x1b[0m "); got != tt.want || code == exitPass || !strings.Contains(errOut.String(), "squall:") {
			t.Errorf("%v: exit code %d, %q", tt.args, code, errOut.String())
		}
	}
	var out, errOut bytes.Buffer
	if code := run(t.Context(), []string{"squall", "list", "--color", "pink"}, nil, &out, &errOut); code != exitUsage || !strings.Contains(errOut.String(), "expected auto, always or never") {
		t.Errorf("exit code %d: %q", code, errOut.String())
	}
}

// A styled line is as wide as what is seen of it.
func TestStyledLinesAreFoldedAsTheyAreSeen(t *testing.T) {
	line := plain.Sprintf("  %s %-9s pass  %s\n", plain.In("✓", plain.Green, plain.Bold), "availability", strings.Repeat("word ", 12)+"end")
	got := fold(line, 60)
	if plain.Unstyled(got) != fold(plain.Unstyled(line), 60) || !strings.HasPrefix(got, string("  "+plain.In("✓", plain.Green, plain.Bold))) {
		t.Errorf("%q", got)
	}
}

// The line below the others says what a person who waits wants to know, in what room there is.
func TestTheLiveLineFits(t *testing.T) {
	text := string("9s left  3,353 ops/s  leader n1 (term 3)  " + plain.In("⚡ partition(leader)", plain.Yellow))
	if got := fitted(text, 80); got != text {
		t.Errorf("%q was cut to %q", text, got)
	}
	if got := fitted(text, 53); got != "9s left  3,353 ops/s  leader n1 (term 3)  ⚡ partitio…" {
		t.Errorf("%q", got)
	}
}
