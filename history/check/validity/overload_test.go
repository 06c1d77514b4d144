package validity

import (
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
)

// That the host was overloaded is a reason beside others, and none alone.
func TestAnOverloadedHostIsNamedBesideWhatWentWrong(t *testing.T) {
	marks := func(names ...string) *check.Input {
		in := &check.Input{History: &history.History{}}
		for _, name := range names {
			in.Marks = append(in.Marks, history.Mark{Name: name, Text: map[string]string{
				history.MarkInvalid: "the driver did not answer", history.MarkOverloaded: "load 80 on 2 cores"}[name]})
		}
		return in
	}
	res := Whole().Check(t.Context(), marks(history.MarkOverloaded, history.MarkInvalid, history.MarkDone))
	if res.Verdict != check.Invalid || !strings.Contains(res.Summary, "the driver did not answer; the host was overloaded: load 80 on 2 cores") {
		t.Errorf("%s: %s", res.Verdict, res.Summary)
	}
	if res := (activity{}).Check(t.Context(), marks(history.MarkOverloaded, history.MarkInvalid, history.MarkDone)); !strings.Contains(res.Summary, "the host was overloaded: load 80") {
		t.Errorf("%s: %s", res.Verdict, res.Summary)
	}
	if res := Whole().Check(t.Context(), marks(history.MarkOverloaded, history.MarkDone)); res.Verdict != check.Pass {
		t.Errorf("an overloaded host alone makes it %s: %s", res.Verdict, res.Summary)
	}
}
