package faults

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"squall/internal/guidetest"
	"squall/nemesis"
	"squall/nemesis/schedule"
)

// guideSchedule are the steps of the guide's schedule of different faults on different nodes.
func guideSchedule(t *testing.T) []nemesis.Planned {
	t.Helper()
	yaml := guidetest.Pieces(guidetest.Read(t, "../../docs/guides/faults.md"))["yaml"]
	i := slices.IndexFunc(yaml, func(piece string) bool { return strings.HasPrefix(piece, "# three-of-five.yaml\n") })
	if i < 0 {
		t.Fatalf("the guide has no such schedule among %d pieces", len(yaml))
	}
	var steps []string
	for line := range strings.Lines(yaml[i]) {
		if step, is := strings.CutPrefix(strings.TrimSpace(line), "- "); is {
			step, _, _ = strings.Cut(step, "#")
			steps = append(steps, step)
		}
	}
	spec, err := schedule.Parse(All(), schedule.Text{Schedule: strings.Join(steps, ";")})
	if err != nil {
		t.Fatal(err)
	}
	planned, err := schedules(schedule.Draw(spec, 1, nodeNames(5), 40*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return planned
}

// TestDifferentFaultsAtOnce: the schedule of the guide hits the nodes that it names, each
// for as long as it says, over one another.
func TestDifferentFaultsAtOnce(t *testing.T) {
	planned := guideSchedule(t)
	c := newFake(5)
	state := func() string {
		c.mu.Lock()
		defer c.mu.Unlock()
		var all []string
		for _, n := range c.nodes {
			switch {
			case !n.up:
				all = append(all, "off")
			case n.proc.State == "T":
				all = append(all, "paused")
			default:
				all = append(all, "runs")
			}
		}
		return strings.Join(all, " ")
	}
	synctest.Test(t, func(t *testing.T) {
		var rec memory
		begin := time.Now()
		r := nemesis.Runner{Catalogue: All(), Cluster: c, Recorder: &rec, Now: func() int64 { return int64(time.Since(begin)) }}
		ended := make(chan error, 1)
		go func() { ended <- r.Run(t.Context(), planned, 0) }()
		for _, at := range []struct {
			seconds float64
			want    string
		}{
			{4, "runs runs runs runs runs"},
			{8, "paused paused runs runs runs"},
			{12, "paused paused off runs runs"},
			{13.5, "runs runs off runs runs"},
			{14.5, "runs runs off paused paused"},
			{18, "runs runs runs paused paused"},
			{25, "runs runs runs runs runs"},
		} {
			time.Sleep(time.Duration(at.seconds*float64(time.Second)) - time.Since(begin))
			synctest.Wait()
			if got := state(); got != at.want {
				t.Errorf("at %v s: %s, want %s", at.seconds, got, at.want)
			}
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		for _, f := range rec.faults {
			if f.Err != "" || f.Lapsed != "" {
				t.Errorf("%s %s: %s", f.Name, f.Phase, f.Err)
			}
		}
		if len(rec.faults) != 6 {
			t.Errorf("%d steps, want an injection and a heal of each of three", len(rec.faults))
		}
	})
}

// TestMoreThatOverlaps: other things at once that the guide promises.
func TestMoreThatOverlaps(t *testing.T) {
	for _, text := range []string{
		"at 1s for 9s: partition(n1+n2); at 3s for 4s: pause(n3+n4)",
		"at 1s for 9s: partition(n1+n2); at 3s for 4s: pause(n1+n2)",
		"at 1s for 9s: power-cut(n3); at 2s for 3s: pause(n1+n2)",
		"at 1s for 9s: kill(n1); at 1s for 9s: pause(n2); at 1s for 9s: power-cut(n3); at 1s for 9s: partition(n5)",
		"at 1s for 9s: remove-member(n1); at 2s for 3s: kill(n2)",
	} {
		spec, err := schedule.Parse(All(), schedule.Text{Schedule: text})
		if err != nil {
			t.Fatal(err)
		}
		planned, err := schedules(schedule.Draw(spec, 1, nodeNames(5), 40*time.Second))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for i := range planned { // the fake's times are virtual, and each fault is recorded
			planned[i].ID = i + 1
		}
		c := newFake(5)
		recorded, err := runFake(t, c, planned...)
		wrong := fmt.Sprint(c.hurt())
		for _, f := range recorded {
			if f.Err != "" {
				wrong += " " + f.Name + ": " + f.Err
			}
		}
		if err != nil || len(recorded) != 2*len(planned) || wrong != "[]" {
			t.Errorf("%s: %v, %d steps, %s", text, err, len(recorded), wrong)
		}
	}
}
