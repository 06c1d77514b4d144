package campaign

import (
	"os"
	"strings"
	"testing"
)

// The guide's file is one that squall takes, and its table has every key.
func TestTheGuideIsTrue(t *testing.T) {
	text, err := os.ReadFile("../../docs/guides/campaigns.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	file, rest, _ := strings.Cut(rest, "```")
	p := mustPlan(t, file)
	if want := 3 * (3*3 - 1 + 1); len(p.Cells) != want {
		t.Errorf("the guide's file has %d cells, want %d: %v", len(p.Cells), want, ids(p))
	}
	for _, key := range keyNames() {
		if !strings.Contains(rest, "`"+key+"`") {
			t.Errorf("the guide does not tell of %s", key)
		}
	}
}
