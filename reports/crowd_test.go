package reports

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/measure"
	"squall/internal/machinetest"
)

// However many faults a run had, its page stays small enough for a browser, and
// says what it leaves out.
func TestThePageOfManyFaultsIsBounded(t *testing.T) {
	machinetest.NotShort(t, "it draws what tens of thousands of faults leave")
	const second = int64(1e9)
	n := machinetest.Rounds(30_000, 200_000)
	many := fmt.Sprintf("%d,000", n/1000)
	in := &history.History{Header: history.Header{Nodes: []string{"n1", "n2", "n3"}}, Marks: []history.Mark{
		{Name: history.MarkLoadBegin}, {Name: history.MarkLoadEnd, Time: int64(n) * second}, {Name: history.MarkDone, Time: int64(n) * second}}}
	proof := []string{strings.Repeat("n1 hears nothing of n2 (14 dropped), ", 20)}
	for i := range n {
		at := int64(i) * second
		node := fmt.Sprintf("n%d", i%3+1)
		for phase, begin := range map[history.Phase]int64{history.Inject: at, history.Heal: at + second/2} {
			f := history.Fault{ID: i + 1, Name: "kill", Kind: history.KindProcess, Variant: "one", Params: "how=drop", Phase: phase, Targets: []string{node},
				Begin: begin + 1, End: begin + 2}
			if i < check.MostProofs {
				f.Proof = proof
			}
			in.Faults = append(in.Faults, f)
		}
		in.Nodes = append(in.Nodes, history.NodeEvent{Node: node, Boot: i + 1, Kind: history.EventStart, Time: at},
			history.NodeEvent{Node: node, Boot: i + 1, Kind: history.EventRole, Role: history.RoleCandidate, Term: uint64(i + 1), Time: at + 1},
			history.NodeEvent{Node: node, Boot: i + 1, Kind: history.EventRole, Role: history.RoleLeader, Term: uint64(i + 1), Time: at + 2},
			history.NodeEvent{Node: node, Boot: i + 1, Kind: history.EventExit, Reason: history.ReasonKilled, Time: at + second/2})
	}
	sum := measure.Summarize(in)
	res := &check.Results{SchemaVersion: check.SchemaVersion, Verdict: check.Pass, Ops: sum.Ops, Elections: sum.Elections, Faults: sum.Faults, Effects: sum.Effects, Thin: true}
	r := &run{dir: t.TempDir(), results: res, history: in}
	fig := newFigures(in, res)
	var text bytes.Buffer
	if err := renderReport(&text, newPage(r, fig)); err != nil {
		t.Fatal(err)
	}
	if text.Len() > 15<<20 {
		t.Errorf("the page has %d bytes", text.Len())
	}
	for _, want := range []string{"The table of faults has the first 5,000 of " + many, "20,000 of " + many + " faults",
		"The table of leaders lost has the first 5,000 of " + many + "; results.json has the first 20,000, history.jsonl.zst all.",
		"The table of effects of faults has the first 400 of ", "20,000 of " + many + " times of a leader", "of " + many + " candidates", "outages of nodes", many + " lost leaders",
		"are left out here; history.jsonl.zst holds them"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}
