package schedule

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"squall/history"
	"squall/nemesis"
	"squall/nemesis/faults"
)

// catalogue is made once: these tests look faults up very often.
var catalogue = faults.All()

var five = []string{"n1", "n2", "n3", "n4", "n5"}

func parse(t interface{ Fatal(...any) }, text Text) Spec {
	spec, err := Parse(catalogue, text)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// schedules is what was drawn, of tests that do not ask what was left out.
func schedules(d Drawn, err error) ([]nemesis.Planned, error) { return d.Planned, err }

func TestADrawnScheduleKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := Text{
			Nemesis: rapid.SampledFrom([]string{"storm", "ci", "network", "processes", "partitions", "partition,kill(leader)*3,delay"}).Draw(t, "nemesis"),
			Limit:   rapid.SampledFrom([]string{"", Anything, Majority}).Draw(t, "limit"),
			Overlap: rapid.IntRange(0, MaxOverlap).Draw(t, "overlap"),
			Swarm:   rapid.Bool().Draw(t, "swarm"),
		}
		seed := rapid.Uint64().Draw(t, "seed")
		length := time.Duration(rapid.IntRange(10, 300).Draw(t, "seconds")) * time.Second
		spec := parse(t, text)
		plan, err := schedules(Draw(spec, seed, five, length))
		if err != nil {
			t.Fatal(err)
		}
		again, _ := schedules(Draw(spec, seed, five, length))
		if !reflect.DeepEqual(plan, again) {
			t.Fatal("the same seed gave two schedules")
		}
		checkPlan(t, spec, plan, length)
	})
}

// checkPlan holds a plan against what its spec promises.
func checkPlan(t *rapid.T, spec Spec, plan []nemesis.Planned, length time.Duration) {
	for i, p := range plan {
		if p.ID != i+1 || i > 0 && p.AtMs < plan[i-1].AtMs {
			t.Fatalf("fault %d is out of order: %+v", i, p)
		}
		if end := p.Ends(); end > length-spec.Tail {
			t.Fatalf("fault %d holds until %v of %v", p.ID, end, length)
		}
		f, _ := nemesis.Find(catalogue, p.Fault)
		v, ok := f.Variant(p.Variant)
		if !ok || spec.Limit == Majority && !v.KeepsMajority(len(five)) {
			t.Fatalf("fault %d is %s, which the limit %q forbids", p.ID, p.Name(), spec.Limit)
		}
		if f.Check != nil && f.Check(p.Params) != nil {
			t.Fatalf("fault %d has senseless parameters %v", p.ID, p.Params)
		}
		at := 1
		for _, q := range plan[:i] {
			g, _ := nemesis.Find(catalogue, q.Fault)
			if q.Ends() <= time.Duration(p.AtMs)*time.Millisecond {
				continue
			}
			at++
			if p.Claim(f).Meets(q.Claim(g)) || spec.Limit == Majority && takesAway(f) && takesAway(g) {
				t.Fatalf("%s and %s are in force at once", p.Name(), q.Name())
			}
		}
		if at > spec.Overlap {
			t.Fatalf("%d faults at once, %d may be", at, spec.Overlap)
		}
	}
}

func TestTheFirstFaultHitsTheLeader(t *testing.T) {
	for _, list := range []string{"partition,kill", "storm", "processes", "kill,partition"} {
		plan, err := schedules(Draw(parse(t, Text{Nemesis: list}), 3, five, 30*time.Second))
		if err != nil || plan[0].Variant != "leader" {
			t.Errorf("%s begins with %+v, %v", list, plan[0], err)
		}
	}
}

// Two minutes of ci touch every fault there is, but those of membership and of disks, and the sequences.
func TestCITouchesEveryFault(t *testing.T) {
	for seed := range uint64(30) {
		plan, err := schedules(Draw(parse(t, Text{Nemesis: "ci"}), seed, five, 2*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, p := range plan {
			seen[p.Fault] = true
		}
		for _, f := range catalogue {
			if f.Kind != history.KindMembership && f.Kind != history.KindSequence && f.Kind != history.KindDisk && !seen[f.Name] {
				t.Errorf("seed %d: %s never happens", seed, f.Name)
			}
		}
	}
}

// A minute of storm has at least eight kinds, with any seed.
func TestAStormIsVaried(t *testing.T) {
	for seed := range uint64(100) {
		plan, err := schedules(Draw(parse(t, Text{Nemesis: "storm"}), seed, five, time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		kinds := map[string]bool{}
		for _, p := range plan {
			kinds[p.Fault] = true
		}
		if len(kinds) < 9 {
			t.Errorf("seed %d: only %d kinds", seed, len(kinds))
		}
	}
}

func TestWeightsAreKept(t *testing.T) {
	plan, err := schedules(Draw(parse(t, Text{Nemesis: "kill(one)*3,pause(one)", Hold: "100ms", Gap: "0s"}), 5, five, 10*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	kills := 0
	for _, p := range plan {
		if p.Fault == "kill" {
			kills++
		}
	}
	if share := float64(kills) / float64(len(plan)); share < 0.74 || share > 0.76 {
		t.Errorf("of %d faults %d are kills, wanted three of four", len(plan), kills)
	}
}

func TestSwarmsDiffer(t *testing.T) {
	sets := map[string]bool{}
	for seed := range uint64(20) {
		plan, err := schedules(Draw(parse(t, Text{Nemesis: "storm", Swarm: true}), seed, five, 2*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		kinds := map[string]bool{}
		for _, p := range plan {
			kinds[p.Fault] = true
		}
		var names []string
		for k := range kinds {
			names = append(names, k)
		}
		slices.Sort(names)
		sets[strings.Join(names, " ")] = true
	}
	if len(sets) < 15 {
		t.Errorf("20 seeds gave only %d different sets of faults", len(sets))
	}
}

func TestParametersAreKeptOrDrawn(t *testing.T) {
	drawn := map[string]bool{}
	for seed := range uint64(40) {
		plan, err := schedules(Draw(parse(t, Text{Nemesis: "delay(25ms, leader)"}), seed, five, 20*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if got := plan[0].Params["delay"]; got != "25ms" {
			t.Fatalf("the delay is %s", got)
		}
		drawn[plan[0].Params["jitter"]] = true
	}
	if len(drawn) < 2 {
		t.Errorf("the jitter is always %v", drawn)
	}
}

func TestSteps(t *testing.T) {
	spec := parse(t, Text{Nemesis: "partition", Schedule: "at 3s for 2s: kill(leader); after 500ms for 1s: delay(50ms±10ms, all)\nat 4s for 1s: partition(one)"})
	plan, err := schedules(Draw(spec, 1, five, 10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range plan {
		got = append(got, time.Duration(p.AtMs*1e6).String()+"+"+time.Duration(p.ForMs*1e6).String()+" "+p.Name())
	}
	want := []string{"3s+2s kill(leader)", "4s+1s partition(one)", "5.5s+1s delay(all)"}
	if !slices.Equal(got, want) {
		t.Errorf("the plan is %q, want %q", got, want)
	}
}

// TestStepsSayWhatWasDrawn: a plan laid down as steps is the same plan, but for what is drawn.
func TestStepsSayWhatWasDrawn(t *testing.T) {
	for _, mix := range Mixes() {
		for seed := range uint64(5) {
			plan, err := schedules(Draw(parse(t, Text{Nemesis: mix.Name}), seed, five, time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			text, err := StepsText(catalogue, plan)
			if err != nil {
				t.Fatal(err)
			}
			again, err := schedules(Draw(parse(t, Text{Nemesis: "partition", Schedule: text}), seed, five, time.Minute))
			if err != nil {
				t.Fatalf("%s, seed %d: %q: %v", mix.Name, seed, text, err)
			}
			undrawn := func(p nemesis.Planned) string {
				p.Order, p.Seed = nil, 0
				said, _ := json.Marshal(p)
				return string(said)
			}
			if len(again) != len(plan) {
				t.Fatalf("%s, seed %d: %q gives %d faults, want %d", mix.Name, seed, text, len(again), len(plan))
			}
			for i := range plan {
				if want, got := undrawn(plan[i]), undrawn(again[i]); got != want {
					t.Errorf("%s, seed %d: the steps give %s, want %s", mix.Name, seed, got, want)
				}
			}
		}
	}
}

func TestMistakesAreRefused(t *testing.T) {
	for _, tc := range []struct {
		text Text
		item int // -1: of no item
		want string
	}{
		{Text{Nemesis: "partition,earthquake"}, 1, `unknown fault "earthquake"`},
		{Text{Nemesis: "partition,,kill"}, 1, "between two commas"},
		{Text{Nemesis: "kill*0"}, 0, "whole number from 1 to 100 after *"},
		{Text{Nemesis: "storm,-earthquake"}, 1, "removes a fault that does not exist"},
		{Text{Nemesis: "partition,-kill"}, 1, "nothing before it has added"},
		{Text{Nemesis: "kill,-kill"}, -1, "nothing is left"},
		{Text{Nemesis: "kill", Hold: "5s-2s"}, -1, "ends before it begins"},
		{Text{Nemesis: "kill", Gap: "-3s"}, -1, "expected a duration"},
		{Text{Nemesis: "kill", Hold: "long"}, -1, "expected a duration"},
		{Text{Schedule: "kill(leader)"}, 0, "expected a step such as"},
		{Text{Schedule: "at -3s for 2s: kill"}, 0, "not below zero"},
		{Text{Schedule: "at 3s for 2s: kill; at 9s for 0s: kill"}, 1, "must hold for 100ms at least"},
		{Text{Schedule: "at 3s for 2s: earthquake"}, 0, "unknown fault"},
		{Text{Schedule: "at 3s for 20s: kill"}, 0, "lasts until 23s, and the load ends after 10s"},
		{Text{Schedule: "at 1s for 3s: kill(one); at 2s for 3s: pause(leader)"}, 1, "overlaps kill(one), which is step 1"},
		{Text{Schedule: "at 1s for 3s: kill(n1); at 2s for 3s: pause(n2+n1)"}, 1, "put one after the other"},
		{Text{Schedule: "at 1s for 3s: kill(n1); at 2s for 3s: pause"}, 1, "or name different nodes, such as pause(n1) and kill(n2)"},
		{Text{Schedule: "at 1s for 3s: partition(n1); at 2s for 3s: partition(n2)"}, 1, "overlaps partition(n1)"},
		{Text{Nemesis: "partition(n1+n2+n3+n4+n5)"}, -1, "none is left to cut them off from"},
		{Text{Nemesis: "kill", Hold: "50ms"}, -1, "must hold for 100ms at least"},
		{Text{Schedule: "at 100000h for 2s: kill"}, 0, "at most 24h"},
		{Text{Schedule: "at 1s for 3s: kill(n7)"}, 0, "there is no node n7"},
		{Text{Nemesis: "kill(majority)", Limit: Majority}, -1, "would leave no majority of 5 nodes up"},
	} {
		spec, err := Parse(catalogue, tc.text)
		if err == nil {
			_, err = Draw(spec, 1, five, 10*time.Second)
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v, want an error with %q", tc.text, err, tc.want)
		}
		item := -1
		if at := new(ItemError); errors.As(err, &at) {
			item = at.Item
		}
		if item != tc.item {
			t.Errorf("%+v: the mistake is in item %d, want %d", tc.text, item, tc.item)
		}
	}
	for _, tc := range []struct {
		nemesis string
		nodes   []string
		length  time.Duration
	}{{"partition", five[:2], time.Minute}, {"partition", five, time.Second}} {
		if _, err := Draw(parse(t, Text{Nemesis: tc.nemesis}), 1, tc.nodes, tc.length); err == nil {
			t.Errorf("%+v was accepted", tc)
		}
	}
}

func TestDist(t *testing.T) {
	for _, text := range []string{"2s", "2s-3.5s", "exp(3s)"} {
		d, err := ParseDist(text)
		if err != nil || d.String() != text {
			t.Errorf("ParseDist(%q) = %v, %v", text, d, err)
		}
	}
}

func TestTimeline(t *testing.T) {
	var out bytes.Buffer
	Timeline(&out, []nemesis.Planned{
		{ID: 1, Fault: "kill", Variant: "leader", AtMs: 0, ForMs: 10000},
		{ID: 2, Fault: "delay", Variant: "all", AtMs: 10000, ForMs: 10000},
	}, 20*time.Second, 60)
	want := "" +
		"                   0s        5s        10s       15s\n" +
		"   1 kill(leader)  ████████████████████····················\n" +
		"   2 delay(all)    ····················████████████████████\n"
	got := out.String()
	if got != want {
		t.Errorf("drew\n%s\nwant\n%s", got, want)
	}
}
