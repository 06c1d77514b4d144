package mutants

import (
	"strings"
	"testing"

	"squall/internal/guidetest"
)

// TestTheGuide: what docs/guides/adding-a-mutant.md shows is in the sources, word for
// word, where the other tests try it.
func TestTheGuide(t *testing.T) {
	page := guidetest.Read(t, "../../docs/guides/adding-a-mutant.md")
	pieces := guidetest.Pieces(page)
	if len(pieces["go"]) != 1 || len(pieces["diff"]) != 1 {
		t.Fatalf("the page shows %d scenarios and %d patches, want one each", len(pieces["go"]), len(pieces["diff"]))
	}
	if source := guidetest.Read(t, "../raft/scenario_election_test.go"); !strings.Contains(source, pieces["go"][0]) {
		t.Error("the scenario on the page is not the one in the sources")
	}
	if patch := guidetest.Read(t, "vote-not-stored.patch"); patch != pieces["diff"][0] {
		t.Errorf("the patch on the page is not the one in the sources, which is\n%s", patch)
	}
	for _, f := range fields() {
		if !strings.Contains(page, "| `"+f.key+"` |") {
			t.Errorf("the page does not explain the line %s", f.key)
		}
	}
	for _, word := range append(Groups(), Evidence()...) {
		if !strings.Contains(page, "`"+word+"`") {
			t.Errorf("the page does not explain %s", word)
		}
	}
}
