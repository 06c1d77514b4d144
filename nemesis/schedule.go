package nemesis

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Pace says how a schedule is laid out in time. All durations are measured
// from the begin of the load.
type Pace struct {
	Lead    time.Duration // quiet before the first fault
	HoldMin time.Duration // a fault holds for between HoldMin and HoldMax
	HoldMax time.Duration
	GapMin  time.Duration // quiet between two faults: between GapMin and GapMax
	GapMax  time.Duration
	Tail    time.Duration // quiet after the last heal, before the load ends
}

// DefaultPace leaves the cluster time to notice a fault, elect, be healed and
// recover, several times in a test of 20 seconds.
func DefaultPace() Pace {
	return Pace{
		Lead:    1500 * time.Millisecond,
		HoldMin: 2000 * time.Millisecond, HoldMax: 3500 * time.Millisecond,
		GapMin: 1000 * time.Millisecond, GapMax: 2500 * time.Millisecond,
		Tail: 2000 * time.Millisecond,
	}
}

// Schedule draws the faults of a test that lasts for length. The same
// arguments give the same schedule. The first fault hits the leader if any of
// the choices can, and is of the first one that can: even a short storm loses a
// leader, in the way that its user named first.
func Schedule(seed uint64, nodes []string, length time.Duration, choices []Choice, pace Pace) ([]Planned, error) {
	for _, c := range choices {
		if len(nodes) < c.Fault.MinNodes {
			return nil, fmt.Errorf("fault %s needs at least %d nodes, the test has %d",
				c.Fault.Name, c.Fault.MinNodes, len(nodes))
		}
	}
	if len(choices) == 0 {
		return nil, nil
	}
	d := drawer{rng: rand.New(rand.NewPCG(seed, 0x6e656d65736973)), choices: choices}
	var planned []Planned
	at := pace.Lead
	for {
		hold := d.between(pace.HoldMin, pace.HoldMax)
		if at+hold+pace.Tail > length {
			break
		}
		choice, variant := d.next()
		planned = append(planned, Planned{
			ID: len(planned) + 1, Fault: choice.Fault.Name, Variant: variant.Name,
			AtMs: at.Milliseconds(), ForMs: hold.Milliseconds(),
			Order: d.shuffle(nodes), Coin: d.rng.IntN(2) == 1,
		})
		at += hold + d.between(pace.GapMin, pace.GapMax)
	}
	if len(planned) == 0 {
		return nil, fmt.Errorf("a load of %v is too short for any fault: the first needs %v",
			length, pace.Lead+pace.HoldMax+pace.Tail)
	}
	return planned, nil
}

// drawer deals faults from decks, so that a long test sees every kind and
// variant about equally often and a short one sees different ones.
type drawer struct {
	rng      *rand.Rand
	choices  []Choice
	deck     []int       // choices left in this round
	variants [][]Variant // variants left, per choice
	dealt    bool
}

func (d *drawer) next() (Choice, Variant) {
	if d.variants == nil {
		d.variants = make([][]Variant, len(d.choices))
	}
	if !d.dealt {
		d.dealt = true
		if i, v, ok := d.firstOnLeader(); ok {
			return d.choices[i], v
		}
	}
	if len(d.deck) == 0 {
		d.deck = d.rng.Perm(len(d.choices))
	}
	i := d.deck[0]
	d.deck = d.deck[1:]
	return d.choices[i], d.variantOf(i)
}

// firstOnLeader deals the first of the choices, in the order in which they were
// given, that hits the leader and nothing but it.
func (d *drawer) firstOnLeader() (int, Variant, bool) {
	d.deck = d.rng.Perm(len(d.choices))
	for i, choice := range d.choices {
		for _, v := range choice.Variants {
			if v.Leader {
				d.deck = slices.DeleteFunc(d.deck, func(j int) bool { return j == i })
				return i, v, true
			}
		}
	}
	return 0, Variant{}, false
}

// variantOf deals from the variants of one choice. The leader is in the deck
// twice: most of what can go wrong in a Raft goes wrong around it.
func (d *drawer) variantOf(i int) Variant {
	if len(d.variants[i]) == 0 {
		deck := append([]Variant(nil), d.choices[i].Variants...)
		for _, v := range d.choices[i].Variants {
			if v.Leader && len(deck) > 1 {
				deck = append(deck, v)
			}
		}
		d.rng.Shuffle(len(deck), func(a, b int) { deck[a], deck[b] = deck[b], deck[a] })
		d.variants[i] = deck
	}
	v := d.variants[i][0]
	d.variants[i] = d.variants[i][1:]
	return v
}

func (d *drawer) between(lo, hi time.Duration) time.Duration {
	if hi <= lo {
		return lo
	}
	return lo + time.Duration(d.rng.Int64N(int64(hi-lo)))
}

func (d *drawer) shuffle(nodes []string) []string {
	order := append([]string(nil), nodes...)
	d.rng.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
	return order
}
