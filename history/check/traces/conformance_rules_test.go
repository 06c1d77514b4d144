package traces

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"squall/history/conformance"
	"squall/history/trace"
)

// script reads a scripted trace. A line "#include NAME" stands for that file.
func script(t *testing.T, name string) []trace.Event {
	t.Helper()
	events, err := trace.ReadText(strings.NewReader(scriptText(t, name)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return events
}

func scriptText(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "conformance", name))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for line := range strings.Lines(string(raw)) {
		if other, ok := strings.CutPrefix(line, "#include "); ok {
			line = scriptText(t, strings.TrimSpace(other))
		}
		text.WriteString(line)
	}
	return text.String()
}

// TestConformanceRules demands of each rule the scripted trace that breaks it, and only
// it, and the nearest one in which it is decided and kept.
func TestConformanceRules(t *testing.T) {
	known := map[string]bool{}
	for _, r := range conformance.Rules() {
		known[r.Name] = true
		t.Run(r.Name, func(t *testing.T) {
			bad := conform(script(t, r.Name+".bad.txt"))
			if got := brokenRules(bad); !slices.Equal(got, []string{r.Name}) {
				t.Errorf("the bad trace breaks %q, and not this rule alone", got)
			}
			if n := len(bad.Violations); n > 0 {
				v := &bad.Violations[0]
				if len(v.Events) == 0 || len(v.Events) > 3 {
					t.Errorf("%d events show it, not one to three", len(v.Events))
				}
				t.Log(v.Text)
			}
			good := conform(script(t, r.Name+".good.txt"))
			if got := brokenRules(good); got != nil {
				t.Errorf("the good trace breaks %q: %s", got, good.Violations[0].Text)
			}
			for _, u := range good.Unsure {
				t.Errorf("the good trace leaves n%d unsure: %s", u.Node, u.Why)
			}
			for _, d := range good.Decided {
				if d.Rule.Name == r.Name && d.Times == 0 {
					t.Error("the good trace does not come to the rule")
				}
			}
		})
	}
	files, err := filepath.Glob("testdata/conformance/*.*.txt")
	if err != nil || len(files) != 2*len(known) {
		t.Errorf("%d scripts for %d rules (%v)", len(files), len(known), err)
	}
	for _, f := range files {
		if name, _, _ := strings.Cut(filepath.Base(f), "."); !known[name] {
			t.Errorf("%s is of no rule", f)
		}
	}
}

func conform(events []trace.Event) *conformance.Report {
	c := conformance.New()
	for i := range events {
		c.Event(&events[i])
	}
	return c.Report()
}

func brokenRules(r *conformance.Report) (names []string) {
	for i := range r.Violations {
		names = append(names, r.Violations[i].Rule.Name)
	}
	return names
}

// TestConformanceRulesTold: every rule can be understood, and looked up.
func TestConformanceRulesTold(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range conformance.Rules() {
		what := fmt.Sprintf("%s (%s): %s", r.Name, r.Section, r.Sentence)
		if r.Name == "" || seen[r.Name] || strings.ToLower(r.Name) != r.Name || strings.Contains(r.Name, " ") {
			t.Errorf("%s: the name is not one", what)
		}
		if !strings.ContainsAny(r.Section, "§T") || !strings.HasSuffix(r.Sentence, ".") {
			t.Errorf("%s: no section, or no sentence", what)
		}
		seen[r.Name] = true
	}
}

// TestConformanceRulesInDocs: docs/verdicts.md lists the rules as they are.
func TestConformanceRulesInDocs(t *testing.T) {
	page, err := os.ReadFile("../../../docs/verdicts.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range conformance.Rules() {
		if line := fmt.Sprintf("| `%s` | %s | %s |\n", r.Name, r.Section, r.Sentence); !strings.Contains(string(page), line) {
			t.Errorf("docs/verdicts.md lacks\n%s", line)
		}
	}
}
