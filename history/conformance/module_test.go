package conformance

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"squall/history/trace"
)

// recordedSteps are the full traces that the module for users wrote of a cluster on
// go.etcd.io/raft: its test TestTraceOfACluster, with STEPS_OUT.
func recordedSteps(t *testing.T) []*trace.Event {
	t.Helper()
	var sources []*trace.Reader
	for id := 1; id <= 3; id++ {
		file, err := os.Open(fmt.Sprintf("../../trace/etcdraft/testdata/steps/n%d.trace.gz", id))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() })
		plain, err := gzip.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, trace.NewFileReader(plain))
	}
	heads := make([]*trace.Event, len(sources))
	var all []*trace.Event
	for {
		next := -1
		for i, r := range sources {
			if heads[i] == nil && r != nil {
				e, err := r.Next()
				if errors.Is(err, io.EOF) {
					sources[i] = nil
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				heads[i] = e.Clone()
			}
			if heads[i] != nil && (next < 0 || heads[i].Time < heads[next].Time) {
				next = i
			}
		}
		if next < 0 {
			return all
		}
		all = append(all, heads[next])
		heads[next] = nil
	}
}

func judge(events []*trace.Event) *Report {
	c := New(1, 2, 3)
	for _, e := range events {
		c.Event(e)
	}
	return c.Report()
}

// TestStepsOfEtcdRaft: what the adapter for go.etcd.io/raft tells of a correct cluster, in
// which leaders change, logs conflict, nodes restart and one is sent a snapshot, breaks no
// rule, and comes to all those that it can decide.
func TestStepsOfEtcdRaft(t *testing.T) {
	r := judge(recordedSteps(t))
	for _, v := range r.Violations {
		t.Errorf("%s: %s", v.Rule.Name, v.Text)
		for i := range v.Events {
			t.Log(v.Events[i].String())
		}
	}
	for _, u := range r.Unsure {
		t.Errorf("n%d from boot %d on: %s", u.Node, u.Boot, u.Why)
	}
	off := map[string]bool{}
	for _, o := range r.Off {
		off[o.Rule.Name] = true
	}
	// The members are changed nowhere in it, and no vote is refused: pre-votes were before.
	// Of election timeouts only our own node tells.
	fixed := map[string]bool{"config-one-step": true, "vote-refused": true, "timer-set": true}
	for _, d := range r.Decided {
		if (d.Times == 0) != off[d.Rule.Name] && !fixed[d.Rule.Name] {
			t.Errorf("%s was decided %d times, and is off: %v", d.Rule.Name, d.Times, off[d.Rule.Name])
		}
	}
	t.Logf("%d steps, %d rules off", r.Events, len(r.Off))
}

// TestStepsLeftOut: a server that takes a step without telling it, or before what must
// come first, is refused by the rule of that step.
func TestStepsLeftOut(t *testing.T) {
	for _, test := range []struct {
		rule string
		out  func(e *trace.Event) bool
	}{
		{"term-durable", func(e *trace.Event) bool { return e.Kind == trace.Persist }},
		{"vote-reply-granted", func(e *trace.Event) bool { return e.Kind == trace.Grant && e.Peer != e.Node }},
		{"sender-leads", func(e *trace.Event) bool { return e.Kind == trace.RoleChange && e.Role == trace.Leader }},
		{"append-received", func(e *trace.Event) bool { return e.Kind == trace.Receive && e.Message.Type == trace.AppendEntries }},
		{"apply-committed", func(e *trace.Event) bool { return e.Kind == trace.Commit }},
		{"commit-quorum", func(e *trace.Event) bool { return e.Kind == trace.Receive && e.Message.Type == trace.AppendReply }},
	} {
		var left []*trace.Event
		for _, e := range recordedSteps(t) {
			if !test.out(e) {
				left = append(left, e)
			}
		}
		r, found := judge(left), false
		for _, v := range r.Violations {
			found = found || v.Rule.Name == test.rule
		}
		if !found {
			t.Errorf("%s is not broken: %+v", test.rule, r.Violations)
		}
	}
}
