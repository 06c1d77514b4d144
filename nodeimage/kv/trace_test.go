package kv

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"squall/nodeimage/raft"
)

// nodeEvent is a copy of the reader's type, history.NodeEvent.
type nodeEvent struct {
	Node      string   `json:"node"`
	Boot      int      `json:"boot"`
	Kind      string   `json:"e"`
	Time      int64    `json:"t"`
	Term      uint64   `json:"term,omitempty"`
	Role      string   `json:"role,omitempty"`
	Leader    string   `json:"leader,omitempty"`
	Vote      string   `json:"vote,omitempty"`
	Index     uint64   `json:"i,omitempty"`
	EntryTerm uint64   `json:"et,omitempty"`
	Hash      string   `json:"h,omitempty"`
	Members   []string `json:"members,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	Timeout   int64    `json:"timeout,omitempty"`
	Late      int64    `json:"late,omitempty"`
}

func TestTraceLines(t *testing.T) {
	for _, c := range []struct {
		event raft.Event
		want  string
	}{
		{raft.Event{Kind: raft.EventRole, Time: 5 * time.Second, Term: 3, Role: raft.Leader, Leader: 2, Reason: `quorum of "votes"`},
			`{"e":"role","t":5000000000,"term":3,"role":"leader","leader":"n2","reason":"quorum of \"votes\""}`},
		{raft.Event{Kind: raft.EventRole, Time: 1, Term: 3, Role: raft.Follower},
			`{"e":"role","t":1,"term":3,"role":"follower"}`},
		{raft.Event{Kind: raft.EventRole, Time: 1, Term: 3, Role: raft.Candidate, Index: 7, EntryTerm: 2, Timeout: 150e6, Late: 80e3},
			`{"e":"role","t":1,"term":3,"role":"candidate","i":7,"et":2,"timeout":150000000,"late":80000}`},
		{raft.Event{Kind: raft.EventTrial, Time: 1, Term: 3, Index: 8, Members: []raft.NodeID{2, 4}, Reason: "broadcast"},
			`{"e":"trial","t":1,"term":3,"i":8,"members":["n2","n4"],"reason":"broadcast"}`},
		{raft.Event{Kind: raft.EventVote, Time: 7, Term: 4, Vote: 11},
			`{"e":"vote","t":7,"term":4,"vote":"n11"}`},
		{raft.Event{Kind: raft.EventCommit, Time: 8, Term: 4, Index: 64, EntryTerm: 3, Hash: 0xabc},
			`{"e":"commit","t":8,"term":4,"i":64,"et":3,"h":"0000000000000abc"}`},
		{raft.Event{Kind: raft.EventState, Time: 8, Term: 4, Index: 64, Hash: 0xfedcba9876543210},
			`{"e":"state","t":8,"term":4,"i":64,"h":"fedcba9876543210"}`},
		{raft.Event{Kind: raft.EventSnapshot, Time: 9, Index: 10, EntryTerm: 2, Reason: "taken"},
			`{"e":"snapshot","t":9,"i":10,"et":2,"reason":"taken"}`},
		{raft.Event{Kind: raft.EventMembers, Time: 9, Term: 1, Members: []raft.NodeID{1, 2, 3}},
			`{"e":"members","t":9,"term":1,"members":["n1","n2","n3"]}`},
	} {
		var w countingWriter
		NewTracer(&w, slog.New(slog.DiscardHandler)).Trace(c.event)
		if got := strings.TrimSuffix(w.String(), "\n"); got != c.want || w.writes != 1 || got == w.String() {
			t.Errorf("in %d writes:\n%q, want one line\n%s", w.writes, w.String(), c.want)
		}
		dec := json.NewDecoder(&w.Buffer)
		dec.DisallowUnknownFields()
		var e nodeEvent
		if err := dec.Decode(&e); err != nil {
			t.Errorf("%s: %v", c.want, err)
		}
		if e.Kind != string(c.event.Kind) || e.Time != int64(c.event.Time) || e.Reason != c.event.Reason {
			t.Errorf("%s was read as %+v", c.want, e)
		}
	}
}

type countingWriter struct {
	bytes.Buffer
	writes int
}

func (w *countingWriter) Write(b []byte) (int, error) {
	w.writes++
	return w.Buffer.Write(b)
}

type brokenWriter struct{ writes int }

func (w *brokenWriter) Write([]byte) (int, error) {
	w.writes++
	return 0, errors.New("broken pipe")
}

func TestTraceEndsWhenItCannotBeWritten(t *testing.T) {
	var logged bytes.Buffer
	w := &brokenWriter{}
	tracer := NewTracer(w, slog.New(slog.NewTextHandler(&logged, nil)))
	for range 3 {
		tracer.Trace(raft.Event{Kind: raft.EventVote, Vote: 1})
	}
	if w.writes != 1 || strings.Count(logged.String(), "broken pipe") != 1 {
		t.Errorf("%d writes after the first failed; log:\n%s", w.writes-1, logged.String())
	}
}

func TestClockIsTheMachines(t *testing.T) {
	clock, err := NewClock()
	if err != nil {
		t.Fatal(err)
	}
	before, err := monotonic()
	if err != nil {
		t.Fatal(err)
	}
	now := clock.Now()
	after, err := monotonic()
	if err != nil {
		t.Fatal(err)
	}
	const slack = time.Millisecond // the two are read through different calls
	if now < before-slack || now > after+slack {
		t.Errorf("clock says %v, the machine between %v and %v", now, before, after)
	}
	fired := make(chan struct{})
	clock.AfterFunc(time.Millisecond, func() { close(fired) })
	<-fired
}
