package mutants

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestThePageOfKnownBugs: docs/known-bugs.md has every bug by its number once, with
// its mutants, or why there is none; and every mutant that has no number.
func TestThePageOfKnownBugs(t *testing.T) {
	text, err := os.ReadFile("../../docs/known-bugs.md")
	if err != nil {
		t.Fatal(err)
	}
	table, rest, found := strings.Cut(string(text), "## Without a number")
	if !found {
		t.Fatal("the page has no part \"Without a number\"")
	}
	planted := map[int][]string{} // 0: those without a number
	for _, m := range everyMutant(t) {
		planted[m.Bug] = append(planted[m.Bug], m.Name)
	}
	if told := names(rest); !slices.Equal(told, planted[0]) {
		t.Errorf("without a number the page has %v, want %v", told, planted[0])
	}
	last := 0
	rows := map[int]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \|.*\| ([^|]+) \|$`).FindAllStringSubmatch(table, -1) {
		bug, err := strconv.Atoi(row[1])
		if err != nil {
			t.Fatal(err)
		}
		if rows[bug] {
			t.Errorf("bug %d is there twice", bug)
		}
		rows[bug], last = true, max(last, bug)
		if told := names(row[2]); !slices.Equal(told, planted[bug]) {
			t.Errorf("bug %d has the mutants %v, the page says %q", bug, planted[bug], row[2])
		}
	}
	for bug := 1; bug <= last; bug++ {
		if !rows[bug] {
			t.Errorf("the page skips bug %d", bug)
		}
	}
	for bug := range planted {
		if bug > 0 && !rows[bug] {
			t.Errorf("the page lacks bug %d, of %v", bug, planted[bug])
		}
	}
}

// names are the words in backquotes, sorted.
func names(text string) (found []string) {
	for _, m := range regexp.MustCompile("`([a-z0-9-]+)`").FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	slices.Sort(found)
	return found
}
