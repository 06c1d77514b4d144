package faults

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"squall/history"
	"squall/internal/machinetest"
	"squall/nemesis"
)

func TestMain(m *testing.M) { os.Exit(machinetest.Main(m).Run()) }

func TestTheCatalogueIsInOrder(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range All() {
		if err := f.Validate(); err != nil {
			t.Error(err)
		}
		if seen[f.Name] {
			t.Errorf("two faults are called %s", f.Name)
		}
		seen[f.Name] = true
		for _, need := range f.Needs {
			if need.Doc() == string(need) {
				t.Errorf("fault %s has the need %q, which nothing is said about", f.Name, need)
			}
		}
		if len(f.Holds) == 0 {
			t.Errorf("fault %s holds nothing: it could meet itself", f.Name)
		}
	}
}

func TestEveryFaultBitesAndHeals(t *testing.T) {
	for _, fault := range All() {
		for _, v := range fault.Variants {
			t.Run(fault.Name+"("+v.Name+")", func(t *testing.T) {
				c := newFake(5)
				recorded, err := runFake(t, c, planned(fault, v.Name))
				if err != nil {
					t.Fatal(err)
				}
				if len(recorded) != 2 || recorded[0].Phase != history.Inject || recorded[1].Phase != history.Heal {
					t.Fatalf("recorded %+v", recorded)
				}
				for _, f := range recorded {
					if len(f.Proof) == 0 || len(f.Measured) == 0 || len(f.Targets) == 0 || f.Kind != fault.Kind || f.Err != "" {
						t.Errorf("incomplete record %+v", f)
					}
				}
				if hold := recorded[1].Begin - recorded[0].Begin; hold < 3e9 {
					t.Errorf("it held for %v", time.Duration(hold))
				}
				if wrong := c.hurt(); len(wrong) > 0 {
					t.Errorf("still hurt: %v", wrong)
				}
			})
		}
	}
}

// To undo a fault again, or one that never began, does no harm.
func TestUndoIsIdempotent(t *testing.T) {
	for _, fault := range All() {
		if fault.Kind == history.KindMembership {
			continue // what was asked for once more would be asked for
		}
		t.Run(fault.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newFake(5)
				h := &nemesis.Hit{Cluster: c, Plan: planned(fault, fault.Variants[0].Name), Args: fault.Params.Fill(nil, nil),
					Roles: c.Roles(), Links: nemesis.NewLinkLayers(c)}
				for i, step := range []func(context.Context, *nemesis.Hit) error{fault.Undo, fault.Inject, fault.Undo, fault.Undo} {
					if err := step(t.Context(), h); err != nil {
						t.Errorf("step %d: %v", i, err)
					}
				}
				if wrong := c.hurt(); len(wrong) > 0 {
					t.Errorf("still hurt: %v", wrong)
				}
			})
		})
	}
}

// A fault that does nothing must be noticed: this is what proving is for. It is
// void, and the run goes on.
func TestAFaultThatDoesNotBiteIsVoid(t *testing.T) {
	for _, fault := range All() {
		t.Run(fault.Name, func(t *testing.T) {
			c := newFake(5)
			c.inert = true
			recorded, err := runFake(t, c, planned(fault, fault.Variants[0].Name))
			// Who a member is, the system says; one that does nothing cannot be undone.
			healed := err == nil && recorded[1].Err == "" || fault.Kind == history.KindMembership
			if len(recorded) != 2 || recorded[0].Err == "" || recorded[0].Phase != history.Inject || !healed {
				t.Errorf("it did nothing, and Run = %v; the record: %+v", err, recorded)
			}
		})
	}
}

// A heal that does nothing must be noticed, too.
func TestAHealThatDoesNothingIsAnError(t *testing.T) {
	for _, fault := range All() {
		if fault.Kind == history.KindMembership {
			continue // covered by the roster's own tests
		}
		t.Run(fault.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, begin := newFake(5), time.Now()
				var rec memory
				r := nemesis.Runner{Catalogue: All(), Cluster: c, Recorder: &rec, Now: func() int64 { return int64(time.Since(begin)) }}
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				p := planned(fault, fault.Variants[0].Name)
				r.Notice = func(f history.Fault) {
					if f.Phase == history.Inject {
						c.mu.Lock()
						c.inert = true
						c.mu.Unlock()
						cancel()
					}
				}
				err := r.Run(ctx, []nemesis.Planned{p}, 0)
				healed := rec.faults[len(rec.faults)-1]
				if err == nil || healed.Err == "" || !strings.Contains(healed.Err, "n") {
					t.Errorf("the heal did nothing, and Run = %v; the record: %+v", err, healed)
				}
			})
		})
	}
}

// A slow processor and a full memory at once: the heal of one must not lift the
// limit of the other.
func TestLimitsAreEachTheirOwn(t *testing.T) {
	c := newFake(5)
	slow, full := planned(slowCPU(), "one"), planned(lowMemory(), "one")
	slow.ForMs, full.ID, full.AtMs = 1500, 2, 1500
	var between fakeLimits
	synctest.Test(t, func(t *testing.T) {
		var rec memory
		begin := time.Now()
		r := nemesis.Runner{Catalogue: All(), Cluster: c, Recorder: &rec, Now: func() int64 { return int64(time.Since(begin)) }}
		r.Notice = func(f history.Fault) {
			if f.ID == 1 && f.Phase == history.Heal {
				c.mu.Lock()
				defer c.mu.Unlock()
				between = c.nodes[0].limits
			}
		}
		if err := r.Run(t.Context(), []nemesis.Planned{slow, full}, 0); err != nil {
			t.Error(err)
		}
	})
	if between.CPUs != 0 || between.Memory == 0 {
		t.Errorf("when the processor was healed the limits were %+v", between)
	}
	if wrong := c.hurt(); len(wrong) > 0 {
		t.Errorf("still hurt: %v", wrong)
	}
}

func TestSilenceWithoutADroppedPacketIsNoCut(t *testing.T) {
	c := newFake(5)
	c.uncounted = true
	if recorded, err := runFake(t, c, planned(partition(), "one")); err != nil || !strings.Contains(recorded[0].Err, "has dropped no packet") {
		t.Errorf("Run = %v; recorded %+v", err, recorded)
	}
}

// TestAMachineThatShapesNothing: one that another fault has just switched on may be told
// a moment later what it has to do to its packets; one that never does is found out.
func TestAMachineThatShapesNothing(t *testing.T) {
	for untold, want := range map[int]string{0: "", 5: "", 1 << 20: "does not shape what it sends to"} {
		c := newFake(5)
		c.untold = untold
		recorded, _ := runFake(t, c, planned(delay(), "all"))
		if got := recorded[0].Err; (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("nothing shaped in %d answers: %q, want %q", untold, got, want)
		}
	}
}

// A server that crashed before does not end the storm.
func TestAPauseOfACrashedServerSaysSo(t *testing.T) {
	c := newFake(5)
	c.nodes[0].proc = nemesis.Process{Exit: "exit status 2"}
	recorded, err := runFake(t, c, planned(pause(), "one"))
	if err != nil || !strings.Contains(recorded[0].Proof[0], "had ended by itself: exit status 2") {
		t.Errorf("%v, %+v", err, recorded)
	}
}

func TestAHealIsTriedAgain(t *testing.T) {
	c := newFake(5)
	c.startFails = 2
	if _, err := runFake(t, c, planned(kill(), "one")); err != nil {
		t.Errorf("the heal was given up: %v", err)
	}
	c = newFake(5)
	c.startFails = 3
	recorded, err := runFake(t, c, planned(kill(), "one"))
	if err == nil || !strings.Contains(recorded[1].Err, "n1") {
		t.Errorf("a heal that failed does not say which machine is still hurt: %v, %+v", err, recorded[1])
	}
}

func TestAnInterruptedFaultIsHealed(t *testing.T) {
	for _, name := range []string{"pause", "swizzle-clog", "flapping", "rolling-restart", "clock-strobe"} {
		fault, _ := nemesis.Find(All(), name)
		synctest.Test(t, func(t *testing.T) {
			c, begin := newFake(5), time.Now()
			var rec memory
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			r := nemesis.Runner{Catalogue: All(), Cluster: c, Recorder: &rec, Now: func() int64 { return int64(time.Since(begin)) }}
			p := planned(fault, fault.Variants[len(fault.Variants)-1].Name)
			p.ForMs = 60000
			err := r.Run(ctx, []nemesis.Planned{p}, 0)
			if !errors.Is(err, context.DeadlineExceeded) || len(rec.faults) != 2 || time.Since(begin) > 4*time.Second {
				t.Errorf("%s: Run = %v after %v, recorded %d steps", name, err, time.Since(begin), len(rec.faults))
			}
			if wrong := c.hurt(); len(wrong) > 0 {
				t.Errorf("%s: still hurt: %v", name, wrong)
			}
		})
	}
}

// Two faults at once do not undo each other, and a machine that was switched off
// in the middle of a partition gets its rules back before its server starts.
func TestAMachineThatRestartsInAPartitionIsCutAgain(t *testing.T) {
	c := newFake(5)
	part, cut := planned(partition(), "one"), planned(powerCut(), "one")
	part.ForMs = 5000
	cut.ID, cut.AtMs, cut.ForMs = 2, 2000, 1000
	recorded, err := runFake(t, c, part, cut)
	if err != nil {
		t.Fatal(err)
	}
	if len(recorded) != 4 || recorded[2].Name != "power-cut" || recorded[2].Phase != history.Heal {
		t.Fatalf("recorded %+v", recorded)
	}
	if silent := recorded[2].Measured[len(recorded[2].Measured)-1]; silent.What != "links without packets" || silent.Value != 8 {
		t.Errorf("after the restart %v links were cut, not the 8 of the partition: %+v", silent.Value, recorded[2].Proof)
	}
	if wrong := c.hurt(); len(wrong) > 0 {
		t.Errorf("still hurt: %v", wrong)
	}
}

// A machine that somebody else has ended is brought back by the heal.
func TestAHealBringsALostMachineBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, begin := newFake(5), time.Now()
		var rec memory
		ctx, cancel := context.WithCancel(t.Context())
		r := nemesis.Runner{Catalogue: All(), Cluster: c, Recorder: &rec, Now: func() int64 { return int64(time.Since(begin)) }}
		r.Notice = func(f history.Fault) {
			if f.Phase == history.Inject {
				c.mu.Lock()
				c.nodes[1].off()
				c.nodes[1].lost = true
				c.mu.Unlock()
				cancel() // as the run does that notices it
			}
		}
		if err := r.Run(ctx, []nemesis.Planned{planned(partition(), "one")}, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
		healed := rec.faults[1]
		if healed.Err != "" || !slices.ContainsFunc(healed.Proof, func(s string) bool { return strings.Contains(s, "n2: the machine was lost and was started again") }) {
			t.Errorf("the record of the heal: %+v", healed)
		}
		if wrong := c.hurt(); len(wrong) > 0 {
			t.Errorf("still hurt: %v", wrong)
		}
	})
}

// Faults that must not meet wait for each other when the first is late.
func TestConflictingFaultsWait(t *testing.T) {
	c := newFake(5)
	first, second := planned(partition(), "one"), planned(partition(), "halves")
	second.ID, second.AtMs, second.ForMs = 2, 1500, 1000
	recorded, err := runFake(t, c, first, second)
	if err != nil {
		t.Fatal(err)
	}
	if recorded[1].Phase != history.Heal || recorded[2].ID != 2 || recorded[2].Begin < recorded[1].End {
		t.Errorf("the second began before the first was healed: %+v", recorded)
	}
}

// A fault that an earlier one keeps from beginning until the load is over is told
// of, and is not one that was merely called off.
func TestAMissedFaultIsToldOf(t *testing.T) {
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c, begin := newFake(5), time.Now()
			c.inert = fails
			first, second := planned(kill(), "one"), planned(pause(), "one")
			first.ForMs, second.ID, second.AtMs = 8000, 2, 2000
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			var missed []int
			r := nemesis.Runner{Catalogue: All(), Cluster: c, Recorder: new(memory), Now: func() int64 { return int64(time.Since(begin)) },
				Missed: func(p nemesis.Planned) { missed = append(missed, p.ID) }}
			err := r.Run(ctx, []nemesis.Planned{first, second}, 0)
			if want := !fails; (len(missed) == 1) != want || (errors.Is(err, context.DeadlineExceeded)) != want || fails && err != nil {
				t.Errorf("the first is void: %t; missed %v, Run = %v", fails, missed, err)
			}
		})
	}
}

func TestHealAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hurt := func() *fakeCluster {
			c := newFake(5)
			c.nodes[0].proc = nemesis.Process{}
			c.nodes[1].proc.State = "T"
			c.nodes[2].net.Cut = []nemesis.Cut{{From: "n1"}}
			c.nodes[3].off()
			c.nodes[4].bend.Offset = time.Hour
			c.nodes[4].limits.CPUs = 0.1
			return c
		}
		c := hurt()
		if proof, err := nemesis.HealAll(t.Context(), c); err != nil || len(proof) < 6 {
			t.Fatalf("HealAll = %v, %v", proof, err)
		}
		if wrong := c.hurt(); len(wrong) > 0 {
			t.Errorf("still hurt: %v", wrong)
		}
		c = hurt()
		c.inert = true
		_, err := nemesis.HealAll(t.Context(), c)
		for _, name := range []string{"n1 is not healed", "n2 is not healed", "n1→n3"} {
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("HealAll of machines that do nothing: %v, wanted %q in it", err, name)
			}
		}
	})
}

// TestPacketsOfMachinesThatAreOff: a fault on packets whose machines are switched
// off while it holds is healed by their absence, with a figure. A machine that is up must let go of it all the same.
func TestPacketsOfMachinesThatAreOff(t *testing.T) {
	for _, off := range [][]string{{"n1"}, {"n2"}, {"n1", "n2"}} {
		for _, inert := range []bool{false, true} {
			healed := badLinkOf(t, off, inert)
			proof := strings.Join(healed.Proof, "; ")
			if inert && !slices.Contains(off, "n1") {
				if !strings.Contains(healed.Err, "n1 still shapes what it sends to n2") {
					t.Errorf("%v off, and n1 does not let go: %+v", off, healed)
				}
				continue
			}
			if healed.Err != "" || len(healed.Measured) != 1 || healed.Measured[0].Value != 1 || !strings.Contains(proof, "n1→n2 ("+off[0]+" is off)") {
				t.Errorf("%v off: %+v", off, healed)
			}
		}
	}
}

// TestMachinesThatGoOffWhileTheyAreMeasured: what was not measured is no proof. That the
// links carry nothing is one, with a figure.
func TestMachinesThatGoOffWhileTheyAreMeasured(t *testing.T) {
	for _, f := range []nemesis.Fault{rate(), delay(), badLink()} {
		synctest.Test(t, func(t *testing.T) {
			c := newFake(3)
			var rec memory
			begin := time.Now()
			r := nemesis.Runner{Catalogue: All(), Cluster: c, Recorder: &rec, Now: func() int64 { return int64(time.Since(begin)) }}
			c.flowing = func() {
				if err := c.node("n2").PowerOff(t.Context()); err != nil {
					t.Error(err)
				}
			}
			p := planned(f, "link")
			p.Order = []string{"n1", "n2", "n3"}
			if err := r.Run(t.Context(), []nemesis.Planned{p}, 0); err != nil {
				t.Fatal(err)
			}
			for _, run := range rec.faults {
				if len(run.Measured) != 1 || run.Measured[0].What != "links that carry nothing" {
					t.Errorf("%s, %s: measured %+v, proof %q, %s", f.Name, run.Phase, run.Measured, run.Proof, run.Err)
				}
			}
			if len(rec.faults) != 2 {
				t.Errorf("%s: %+v", f.Name, rec.faults)
			}
		})
	}
}

// badLinkOf runs a bad link n1→n2 whose machines are switched off while it holds,
// and returns its heal. Inert machines do nothing that the heal tells them.
func badLinkOf(t *testing.T, off []string, inert bool) (healed history.Fault) {
	synctest.Test(t, func(t *testing.T) {
		c := newFake(3)
		var rec memory
		begin := time.Now()
		r := nemesis.Runner{Catalogue: All(), Cluster: c, Recorder: &rec, Now: func() int64 { return int64(time.Since(begin)) }}
		r.Notice = func(f history.Fault) {
			if f.Phase != history.Inject {
				return
			}
			for _, name := range off {
				if err := c.node(name).PowerOff(t.Context()); err != nil {
					t.Error(err)
				}
			}
			c.mu.Lock()
			c.inert = inert
			c.mu.Unlock()
		}
		p := planned(badLink(), "one-way")
		p.Order = []string{"n1", "n2", "n3"}
		if err := r.Run(t.Context(), []nemesis.Planned{p}, 0); (err != nil) != (inert && c.node("n1").Up()) {
			t.Errorf("Run = %v", err)
		}
		if len(rec.faults) != 2 || rec.faults[0].Err != "" {
			t.Fatalf("recorded %+v", rec.faults)
		}
		healed = rec.faults[1]
	})
	return healed
}
