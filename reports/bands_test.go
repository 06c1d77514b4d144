package reports

import (
	"testing"

	"gonum.org/v1/plot/vg"

	"squall/history"
	"squall/history/measure"
)

// TestBandsAreAsManyAsCanBeSeen: of faults that lie on one another to the eye one
// is drawn, so that a picture takes no longer and no more room for a thousand times
// as many. One of another class, or a long one, is never left out.
func TestBandsAreAsManyAsCanBeSeen(t *testing.T) {
	axis := timeAxis{measure.Window{Begin: 0, End: 1e9}, 0, 500}
	faults := func(n int) []measure.FaultRun {
		var all []measure.FaultRun
		for i := range n {
			begin := int64(i) * 1e9 / int64(n)
			all = append(all, measure.FaultRun{ID: i + 1, Name: "kill", Kind: history.KindProcess, Verified: true, Begin: begin, Healed: begin + 100})
		}
		return all
	}
	few, many := len(bandsOf(axis, faults(100))), len(bandsOf(axis, faults(100_000)))
	if few != 100 || many > 2*500 || many < 500 {
		t.Errorf("%d of 100 and %d of 100000 faults have a band", few, many)
	}
	crowd := faults(100_000)
	crowd[50_001].Kind, crowd[50_001].Name = history.KindPartition, "partition"
	crowd[50_002].Healed = 9e8
	var partition, long bool
	for _, b := range bandsOf(axis, crowd) {
		partition = partition || b.fault.Name == "partition"
		long = long || b.x1-b.x0 > vg.Length(100)
	}
	if !partition || !long {
		t.Errorf("a fault that can be seen has no band: of another class %v, long %v", partition, long)
	}
}
