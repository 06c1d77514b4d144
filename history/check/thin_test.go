package check

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"squall/history"
	"squall/history/measure"
	"squall/internal/machinetest"
	"squall/internal/regular"
)

// Results of more faults than a test may have can be read again, whatever was
// proven of them.
func TestResultsOfManyFaultsCanBeRead(t *testing.T) {
	n := machinetest.Rounds(2*MostProofs, 200_000)
	res := &Results{SchemaVersion: SchemaVersion, Verdict: Pass}
	proof := []string{strings.Repeat("n1→n2 (14 dropped), ", 50)}
	for i := range n {
		res.Faults = append(res.Faults, measure.FaultRun{ID: i + 1, Name: "partition", Kind: "partition", Variant: "leader", Params: "how=drop", Targets: []string{"n1"},
			Begin: int64(i) * second, Bitten: int64(i)*second + 1, HealAt: int64(i)*second + 2, Healed: int64(i)*second + 3, Verified: true, Proof: proof, HealProof: proof})
	}
	res.thin()
	dir := t.TempDir()
	must(t, WriteResults(dir, res))
	back, err := ReadResults(dir)
	must(t, err)
	if len(back.Faults) != n || !back.Thin || len(back.Faults[MostProofs-1].Proof) != 1 || len(back.Faults[MostProofs].Proof) != 0 {
		t.Errorf("%d faults came back, thin: %t", len(back.Faults), back.Thin)
	}
	info, err := os.Stat(filepath.Join(dir, ResultsName))
	must(t, err)
	if info.Size() > regular.MaxJSON {
		t.Errorf("%d bytes", info.Size())
	}
	few := &Results{Faults: res.Faults[:MostProofs:MostProofs]}
	few.thin()
	if few.Thin || len(few.Faults[MostProofs-1].Proof) != 1 {
		t.Error("the proofs of few faults are left out")
	}
}

// Results of more elections than a test can have are read again: the first ones are
// told, and the counts and maxima are of all.
func TestResultsOfManyLossesCanBeRead(t *testing.T) {
	const n = 50_000
	h := &history.History{Header: history.Header{Nodes: []string{"n1", "n2"}}}
	for i := range n {
		node, at := fmt.Sprintf("n%d", i%2+1), int64(i)*second
		h.Nodes = append(h.Nodes, history.NodeEvent{Node: node, Boot: 1, Kind: history.EventRole, Role: history.RoleLeader, Term: uint64(i + 1), Time: at},
			history.NodeEvent{Node: node, Boot: 1, Kind: history.EventRole, Role: history.RoleFollower, Term: uint64(i + 1), Time: at + second/2,
				Reason: strings.Repeat("heard a higher term, ", 100)})
	}
	h.Nodes = append(h.Nodes, history.NodeEvent{Node: "n1", Boot: 1, Kind: history.EventRole, Role: history.RoleLeader, Term: n + 1, Time: n*second + 3*second})
	res := &Results{SchemaVersion: SchemaVersion, Verdict: Pass}
	res.setFigures(h)
	dir := t.TempDir()
	must(t, WriteResults(dir, res))
	back, err := ReadResults(dir)
	must(t, err)
	e := back.Elections
	if len(e.Losses) != measure.MostLosses || len(e.Leaderships) != measure.MostLosses || e.Lost() != n || e.Count != n+1 || e.NoLeaderMax != 3500 {
		t.Errorf("%d of %d losses, %d of %d leaderships, at most %v ms without a leader", len(e.Losses), e.Lost(), len(e.Leaderships), e.Count, e.NoLeaderMax)
	}
}
