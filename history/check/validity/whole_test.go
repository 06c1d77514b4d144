package validity

import (
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
)

func TestWhole(t *testing.T) {
	marks := func(names ...string) []history.Mark {
		var list []history.Mark
		for i, name := range names {
			list = append(list, history.Mark{Name: name, Time: int64(i), Text: "why " + name})
		}
		return list
	}
	for name, c := range map[string]struct {
		marks   []history.Mark
		verdict check.Verdict
		part    string
	}{
		"whole":              {marks(history.MarkUp, history.MarkServing, history.MarkDone), check.Pass, "complete"},
		"a machine was lost": {marks(history.MarkUp, history.MarkServing, history.MarkInvalid, history.MarkDone), check.Invalid, "why invalid"},
		"cut off":            {marks(history.MarkUp, history.MarkServing), check.Invalid, "ends"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Whole().Check(t.Context(), &check.Input{History: &history.History{Marks: c.marks}})
			if got.Verdict != c.verdict || !strings.Contains(got.Summary, c.part) {
				t.Errorf("%s, %q; want %s, %q", got.Verdict, got.Summary, c.verdict, c.part)
			}
		})
	}
}
