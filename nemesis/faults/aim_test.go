package faults

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"squall/history"
	"squall/nemesis"
)

func TestAimsAreWrittenAndReadBack(t *testing.T) {
	for text, want := range map[string]string{
		"kill(moment) when=vote-granted":                           "",
		"kill(moment) when=vote-granted after=0s-50ms":             "",
		"kill(moment, when=vote-granted, after=0-50ms)":            "kill(moment) when=vote-granted after=0s-50ms",
		"partition when=leader-elected  within=500ms":              "partition when=leader-elected within=500ms",
		"delay(delay=50ms, jitter=10ms, leader) when=leader-lost":  "",
		"pause(n1+n2) when=commit-advanced after=5ms within=1m0s":  "",
		"crash-loop(every=1s, moment) after=1ms when=vote-granted": "crash-loop(every=1s, moment) when=vote-granted after=1ms",
	} {
		if want == "" {
			want = text
		}
		c, err := nemesis.ParseChoice(All(), text)
		if err != nil || c.String() != want {
			t.Errorf("%s: %v, %v, want %s", text, c, err, want)
			continue
		}
		if again, err := nemesis.ParseChoice(All(), c.String()); err != nil || again.String() != c.String() {
			t.Errorf("%s is read back as %v, %v", c, again, err)
		}
	}
	for text, want := range map[string]string{
		"kill when=vote-grantd":                          `did you mean "vote-granted"`,
		"kill(moment)":                                   "add when=MOMENT",
		"kill after=50ms":                                "add when=MOMENT",
		"kill when=leader-lost after=1h":                 "after: expected durations from 0s to 10s",
		"kill when=leader-lost after=50ms-10ms":          "a range that goes up",
		"kill when=leader-lost within=0s":                "within: expected from 10ms",
		"kill when=leader-lost when=vote-granted":        "when is set twice",
		"kill when=leader-lost now":                      `found "now"`,
		"kill leader":                                    `found "leader"`,
		"kill(leader) when":                              `found "when"`,
		"kill(when=leader-lost":                          "not closed",
		"partition(halves, moment) when=leader-lost":     "target is given twice",
		"rolling-restart(moment) when=leader-lost":       `"moment"`,
		"kill(leader) when=leader-lost at=3s for=1s x=y": `found "at=3s"`,
	} {
		if c, err := nemesis.ParseChoice(All(), text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want an error with %q", text, c, err, want)
		}
	}
}

// aimed is a fault for five nodes that is armed after 1 s, waits for 2 s, and holds for 3 s.
func aimed(fault nemesis.Fault, variant, moment string, after int64) nemesis.Planned {
	p := planned(fault, variant)
	p.Aim = &nemesis.Aim{Moment: moment, AfterMs: after, WithinMs: 2000}
	return p
}

// strike runs aimed faults, and has n4 vote for n5 at a time.
func strike(t *testing.T, at time.Duration, plan ...nemesis.Planned) (c *fakeCluster, recorded []history.Fault, began []nemesis.Planned) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c = newFake(5)
		var rec memory
		begin := time.Now()
		go func() {
			time.Sleep(at)
			c.watch.Take(&history.NodeEvent{Node: "n4", Boot: 1, Kind: history.EventVote, Vote: "n5", Term: 7, Time: int64(at - time.Millisecond)})
		}()
		r := nemesis.Runner{Catalogue: All(), Cluster: c, Recorder: &rec, Now: func() int64 { return int64(time.Since(begin)) },
			Began: func(p nemesis.Planned) { began = append(began, p) }}
		if err := r.Run(t.Context(), plan, 0); err != nil {
			t.Error(err)
		}
		recorded = rec.faults
	})
	return c, recorded, began
}

// TestAFaultStrikesAtItsMoment: it hits whose moment it is, when it should, holds for all
// of its time, and says by how much it was late.
func TestAFaultStrikesAtItsMoment(t *testing.T) {
	_, recorded, began := strike(t, 1500*time.Millisecond, aimed(kill(), "moment", "vote-granted", 20))
	in, out := recorded[0], recorded[1]
	want := history.Aim{Moment: "vote-granted", Node: "n4", Peer: "n5", Term: 7, Time: int64(1499 * time.Millisecond), After: int64(20 * time.Millisecond)}
	if in.Aim == nil || *in.Aim != want || out.Aim != nil || in.Targets[0] != "n4" {
		t.Errorf("the injection: %+v with %+v; the heal's aim: %+v", in, in.Aim, out.Aim)
	}
	if at := time.Duration(in.Begin); at != 1519*time.Millisecond || in.Aim.Late(in.Begin) != 0 {
		t.Errorf("it struck at %v, late by %d ns", at, in.Aim.Late(in.Begin))
	}
	if held := time.Duration(out.Begin - in.Begin); held != 3*time.Second {
		t.Errorf("it held for %v", held)
	}
	if s := began[0].Aim.Struck; s == nil || s.Missed || s.Node != "n4" || s.Term != 7 || s.LateMs != 0 {
		t.Errorf("the plan says %+v", s)
	}
	_, recorded, began = strike(t, 1500*time.Millisecond, aimed(partition(), "moment", "vote-granted", 0))
	if in := recorded[0]; in.Detail != "n4 | n1 n2 n3 n5" || in.Aim.Late(in.Begin) != int64(time.Millisecond) || began[0].Aim.Struck.LateMs != 1 {
		t.Errorf("a partition: %+v, %+v", in, began[0].Aim.Struck)
	}
}

// TestAMissedMoment: the fault begins without it, and says so.
func TestAMissedMoment(t *testing.T) {
	for _, at := range []time.Duration{900 * time.Millisecond, 3100 * time.Millisecond} { // before it is armed, and after
		_, recorded, began := strike(t, at, aimed(kill(), "moment", "vote-granted", 20))
		in := recorded[0]
		if in.Aim == nil || !in.Aim.Missed() || in.Aim.Node != "" || time.Duration(in.Begin) != 3*time.Second || !strings.Contains(in.Detail, "there was no moment") {
			t.Errorf("%+v, %+v", in, in.Aim)
		}
		if s := began[0].Aim.Struck; s == nil || !s.Missed {
			t.Errorf("the plan says %+v", s)
		}
	}
}

// TestAFaultThatWaitsKeepsItsPlace: one that must not meet it does not begin meanwhile,
// and the end of the load ends the waiting.
func TestAFaultThatWaitsKeepsItsPlace(t *testing.T) {
	second := planned(pause(), "one")
	second.ID, second.AtMs, second.ForMs = 2, 2000, 1000
	_, recorded, _ := strike(t, 2900*time.Millisecond, aimed(kill(), "moment", "vote-granted", 0), second)
	if recorded[1].ID != 1 || recorded[2].ID != 2 || recorded[2].Begin < recorded[1].End {
		t.Errorf("the second began before the first was healed: %+v", recorded)
	}
}

// TestALyingClock: a moment of the future is one of now, for the history to take it.
func TestALyingClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, begin := newFake(5), time.Now()
		var rec memory
		go func() {
			time.Sleep(1500 * time.Millisecond)
			c.watch.Take(&history.NodeEvent{Node: "n4", Boot: 1, Kind: history.EventVote, Vote: "n5", Time: int64(4 * time.Second)})
		}()
		r := nemesis.Runner{Catalogue: All(), Cluster: c, Recorder: &rec, Now: func() int64 { return int64(time.Since(begin)) }}
		if err := r.Run(t.Context(), []nemesis.Planned{aimed(kill(), "moment", "vote-granted", 0)}, 0); err != nil {
			t.Error(err)
		}
		if in := rec.faults[0]; in.Aim.Time != in.Begin || time.Duration(in.Begin) != 1500*time.Millisecond {
			t.Errorf("%+v, %+v", in, in.Aim)
		}
	})
}

func TestUnknownMomentsAreRefused(t *testing.T) {
	_, err := runFake(t, newFake(5), aimed(kill(), "moment", "full-moon", 0))
	if err == nil || !strings.Contains(err.Error(), `there is no moment "full-moon"`) {
		t.Errorf("Run = %v", err)
	}
}
