package driver

import (
	"testing"
	"testing/synctest"
	"time"

	"squall/history"
	"squall/internal/declare"
)

// written are the keys that the load wrote.
func written(ops []history.Op) map[string]bool {
	keys := map[string]bool{}
	for _, op := range ops {
		if !op.Final && op.Func != history.Read {
			keys[op.Key] = true
		}
	}
	return keys
}

// readBack are the keys that were read through each node after that moment, and the
// reads that failed.
func readBack(ops []history.Op, after int64) (keys map[string]map[string]bool, failed int) {
	keys = map[string]map[string]bool{}
	for _, op := range ops {
		switch {
		case !op.Final || op.Call < after:
		case op.Outcome != history.OK:
			failed++
		default:
			if keys[op.Node] == nil {
				keys[op.Node] = map[string]bool{}
			}
			keys[op.Node][op.Key] = true
		}
	}
	return keys, failed
}

// TestScan: all keys are read through every node, also those that were retired long ago.
func TestScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(3)
		cfg.Duration, cfg.Args = 2*time.Second, declare.Args{"ops-per-key": "10"}
		r := drive(t, newFake(2*time.Millisecond, testNodes(3)...), cfg)
		r.await(EventLoadEnd)
		r.say(CommandScan)
		done := r.await(EventScanned)
		begin := r.await(EventScan).Time
		r.quit()
		ops := r.ops()
		keys := written(ops)
		if len(keys) < 300 { // more than a rotation remembers
			t.Fatalf("only %d keys were written", len(keys))
		}
		read, failed := readBack(ops, begin)
		for _, node := range []string{"n1", "n2", "n3"} {
			for key := range keys {
				if !read[node][key] {
					t.Fatalf("%s was not read through %s", key, node)
				}
			}
		}
		if done.Final == nil || done.Final.Missing != 0 || done.Final.Wanted < 3*len(keys) || failed != 0 {
			t.Errorf("%+v, %d failed", done.Final, failed)
		}
	})
}

// TestScanIsBounded: nodes that do not answer use up the time and no more, and what there
// was no time for is told as missing and not tried.
func TestScanIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(2*time.Millisecond, testNodes(3)...)
		cfg := testConfig(3)
		cfg.Timeout, cfg.Duration, cfg.ScanTimeout, cfg.Args = 2*time.Second, 2*time.Second, 3*time.Second, declare.Args{"ops-per-key": "10"}
		r := drive(t, f, cfg)
		r.await(EventLoadEnd)
		f.set("n2", refusing)
		f.set("n3", paused)
		begin := time.Now()
		r.say(CommandScan)
		done := r.await(EventScanned)
		if took := time.Since(begin); took > cfg.ScanTimeout+cfg.Timeout+time.Second {
			t.Errorf("it took %v", took)
		}
		since := r.await(EventScan).Time
		r.quit()
		ops := r.ops()
		keys, count := written(ops), 0
		read, failed := readBack(ops, since)
		for key := range keys {
			if read["n1"][key] {
				count++
			}
		}
		if count != len(keys) || len(read["n2"])+len(read["n3"]) != 0 {
			t.Errorf("of %d keys %d were read through n1, %d through n2, %d through n3", len(keys), count, len(read["n2"]), len(read["n3"]))
		}
		if done.Final.Missing != done.Final.Wanted/3*2 || failed == 0 || failed > 500 {
			t.Errorf("%+v, %d failed", done.Final, failed)
		}
	})
}
