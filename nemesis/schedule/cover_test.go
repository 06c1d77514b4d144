package schedule

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"squall/nemesis"
)

// TestAMinuteCoversEveryKind: by construction and not by luck, whatever the seed, the
// faults that a mix lists are all in it.
func TestAMinuteCoversEveryKind(t *testing.T) {
	for _, mix := range []string{"storm", "ci", "guided", "elections"} {
		spec := parse(t, Text{Nemesis: mix})
		for seed := range uint64(500) {
			drawn, err := Draw(spec, seed, five, time.Minute)
			if err != nil || len(drawn.LeftOut) > 0 {
				t.Fatalf("%s, seed %d: %v are left out, %v", mix, seed, drawn.LeftOut, err)
			}
			for _, card := range spec.Cards {
				if !slices.ContainsFunc(drawn.Planned, func(p nemesis.Planned) bool { return p.Fault == card.Fault.Name }) {
					t.Errorf("%s, seed %d: there is no %s", mix, seed, card.Fault.Name)
				}
			}
		}
	}
}

// TestNothingRepeatsBeforeAllWereDealt: a card comes again only when all have come, or
// when there is no room for the rest. What a schedule says is left out is what is not in it.
func TestNothingRepeatsBeforeAllWereDealt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := parse(t, Text{
			Nemesis: rapid.SampledFrom([]string{"storm", "ci", "network", "processes", "kill*5,partition(one),pause", "kill when=leader-lost within=1s,delay,partition"}).Draw(t, "nemesis"),
			Overlap: rapid.IntRange(0, MaxOverlap).Draw(t, "overlap"),
			Hold:    rapid.SampledFrom([]string{"", "1s", "exp(2s)"}).Draw(t, "hold"),
		})
		length := time.Duration(rapid.IntRange(12, 150).Draw(t, "seconds")) * time.Second
		drawn, err := Draw(spec, rapid.Uint64().Draw(t, "seed"), five, length)
		if err != nil {
			t.Skip("refused: ", err)
		}
		all := len(spec.Cards) - len(drawn.LeftOut)
		seen := map[string]bool{}
		for _, p := range drawn.Planned {
			if repeated := seen[p.Fault]; repeated && len(seen) < all {
				t.Fatalf("%s is repeated when only %d of %d were dealt", p.Fault, len(seen), all)
			}
			seen[p.Fault] = true
		}
		for _, card := range spec.Cards {
			if seen[card.Fault.Name] == slices.Contains(drawn.LeftOut, card.String()) {
				t.Fatalf("%s is in the schedule: %t; left out are %v", card, seen[card.Fault.Name], drawn.LeftOut)
			}
		}
	})
}

// TestWhatDoesNotFitIsSaid: ten seconds hold a few faults, at the pace of the mix.
func TestWhatDoesNotFitIsSaid(t *testing.T) {
	spec := parse(t, Text{Nemesis: "storm"})
	drawn, err := Draw(spec, 1, five, 15*time.Second)
	if err != nil || len(drawn.LeftOut)+len(drawn.Planned) != len(spec.Cards) || len(drawn.Planned) < 4 {
		t.Errorf("%d faults, and left out are %v; %v", len(drawn.Planned), drawn.LeftOut, err)
	}
	for _, p := range drawn.Planned {
		if p.ForMs < spec.Hold.Lo.Milliseconds() {
			t.Errorf("%s holds for %d ms: it is hurried for nothing", p.Name(), p.ForMs)
		}
	}
}

// TestAGivenPaceIsKept: who says how long faults hold gets that.
func TestAGivenPaceIsKept(t *testing.T) {
	drawn, err := Draw(parse(t, Text{Nemesis: "storm", Hold: "4s"}), 1, five, time.Minute)
	if err != nil || len(drawn.LeftOut) == 0 {
		t.Errorf("left out are %v, %v", drawn.LeftOut, err)
	}
	for _, p := range drawn.Planned {
		if p.ForMs != 4000 {
			t.Errorf("%s holds for %d ms", p.Name(), p.ForMs)
		}
	}
}

// TestARestMakesRoomForAGivenHold: a mix with rests has none where a fault may take longer
// than the spell between two, and is drawn as it was asked for.
func TestARestMakesRoomForAGivenHold(t *testing.T) {
	for hold, least := range map[string]time.Duration{"30s": 30 * time.Second, "10s-40s": 30 * time.Second, "exp(20s)": 26 * time.Second} {
		drawn, err := Draw(parse(t, Text{Nemesis: "guided", Hold: hold}), 1, five, 20*time.Minute)
		if err != nil {
			t.Errorf("%s: %v", hold, err)
		}
		var most int64
		for _, p := range drawn.Planned {
			most = max(most, p.ForMs)
		}
		if most < least.Milliseconds() {
			t.Errorf("%s: the longest fault holds for %d ms", hold, most)
		}
	}
	drawn, err := Draw(parse(t, Text{Nemesis: "guided,kill(moment) when=vote-granted within=30s"}), 1, five, 10*time.Minute)
	if err != nil || len(drawn.LeftOut) > 0 {
		t.Errorf("left out are %v, %v", drawn.LeftOut, err)
	}
	if spec := parse(t, Text{Nemesis: "guided", Hold: "10s", Gap: "1m"}); spec.Rest == 0 {
		t.Error("there is no rest, although each fault fits between two")
	}
}

// TestAFaultGetsTheTimeThatItsStepsTake, however quick the pace is, unless that was asked for.
func TestAFaultGetsTheTimeThatItsStepsTake(t *testing.T) {
	for hold, kept := range map[string]bool{"": false, "1s": true} {
		drawn, err := Draw(parse(t, Text{Nemesis: "guided", Hold: hold}), 1, five, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		seen := false
		for _, p := range drawn.Planned {
			if p.Fault != "figure-8" {
				continue
			}
			seen = true
			if p.ForMs >= 3500 == kept {
				t.Errorf("hold %q: figure-8 holds for %d ms", hold, p.ForMs)
			}
		}
		if !seen {
			t.Errorf("hold %q: there is no figure-8", hold)
		}
	}
}

// TestAimsAreDrawn: each in its range, and with room to wait.
func TestAimsAreDrawn(t *testing.T) {
	after := map[int64]bool{}
	for seed := range uint64(20) {
		drawn, err := Draw(parse(t, Text{Nemesis: "kill(moment) when=vote-granted after=10ms-12ms within=2s"}), seed, five, 30*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range drawn.Planned {
			if p.Aim == nil || p.Aim.Moment != "vote-granted" || p.Aim.WithinMs != 2000 || p.Variant != "moment" {
				t.Fatalf("%+v", p)
			}
			after[p.Aim.AfterMs] = true
			if i > 0 && p.At() < drawn.Planned[i-1].Ends() {
				t.Errorf("%+v is armed while %+v may wait or hold", p, drawn.Planned[i-1])
			}
		}
	}
	if len(after) != 3 || !after[10] || !after[11] || !after[12] {
		t.Errorf("of 10 to 12 ms %v were drawn", after)
	}
}

// TestStepsWithAims: a step that waits takes its time to wait with it.
func TestStepsWithAims(t *testing.T) {
	for text, want := range map[string]string{
		"at 1s for 2s: kill(moment) when=vote-granted within=3s; after 1s for 1s: pause":       "",
		"at 1s for 2s: kill(moment) when=vote-granted within=3s; at 5s for 1s: pause":          "overlaps kill(moment) when=vote-granted within=3s, which is step 1 and lasts until 6s",
		"at 1s for 2s: kill(moment) when=vote-granted within=8s":                               "lasts until 11s, as it may wait 8s for its moment (see within), and the load ends after 10s",
		"at 1s for 2s: kill(moment) when=vote-granted after=1s within=7s":                      "lasts until 11s",
		"at 1s for 2s: kill(moment) when=vote-granted within=3s; at 5s for 1s: partition(one)": "",
	} {
		drawn, err := Draw(parse(t, Text{Schedule: text}), 1, five, 10*time.Second)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v, want %q", text, drawn.Planned, err, want)
		}
	}
}

// TestRests: after each spell of faults there is a rest in which none may be in force, nor
// wait for its moment; and storms before and after it.
func TestRests(t *testing.T) {
	spec := parse(t, Text{Nemesis: "guided"})
	if spec.Rest == 0 {
		t.Fatal("the mix guided has no rests")
	}
	for seed := range uint64(20) {
		drawn, err := Draw(spec, seed, five, 2*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		var last, longest time.Duration
		rests, after := 0, 0
		for _, p := range drawn.Planned {
			longest = max(longest, p.Ends())
		}
		for at := spec.Lead; at+spec.Rest <= 2*time.Minute-spec.Tail; at += 100 * time.Millisecond {
			quiet := true
			for _, p := range drawn.Planned {
				quiet = quiet && (p.Ends() <= at || p.At() >= at+spec.Rest)
			}
			if quiet && at > last {
				rests, last = rests+1, at+spec.Rest
			}
		}
		for _, p := range drawn.Planned {
			if p.At() > last {
				after++
			}
		}
		if rests < 3 || after == 0 || longest < time.Minute {
			t.Errorf("seed %d: %d rests of %v in two minutes, %d faults after the last, which ends at %v", seed, rests, spec.Rest, after, longest)
		}
	}
}
