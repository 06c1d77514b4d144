package orchestrator

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/check/service"
	"squall/nemesis"
	"squall/nodeimage/agent/protocol"
	"squall/workloads/driver"
	"squall/workloads/systems"
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
	res := service.Replicas().Check(t.Context(), &check.Input{History: h})
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

// answering is a membership of three nodes whose driver answers like this.
func answering(t *testing.T, answer func(driver.Ask) driver.Answer) (*membership, *[]driver.Ask) {
	t.Helper()
	var asked []driver.Ask
	all := &nodes{}
	for _, name := range []string{"n1", "n2", "n3"} {
		all.all = append(all.all, &node{machine: namedMachine{name: name}})
	}
	return &membership{nodes: all, ask: func(_ context.Context, a driver.Ask) (driver.Answer, error) {
		asked = append(asked, a)
		return answer(a), nil
	}, server: func(node string, members []string) (systems.Start, error) {
		return systems.Start{Argv: append([]string{"/server", node}, members...)}, nil
	}}, &asked
}

// TestMembership: what the driver is asked, and what its answers mean.
func TestMembership(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	answers := map[string]driver.Answer{
		driver.AskMembers: {Members: &systems.Members{Voters: []string{"n2", "n1"}, Learners: []string{"n3"}}},
		driver.AskAdd:     {Error: "unhealthy cluster", Through: "n1", Refused: true},
		driver.AskPromote: {Error: "no answer", Through: "n2"},
	}
	m, asked := answering(t, func(a driver.Ask) driver.Answer { return answers[a.Do] })
	if got, err := m.Members(ctx); err != nil || got.String() != "voters n1 n2, learners n3" {
		t.Errorf("%v, %v", got, err)
	}
	if err := m.Add(ctx, "n3", true); !errors.Is(err, nemesis.ErrRefused) || !strings.Contains(err.Error(), "through n1: unhealthy cluster") {
		t.Error(err)
	}
	if err := m.Promote(ctx, "n3"); err == nil || errors.Is(err, nemesis.ErrRefused) || !strings.Contains(err.Error(), "unknown: through n2: no answer") {
		t.Error(err)
	}
	if err := m.Transfer(ctx, "n2"); err != nil {
		t.Error(err)
	}
	for _, a := range *asked {
		if a.Within <= 0 || a.Within > 4*time.Second-askMargin {
			t.Errorf("asked for %v of 4 s: %+v", a.Within, a)
		}
	}
	answers[driver.AskMembers] = driver.Answer{}
	if _, err := m.Members(ctx); err == nil {
		t.Error("nobody was told of")
	}
}

// TestRemovedServersMayEnd: a server that ends in order once it was removed did no wrong; one
// that crashes, or was not removed, did.
func TestRemovedServersMayEnd(t *testing.T) {
	for _, tt := range []struct {
		name    string
		refused bool
		exit    string
		want    string
	}{
		{"in order", false, "exit status 0: the member has been removed", history.ReasonRemoved},
		{"with a status", false, "exit status 1", history.ReasonRemoved},
		{"panicked", false, "exit status 2: panic: runtime error", "exit status 2: panic: runtime error"},
		{"crashed", false, "signal: segmentation fault", "signal: segmentation fault"},
		{"killed", false, "signal: killed", history.ReasonOutside},
		{"not removed", true, "exit status 1", "exit status 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, _ := answering(t, func(driver.Ask) driver.Answer {
				if tt.refused {
					return driver.Answer{Error: "no", Refused: true}
				}
				return driver.Answer{}
			})
			n := m.nodes.all[2]
			n.current = 4
			if err := m.Remove(t.Context(), "n3"); (err != nil) != tt.refused {
				t.Error(err)
			}
			if got := n.endReason(protocol.Event{Kind: protocol.EventExit, Boot: 4, Reason: tt.exit}); got != tt.want {
				t.Errorf("it ended: %s, want %s", got, tt.want)
			}
			if got := n.endReason(protocol.Event{Kind: protocol.EventExit, Boot: 5, Reason: "exit status 1"}); got != "exit status 1" {
				t.Errorf("the next boot ended: %s", got)
			}
		})
	}
}

// TestWhatAServerJoins: a server that lost its disk joins those who are members when it is
// started, and is not started while it is none.
func TestWhatAServerJoins(t *testing.T) {
	members := systems.Members{Voters: []string{"n1", "n2"}}
	m, _ := answering(t, func(driver.Ask) driver.Answer { return driver.Answer{Members: &members} })
	n := m.nodes.all[2]
	n.start = systems.Start{Argv: []string{"/server", "as it was"}}
	start := func() (string, error) {
		s, err := n.howToStart(t.Context())
		return strings.Join(s.Argv, " "), err
	}
	if got, err := start(); got != "/server as it was" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	n.joins = m.joins("n3")
	if got, err := start(); err == nil || !strings.Contains(err.Error(), "it has lost its disk, and is no member (voters n1 n2)") {
		t.Errorf("%q, %v", got, err)
	}
	members.Learners = []string{"n3"}
	if got, err := start(); got != "/server n3 n1 n2 n3" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestTheDriverIsAsked: each question gets its own answer, and none when the driver ends.
func TestTheDriverIsAsked(t *testing.T) {
	l := newLoader()
	l.log, l.status = io.Discard, func(driver.Event) {}
	tell := func(line string) { l.Stream(protocol.StreamLog, 1, []byte(line+"\n")) }
	tell(`{"event":"answer","t":1,"inflight":0,"answer":{"id":2,"error":"no"}}`)
	tell(`{"event":"answer","t":1,"inflight":0,"answer":{"id":1,"through":"n1"}}`)
	for i, want := range []driver.Answer{{ID: 1, Through: "n1"}, {ID: 2, Error: "no"}} {
		l.asked++
		if got, err := l.answerTo(t.Context(), l.asked); err != nil || got != want {
			t.Errorf("question %d: %+v, %v", i+1, got, err)
		}
	}
	l.exited = "exit status 1"
	if _, err := l.answerTo(t.Context(), 3); err == nil || !strings.Contains(err.Error(), "the driver ended: exit status 1") {
		t.Error(err)
	}
}
