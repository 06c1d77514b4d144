package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"squall/history"
	"squall/nodeimage/agent/protocol"
	"squall/orchestrator/testplan"
)

// quiet shows nobody how a run goes.
type quiet struct{}

func (quiet) Planned(*testplan.Plan, string) {}
func (quiet) Phase(string)                   {}
func (quiet) Leader(string, uint64)          {}
func (quiet) Fault(history.Fault)            {}
func (quiet) Load(LoadStats)                 {}

// recordedRun is a run that only records, and what it recorded.
func recordedRun(t *testing.T) (r *run, marks func() []history.Mark) {
	t.Helper()
	test := testplan.DefaultTest()
	test.Time, test.Memory = testplan.Duration(20*time.Second), 64
	r = &run{converged: newConvergence(nil), plan: &testplan.Plan{Test: test, Nodes: testplan.NodeNames(3)}, dir: t.TempDir(), cfg: Config{Progress: quiet{}}, log: slog.New(slog.DiscardHandler),
		env: newEnvironment("test"), nodes: &nodes{leaders: newLeaderView()}, loader: newLoader(), gone: make(chan struct{}), serving: true}
	if err := r.openHistory(); err != nil {
		t.Fatal(err)
	}
	return r, func() []history.Mark {
		if err := r.close(); err != nil {
			t.Fatal(err)
		}
		h, err := history.Load(filepath.Join(r.dir, history.FileName))
		if err != nil {
			t.Fatal(err)
		}
		return h.Marks
	}
}

// TestObservedLeadersAreRecorded: what the driver was told is a mark, and says whom
// faults on a leader hit.
func TestObservedLeadersAreRecorded(t *testing.T) {
	r, marks := recordedRun(t)
	r.loader.status, r.loader.log, r.loader.sink = r.loadStatus, io.Discard, r
	for _, leader := range []string{"n2", "", "n3"} {
		line := fmt.Sprintf(`{"event":"leader","t":1,"text":%q}`+"\n", leader)
		r.loader.Stream(protocol.StreamLog, 1, []byte(line))
		if got := r.nodes.Leader(); got != leader {
			t.Errorf("%q leads, want %q", got, leader)
		}
	}
	if roles := r.nodes.Roles(); roles.Leader != "n3" || roles.OldLeader != "n2" {
		t.Errorf("%+v", roles)
	}
	var told []string
	for _, m := range marks() {
		if m.Name == history.MarkObserved {
			told = append(told, m.Text)
		}
	}
	if !slices.Equal(told, []string{"n2", "", "n3"}) {
		t.Errorf("the history has %q", told)
	}
}

// TestAStopIsRecorded: once, with how much of the load there was.
func TestAStopIsRecorded(t *testing.T) {
	for name, test := range map[string]struct {
		began time.Duration // ago; 0: not yet
		want  string
	}{
		"before the load":  {0, "stopped before the load began"},
		"when it was over": {25 * time.Second, "stopped after 20 s of 20 s"},
	} {
		t.Run(name, func(t *testing.T) {
			r, marks := recordedRun(t)
			if test.began > 0 {
				r.loadBegan.Store(r.clock.now() - int64(test.began))
			}
			r.stopping()
			r.stopping()
			if got := marks(); len(got) != 1 || got[0].Name != history.MarkStopped || got[0].Text != test.want {
				t.Fatalf("recorded %+v, want once %q", got, test.want)
			}
		})
	}
	for ran, want := range map[time.Duration]string{
		12*time.Second + 210*time.Millisecond: "stopped after 12.2 s of 20 s",
		3 * time.Second:                       "stopped after 3 s of 20 s",
		0:                                     "stopped after 0 s of 20 s",
		40 * time.Second:                      "stopped after 20 s of 20 s",
	} {
		if got := stoppedText(ran, 20*time.Second); got != want {
			t.Errorf("after %v: %q, want %q", ran, got, want)
		}
	}
}

// TestHealedCarriesTheBound: the check of the recovery goes by it. There are no
// nodes to heal.
func TestHealedCarriesTheBound(t *testing.T) {
	r, marks := recordedRun(t)
	r.plan.Test.Recovery = testplan.Duration(7 * time.Second)
	if err := r.healAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := marks(); len(got) != 1 || got[0].Name != history.MarkHealed || got[0].Bound != int64(7*time.Second) || got[0].Time == 0 {
		t.Errorf("recorded %+v", got)
	}
}

// TestEndsFromOutsideEndTheTest: by their reason; a crash does not, once there was
// a leader.
func TestEndsFromOutsideEndTheTest(t *testing.T) {
	for reason, want := range map[string]string{
		history.ReasonOutside:        "the server of n2 was killed from outside (SIGKILL): neither squall nor the server did that",
		history.OutsideBy("SIGTERM"): "the server of n2 was killed from outside (SIGTERM)",
		history.ReasonOwnLimit:       "it needed more than its limit of 64 MiB; give it more (--memory)",
		history.ReasonKilled:         "",
		"exit status 2: panic":       "",
	} {
		t.Run(reason, func(t *testing.T) {
			r, marks := recordedRun(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			r.cancel = cancel
			r.event(history.NodeEvent{Node: "n2", Boot: 1, Kind: history.EventExit, Time: r.clock.now(), Reason: reason})
			err := context.Cause(ctx)
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("the test ends because of %v, want %q", err, want)
			}
			if want != "" && !errors.Is(r.failure, err) {
				t.Errorf("it is invalid because of %v", r.failure)
			}
			marks()
		})
	}
}
