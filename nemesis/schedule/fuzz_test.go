package schedule

import (
	"math/rand/v2"
	"testing"
	"time"

	"squall/nemesis"
)

// What a user may write is understood or refused, and what is understood can be
// written and read again, and drawn.

func FuzzParseFaults(f *testing.F) {
	for _, seed := range []string{"storm", "partition,kill(leader)*3,delay(50ms±10ms)", "ci,-slow-cpu", "none", "kill*0", "kill(n1+n2", "loss(share=5%, variant=one)",
		"loss(±5%)", "storm,-kill,-kill", "((,))", "*3", "kill(n99999999999999999999)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		spec, err := ParseFaults(catalogue, text)
		if err != nil {
			return
		}
		for _, card := range spec.Cards {
			if card.Weight < 1 || card.Weight > maxWeight {
				t.Errorf("%q: a weight of %d", text, card.Weight)
			}
			again, err := nemesis.ParseChoice(catalogue, card.String())
			if err != nil || again.String() != card.String() {
				t.Errorf("%q: %s is read back as %v, %v", text, card, again, err)
			}
		}
		_, _ = Draw(spec, 1, five, 20*time.Second)
	})
}

func FuzzParseSteps(f *testing.F) {
	for _, seed := range []string{"at 3s for 2s: kill(leader); after 500ms for 1s: delay(50ms±10ms, all)\nat 4s for 1s: partition(one)", "at 3s",
		"after 9223372036s for 1s: kill;after 9223372036s for 1s: kill", "at 1s for 1s: kill(;)", "at -1s for 1ns: kill"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		steps, err := ParseSteps(catalogue, text)
		if err != nil {
			return
		}
		for i, s := range steps {
			if s.At < 0 || s.For < shortestHold {
				t.Errorf("%q: step %d from %v for %v", text, i, s.At, s.For)
			}
		}
		plan, err := schedules(Draw(Spec{Steps: steps}, 1, five, 20*time.Second))
		for _, p := range plan {
			if err == nil && (p.AtMs < 0 || p.Ends() > 20*time.Second) {
				t.Errorf("%q: %+v", text, p)
			}
		}
	})
}

func FuzzParseDist(f *testing.F) {
	for _, seed := range []string{"2s", "2s-3.5s", "exp(3s)", "exp(", "-1s", "1s-", "exp(-1s)", "0s-0s", "1h-1h", "1ns-2ns", "exp(exp(1s))"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDist(text)
		if err != nil {
			return
		}
		if again, err := ParseDist(d.String()); err != nil || again.String() != d.String() {
			t.Errorf("%q: %v is read back as %v, %v", text, d, again, err)
		}
		rng := rand.New(rand.NewPCG(7, 7))
		for range 20 {
			if v := d.draw(rng); v < 0 || v > d.Most() {
				t.Errorf("%q: drew %v of at most %v", text, v, d.Most())
			}
		}
		if hold, err := ParseHold(text); err == nil && max(hold.Lo, hold.Mean) < shortestHold {
			t.Errorf("%q: holds of %v", text, hold)
		}
	})
}
