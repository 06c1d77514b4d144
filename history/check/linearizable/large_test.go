package linearizable

import (
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
	"squall/history/objects"
)

// TestWhatNoFewShow: where no few operations show what is wrong, it is said how many do or
// that time ran out, the last of them are shown, and which answer made it certain.
func TestWhatNoFewShow(t *testing.T) {
	var ops []*history.Op
	for i := range int64(150) {
		op := checktest.At(1, "n1", objects.Add, "1", "", 10*i, 10*i+5)
		ops = append(ops, &op)
	}
	last := checktest.At(2, "n2", history.Read, "", "149", 1500, 1505)
	later := checktest.At(2, "n3", history.Read, "", "150", 1600, 1605)
	ops = append(ops, &last, &later)
	model := CounterModel()
	in := &check.Input{History: &history.History{Header: history.Header{Functions: model.Functions}}}
	f := &finder{judge: &judge{model: model}, in: in}
	bad := &keyCase{key: "k", ops: ops, at: last.Return, exact: true}

	all := minimalOf(nil, ops[:151])
	if !all.large || all.needed != 151 || len(all.ops) != check.WitnessMost || all.ops[check.WitnessMost-1] != &last {
		t.Fatalf("of 151 operations %d are shown, needed %d, large %v", len(all.ops), all.needed, all.large)
	}
	hurried := all
	hurried.hurried = true
	for want, witness := range map[string]minimal{
		"key k is not linearizable; no fewer than 151 operations were found to show it, of which the last 100 are shown":                   all,
		"key k is not linearizable; within the limits no fewer than 151 operations were found to show it, of which the last 100 are shown": hurried,
		"key k is not linearizable; the limits left no time to find the few operations that show it, so its last 100 operations are shown": latest(model.Functions, ops, bad.at),
	} {
		var res check.Result
		if f.summarise(bad, bad, witness, &res); res.Summary != want {
			t.Errorf("it is summed up as %q, want %q", res.Summary, want)
		}
	}
	if worth(all) <= worth(minimalOf(nil, ops[:100])) {
		t.Error("151 operations are as good to show as 100")
	}
	ex := f.explainLast(bad)
	if want := "n2 answered read(k) → 149, which no order of the operations on this key explains."; ex.kind != check.KindNoOrder || !strings.HasSuffix(ex.sentence, want) || checktest.Malformed(ex.sentence) {
		t.Errorf("it is explained as %s: %q, want %q", ex.kind, ex.sentence, want)
	}
}
