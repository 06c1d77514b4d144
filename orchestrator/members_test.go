package orchestrator

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/nodeimage/agent/protocol"
)

// TestComparedCopiesAreRecorded: what nodes told of their copies is in the history, from
// which alone it is judged.
func TestComparedCopiesAreRecorded(t *testing.T) {
	r, marks := recordedRun(t)
	r.loader.status, r.loader.log, r.loader.sink = r.loadStatus, io.Discard, r
	r.loader.Stream(protocol.StreamLog, 1, []byte(`{"event":"compared","t":1,"inflight":0,"replicas":{"at":12,"of":[`+
		`{"node":"n1","position":12,"digest":"aa"},{"node":"n2","position":13,"digest":"bb"},{"node":"n3","position":12,"digest":"aa"}]}}`+"\n"))
	if r.failure != nil {
		t.Fatal(r.failure)
	}
	marks()
	h, err := history.Load(filepath.Join(r.dir, history.FileName))
	if err != nil {
		t.Fatal(err)
	}
	res := check.Replicas().Check(t.Context(), &check.Input{History: h})
	if res.Verdict != check.Violation || !strings.HasPrefix(res.Summary, "n2 stands alone: at position 12 ") {
		t.Errorf("%s: %s", res.Verdict, res.Summary)
	}
}

// TestNonsenseOfCopiesIsRefused: a comparison that lacks a node says nothing.
func TestNonsenseOfCopiesIsRefused(t *testing.T) {
	for _, line := range []string{
		`{"event":"compared","t":1,"inflight":0}`,
		`{"event":"compared","t":1,"inflight":0,"replicas":{"at":12,"of":[{"node":"n1","position":12,"digest":"aa"}]}}`,
	} {
		r, marks := recordedRun(t)
		r.loader.status, r.loader.log, r.loader.sink = r.loadStatus, io.Discard, r
		r.loader.Stream(protocol.StreamLog, 1, []byte(line+"\n"))
		if r.failure == nil || !strings.Contains(r.failure.Error(), "copies") {
			t.Errorf("%s: %v", line, r.failure)
		}
		if got := marks(); len(got) != 0 {
			t.Errorf("recorded %+v", got)
		}
	}
}
