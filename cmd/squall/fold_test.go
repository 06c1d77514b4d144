package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestLongLinesGoOnBelowTheirText(t *testing.T) {
	const width = 60
	for name, test := range map[string]struct{ line, want string }{
		"a short one": {"  ✓ linearizable         pass  24354 operations on 85 keys\n", "  ✓ linearizable         pass  24354 operations on 85 keys\n"},
		"a row of a table": {"  ! activity             invalid  the file has no end: what came after frame 579 is not there\n",
			"  ! activity             invalid  the file has no end: what\n" +
				"                                  came after frame 579 is\n" +
				"                                  not there\n"},
		"one with an indent": {"         activity: the machine n2 was lost in the middle of the test: it was killed\n",
			"         activity: the machine n2 was lost in the middle of\n         the test: it was killed\n"},
		"a word that is too long": {"  report " + strings.Repeat("x", 70) + " y", "  report\n  " + strings.Repeat("x", 70) + "\n  y"},
		"one without any blanks":  {strings.Repeat("é", 70), strings.Repeat("é", 70)},
	} {
		if got := fold(test.line, width); got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, test.want)
		}
	}
}

// TestFoldingKeepsEveryWord: in order, and no line is too wide that has a blank to
// be broken at.
// Words are short enough for the room right of the farthest hang: a longer one cannot be
// broken.
func TestFoldingKeepsEveryWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.StringMatching(` {0,12}[a-zé✓]{1,9}( {1,12}[a-zé✓]{1,9}){0,29}`).Draw(t, "line")
		columns := rapid.IntRange(leastColumns, 120).Draw(t, "columns")
		got := fold(line, columns)
		if a, b := strings.Fields(got), strings.Fields(line); strings.Join(a, " ") != strings.Join(b, " ") {
			t.Fatalf("%q became %q", line, got)
		}
		for part := range strings.SplitSeq(got, "\n") {
			if utf8.RuneCountInString(strings.TrimRight(part, " ")) > columns {
				t.Fatalf("%q is wider than %d", part, columns)
			}
		}
	})
}

// TestALogIsNotFolded: only a terminal has a width.
func TestALogIsNotFolded(t *testing.T) {
	var out bytes.Buffer
	long := strings.Repeat("word ", 100) + "\n"
	folded(&out, func(w io.Writer) { _, _ = io.WriteString(w, long) })
	if out.String() != long {
		t.Errorf("%q was written", out.String())
	}
}
