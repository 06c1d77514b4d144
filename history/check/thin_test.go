package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"squall/history/measure"
	"squall/internal/regular"
)

// Results of more faults than a test may have can be read again, whatever was
// proven of them.
func TestResultsOfManyFaultsCanBeRead(t *testing.T) {
	const n = 200_000
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
