package driver

import (
	"testing"
	"testing/synctest"
	"time"

	"squall/history"
	"squall/workloads"
)

// TestALookMakesNoLoad: a driver that is to look at what an earlier load has left writes nothing but what shows
// that nodes serve, and reads what it was told, through every node.
func TestALookMakesNoLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(3)
		for _, key := range []string{"k1", "k7", "s3"} {
			cfg.Look = append(cfg.Look, workloads.Intent{Func: history.Read, Key: key})
		}
		r := drive(t, newFake(2*time.Millisecond, testNodes(3)...), cfg)
		r.await(EventLoadBegin)
		r.say(CommandRecover + "\n" + CommandScan)
		recovered, scanned := r.await(EventRecovered), r.await(EventScanned)
		begin := r.await(EventScan).Time
		r.quit()
		ops := r.ops()
		for _, op := range ops {
			if !op.Final {
				t.Errorf("an operation of a load: %+v", op)
			}
		}
		read, failed := readBack(ops, begin)
		for _, node := range []string{"n1", "n2", "n3"} {
			if keys := read[node]; len(keys) != 3 || !keys["k1"] || !keys["k7"] || !keys["s3"] {
				t.Errorf("through %s were read %v", node, keys)
			}
		}
		if failed != 0 || scanned.Final.Wanted != 9 || scanned.Final.Missing != 0 || recovered.Final.Wanted != 6 || recovered.Final.Missing != 0 {
			t.Errorf("%d failed; %+v; %+v", failed, recovered.Final, scanned.Final)
		}
	})
}
