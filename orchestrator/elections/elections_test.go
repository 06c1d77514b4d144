package elections

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"squall/history"
	"squall/history/elections"
)

func TestTrialsDecideTheTimeouts(t *testing.T) {
	var e Settings
	if err := e.SetSystem("raftkv(snapshot-every=50)"); err != nil || e.System != "raftkv" || e.SystemParams["snapshot-every"] != "50" {
		t.Errorf("%+v, %v", e, err)
	}
	for _, text := range []string{"raftkv(election=1s-2s)", "raftkv(heartbeat=5ms)"} {
		if err := e.SetSystem(text); err == nil || !strings.Contains(err.Error(), "--timeouts") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestValidate(t *testing.T) {
	valid := Settings{System: "raftkv", Ranges: []elections.Range{{Min: 150, Max: 300, Heartbeat: 75}}, Trials: 1, Nodes: 5, Limit: time.Minute}
	if err := valid.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Settings){
		"nodes is 4":     func(e *Settings) { e.Nodes = 4 },
		"trials is 0":    func(e *Settings) { e.Trials = 0 },
		"broadcast is":   func(e *Settings) { e.Broadcast = 2 * time.Second },
		"disk is 6-2ms":  func(e *Settings) { e.Disk = &elections.Spread{Min: 6, Max: 2} },
		"limit is":       func(e *Settings) { e.Limit = time.Millisecond },
		"no range":       func(e *Settings) { e.Ranges = nil },
		"no system is c": func(e *Settings) { e.System = "raftkb" },
	} {
		e := valid
		change(&e)
		if err := e.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestTrialOver: a trial is over when it was refused, or when every survivor of the
// crash follows one leader of a later term.
func TestTrialOver(t *testing.T) {
	exit := history.NodeEvent{Node: "n1", Kind: history.EventExit}
	follows := func(node, leader string, term uint64) history.NodeEvent {
		return history.NodeEvent{Node: node, Kind: history.EventRole, Role: history.RoleFollower, Leader: leader, Term: term}
	}
	for name, c := range map[string]struct {
		events []history.NodeEvent
		over   bool
	}{
		"refused":                   {[]history.NodeEvent{{Node: "n1", Kind: history.EventTrial, Reason: "refused: not the leader"}}, true},
		"another's refusal":         {[]history.NodeEvent{{Node: "n2", Kind: history.EventTrial, Reason: "refused: not the leader"}}, false},
		"crashed, and one heard":    {[]history.NodeEvent{exit, follows("n2", "n3", 6)}, false},
		"crashed, and both heard":   {[]history.NodeEvent{exit, follows("n2", "n3", 6), follows("n3", "n3", 6)}, true},
		"both heard, of two terms":  {[]history.NodeEvent{exit, follows("n2", "n3", 6), follows("n3", "n2", 7)}, false},
		"both in the old term":      {[]history.NodeEvent{exit, follows("n2", "n1", 5), follows("n3", "n1", 5)}, false},
		"both heard, and no crash":  {[]history.NodeEvent{follows("n2", "n3", 6), follows("n3", "n3", 6)}, false},
		"another server has ended":  {[]history.NodeEvent{{Node: "n2", Kind: history.EventExit}, follows("n2", "n3", 6), follows("n3", "n3", 6)}, false},
		"nobody knows of a leader":  {[]history.NodeEvent{exit, follows("n2", "", 6), follows("n3", "", 6)}, false},
		"the crash is told of last": {[]history.NodeEvent{follows("n2", "n3", 6), follows("n3", "n3", 6), exit}, true},
	} {
		if got := trialOver("n1", 5, 2)(c.events); got != c.over {
			t.Errorf("%s: over is %v", name, got)
		}
	}
}

// TestWatch: who waits for events is woken by the last one that was missing, or by
// the end of its context.
func TestWatch(t *testing.T) {
	w := newWatch()
	w.see(history.NodeEvent{Node: "n1", Kind: history.EventExit, Time: 9})
	w.forget()
	done := make(chan error)
	go func() { done <- w.until(t.Context(), ended("n1")) }()
	w.see(history.NodeEvent{Node: "n2", Kind: history.EventExit, Time: 8})
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	w.see(history.NodeEvent{Node: "n1", Kind: history.EventExit, Time: 7})
	if err := <-done; err != nil {
		t.Error(err)
	}
	if seen := w.seen(); len(seen) != 2 || seen[0].Node != "n1" || seen[1].Node != "n2" {
		t.Errorf("seen, by time: %+v", seen)
	}
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if err := w.until(ctx, ended("n3")); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
}
