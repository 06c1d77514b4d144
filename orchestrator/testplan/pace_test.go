package testplan

import (
	"testing"
	"time"

	"squall/nemesis/faults"
	"squall/nemesis/schedule"
	"squall/workloads/systems"
)

// TestALossComesAfterAnElection: NATS, which elects after 4 to 9 s, has time to between power cuts that lose something. Nothing else changes
// for anybody.
func TestALossComesAfterAnElection(t *testing.T) {
	for _, c := range []struct {
		system, nemesis, gap string
		longer               bool
	}{
		{"nats", "power-cut(all)*3,lose-unsynced(all)", "", true},
		{"nats", "disks", "", true},
		{"nats", "power-cut(all)*3,lose-unsynced(all)", "1s", false},
		{"nats", "storm", "", false},
		{"raftkv", "disks", "", false},
		{"etcd", "lose-unsynced", "", false},
	} {
		test := DefaultTest()
		test.System, test.Nemesis, test.Gap = c.system, c.nemesis, c.gap
		system, err := test.FindSystem()
		if err != nil {
			t.Fatal(err)
		}
		if test.SystemParams, err = systems.Declaration(system).Resolve(nil); err != nil {
			t.Fatal(err)
		}
		spec, err := schedule.Parse(faults.All(), test.text())
		if err != nil {
			t.Fatal(err)
		}
		gap, tail := spec.Gap, spec.Tail
		test.breathe(system, &spec)
		if longer := spec.Gap != gap; longer != c.longer || longer != (spec.Tail != tail) || longer && spec.Gap.Lo < 10*time.Second {
			t.Errorf("%+v: gap %v, tail %v; were %v, %v", c, spec.Gap, spec.Tail, gap, tail)
		}
	}
}
