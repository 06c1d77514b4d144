package schedule

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"squall/internal/declare"
	"squall/nemesis"
)

// settle is how long two faults that must not meet are kept apart: the heal of
// the first has to be proven.
const settle = 700 * time.Millisecond

// Drawn is a schedule, and what is not in it.
type Drawn struct {
	Planned []nemesis.Planned
	// LeftOut are the faults of the list for which the load is too short, as they are
	// written.
	LeftOut []string
}

// Draw draws the faults of a test on these nodes that lasts for length. The same
// arguments give the same schedule. Its first fault hits the leader if any of
// the cards can, and is of the first one that can: even a short storm loses a
// leader, in the way that its user named first. Every card comes once before any comes
// again, if there is room for all: see cover.
func Draw(spec Spec, seed uint64, nodes []string, length time.Duration) (Drawn, error) {
	d := &drawer{spec: spec, nodes: nodes, length: length, rng: rand.New(rand.NewPCG(seed, 0x6e656d65736973))}
	if len(spec.Steps) > 0 {
		return d.follow()
	}
	if len(spec.Cards) == 0 {
		return Drawn{}, nil
	}
	if err := d.prepare(); err != nil {
		return Drawn{}, err
	}
	if err := d.cover(); err != nil {
		return Drawn{}, err
	}
	if len(d.planned) == 0 {
		return Drawn{}, fmt.Errorf("a load of %v is too short for any fault: the first needs %v",
			length, spec.Lead+spec.Hold.Most()+d.shortestWait()+spec.Tail)
	}
	return Drawn{d.planned, d.missing()}, nil
}

// MostFaults bounds a schedule: a day of storm has 50,000 faults.
const MostFaults = 100_000

// ErrTooMany says that a schedule would have more than MostFaults.
var ErrTooMany = fmt.Errorf("more than %d faults", MostFaults)

// drawer deals faults from decks, so that a long test sees every kind and
// variant as often as it weighs, and a short one sees different ones.
type drawer struct {
	spec   Spec
	nodes  []string
	length time.Duration
	rng    *rand.Rand

	cards    []Card
	pace     float64             // hold and gap are that much of what the spec says
	deck     []int               // cards left in this round
	seen     []bool              // per card: it was dealt
	variants [][]nemesis.Variant // variants left, per card
	dealt    bool
	planned  []nemesis.Planned
	active   []active // of those, in force or not yet settled when last looked at
}

// active is a planned fault that later ones may meet.
type active struct {
	claim nemesis.Claim
	ends  time.Duration
}

// prepare checks the cards against the cluster and the limit, and lets the swarm
// choose among them.
func (d *drawer) prepare() error {
	for _, card := range d.spec.Cards {
		fits, err := d.fitting(card)
		if err != nil {
			return err
		}
		if fits != nil {
			d.cards = append(d.cards, *fits)
		}
	}
	if len(d.cards) == 0 {
		return fmt.Errorf("limit: majority rules out every fault in the list with %d nodes", len(d.nodes))
	}
	if d.spec.Swarm {
		d.swarm()
	}
	return nil
}

// fitting is a card with the variants that can be; nil when none can and the
// card came with a mix.
func (d *drawer) fitting(card Card) (*Card, error) {
	fit, err := card.Within(d.nodes)
	if err != nil {
		if card.Asked {
			return nil, err
		}
		return nil, nil
	}
	card.Variants = fit
	if d.spec.Limit != Majority {
		return &card, nil
	}
	var keep []nemesis.Variant
	for _, v := range card.Variants {
		if v.KeepsMajority(len(d.nodes)) {
			keep = append(keep, v)
		}
	}
	named := len(card.Nodes) > 0 && len(card.Nodes) <= (len(d.nodes)-1)/2
	if len(keep) == 0 && !named {
		if card.Asked {
			return nil, fmt.Errorf("fault %v would leave no majority of %d nodes up, and limit: majority is set", card.Choice, len(d.nodes))
		}
		return nil, nil
	}
	card.Variants = keep
	return &card, nil
}

// swarm keeps a random subset of the cards, two at least, with random weights:
// a test of few kinds of faults gets deeper than one of all.
func (d *drawer) swarm() {
	order := d.rng.Perm(len(d.cards))
	keep := min(2+d.rng.IntN(max(1, len(d.cards)-1)), len(d.cards))
	order = order[:keep]
	slices.Sort(order)
	cards := make([]Card, 0, keep)
	for _, i := range order {
		card := d.cards[i]
		card.Weight = 1 + d.rng.IntN(4)
		cards = append(cards, card)
	}
	d.cards = cards
}

// lanes lays the faults out: as many at once as may overlap, each lane a fault
// after the other with a gap between.
func (d *drawer) lanes() error {
	free := make([]time.Duration, d.spec.Overlap)
	for i := range free {
		free[i] = d.spec.Lead
		if i > 0 { // not all at once
			free[i] += d.paced(Dist{Hi: d.spec.Hold.average() + d.spec.Gap.average()})
		}
	}
	for {
		lane := slices.Index(free, slices.Min(free))
		at, hold := free[lane], max(d.paced(d.spec.Hold), shortestHold)
		if at+d.spec.Tail > d.length {
			return nil
		}
		until, next := d.spell(at)
		if len(d.planned) == MostFaults {
			return fmt.Errorf("%w in %v: choose a longer hold or gap, or a shorter time", ErrTooMany, d.length)
		}
		if at+hold > until {
			free[lane] = next
			continue
		}
		ends, ok := d.deal(at, hold)
		switch {
		case !ok && ends >= until:
			free[lane] = next
			continue
		case !ok:
			free[lane] = ends + settle
			continue
		}
		free[lane] = ends + d.paced(d.spec.Gap)
	}
}

// spell is until when a fault that begins at a time may be in force, and when the next one
// may begin where that is too short: after the rest, or, at the end of the load, never.
func (d *drawer) spell(at time.Duration) (until, next time.Duration) {
	until, next = d.length-d.spec.Tail, d.length
	if d.spec.Rest == 0 {
		return until, next
	}
	cycle := d.spec.Spell + d.spec.Rest
	begins := d.spec.Lead + (at-d.spec.Lead)/cycle*cycle
	if rest := begins + d.spec.Spell; rest < until {
		return rest, min(begins+cycle, next)
	}
	return until, next
}

// paced draws from a distribution at the pace of this attempt.
func (d *drawer) paced(dist Dist) time.Duration {
	return time.Duration(float64(dist.draw(d.rng)) * d.pace).Truncate(time.Millisecond)
}

// deal plans a fault for this time, and says when it ends. Where every card that is left
// would meet a fault that it must not, or end too late, it says when the first of those
// in force ends. A card that was never dealt goes before those that were.
func (d *drawer) deal(at, hold time.Duration) (ends time.Duration, ok bool) {
	busy := d.busy(at)
	if !d.dealt {
		d.dealt = true
		d.shuffle()
		if i, v, ok := d.firstOnLeader(); ok {
			return d.plan(d.cards[i].Choice, v, at, d.least(i, hold)), true
		}
	}
	if len(d.deck) == 0 {
		d.shuffle()
	}
	anew := slices.ContainsFunc(d.deck, func(i int) bool { return !d.seen[i] && d.fitsBefore(i, at, hold) })
	for k, i := range d.deck {
		card := d.cards[i]
		claim := nemesis.Claim{Fault: card.Fault, Nodes: card.Nodes}
		if anew && d.seen[i] || !d.fitsBefore(i, at, hold) || slices.ContainsFunc(busy, func(a active) bool { return d.meets(claim, a.claim) }) {
			continue
		}
		d.deck = slices.Delete(d.deck, k, k+1)
		d.seen[i] = true
		return d.plan(card.Choice, d.variantOf(i), at, d.least(i, hold)), true
	}
	ends = d.length
	for _, a := range busy {
		ends = min(ends, a.ends)
	}
	return ends, false
}

// fitsBefore reports whether a card that is dealt now is over before the rest, or the load.
func (d *drawer) fitsBefore(i int, at, hold time.Duration) bool {
	until, _ := d.spell(at)
	return at+d.cards[i].MostWait()+d.least(i, hold) <= until
}

// least is how long a card holds that is to hold for that long.
func (d *drawer) least(i int, hold time.Duration) time.Duration {
	if d.spec.Given {
		return hold
	}
	return max(hold, d.cards[i].Fault.Least)
}

// busy are the planned faults that are in force at a time, or not yet settled.
// Times only grow from call to call, so what is over is forgotten.
func (d *drawer) busy(at time.Duration) []active {
	d.active = slices.DeleteFunc(d.active, func(a active) bool { return a.ends+settle <= at })
	return d.active
}

// meets reports whether two faults must not be in force at once. With a limit,
// no two that take nodes away may: together they could take a majority.
func (d *drawer) meets(a, b nemesis.Claim) bool {
	return a.Meets(b) || d.spec.Limit == Majority && takesAway(a.Fault) && takesAway(b.Fault)
}

func takesAway(f nemesis.Fault) bool {
	return slices.Contains(f.Holds, nemesis.HoldLinks) || slices.Contains(f.Holds, nemesis.HoldServers)
}

func (d *drawer) shuffle() {
	d.deck = d.deck[:0]
	for i, card := range d.cards {
		for range card.Weight {
			d.deck = append(d.deck, i)
		}
	}
	d.rng.Shuffle(len(d.deck), func(a, b int) { d.deck[a], d.deck[b] = d.deck[b], d.deck[a] })
}

// firstOnLeader deals the first of the cards, in the order in which they were
// given, that hits the leader and nothing but it.
func (d *drawer) firstOnLeader() (int, nemesis.Variant, bool) {
	for i, card := range d.cards {
		if card.Aim != nil {
			continue // it may come too late to be the first
		}
		for _, v := range card.Variants {
			if v.Leader {
				k := slices.Index(d.deck, i)
				d.deck = slices.Delete(d.deck, k, k+1)
				d.seen[i] = true
				return i, v, true
			}
		}
	}
	return 0, nemesis.Variant{}, false
}

// variantOf deals from the variants of one card. The leader is in the deck
// twice: most of what can go wrong in a Raft goes wrong around it.
func (d *drawer) variantOf(i int) nemesis.Variant {
	if len(d.cards[i].Nodes) > 0 {
		return nemesis.Variant{}
	}
	if len(d.variants[i]) == 0 {
		deck := slices.Clone(d.cards[i].Variants)
		for _, v := range d.cards[i].Variants {
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

// plan adds a fault, and says when it ends at the latest.
func (d *drawer) plan(c nemesis.Choice, v nemesis.Variant, at, hold time.Duration) time.Duration {
	order := slices.Clone(d.nodes)
	d.rng.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
	d.planned = append(d.planned, nemesis.Planned{
		ID: len(d.planned) + 1, Fault: c.Fault.Name, Variant: v.Name, Nodes: c.Nodes, Params: d.params(c),
		AtMs: at.Milliseconds(), ForMs: hold.Milliseconds(), Order: order,
		Seed: d.rng.Uint64() >> 11, // what every reader of JSON can hold
		Aim:  c.DrawAim(d.rng),
	})
	p := d.planned[len(d.planned)-1]
	ends := at + c.MostWait() + hold
	d.active = append(d.active, active{p.Claim(c.Fault), ends})
	return ends
}

// params draws what was not given. A draw that makes no sense together is drawn
// again, and at last left to the defaults.
func (d *drawer) params(c nemesis.Choice) declare.Args {
	for range 20 {
		args := c.Fault.Params.Fill(c.Args, d.rng.IntN)
		if c.Fault.Check == nil || c.Fault.Check(args) == nil {
			return args
		}
	}
	return c.Fault.Params.Fill(c.Args, nil)
}

// follow lays down the steps that a test names.
func (d *drawer) follow() (Drawn, error) {
	steps := slices.Clone(d.spec.Steps)
	for i := range steps {
		step := &steps[i]
		fit, err := step.Within(d.nodes)
		if err != nil {
			return Drawn{}, &ItemError{i, err}
		}
		step.Variants = fit
		if end := step.end(); end > d.length {
			return Drawn{}, &ItemError{i, fmt.Errorf("%v lasts until %v%s, and the load ends after %v", step.Choice, end, step.waits(), d.length)}
		}
		if err := step.apart(steps[:i]); err != nil {
			return Drawn{}, &ItemError{i, err}
		}
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Compare(a.At, b.At) })
	for _, step := range steps {
		v := nemesis.Variant{}
		if len(step.Nodes) == 0 {
			v = step.Variants[d.rng.IntN(len(step.Variants))]
		}
		d.plan(step.Choice, v, step.At, step.For)
	}
	return Drawn{Planned: d.planned}, nil
}

// apart refuses a step that would meet one of those before it.
func (s Step) apart(before []Step) error {
	mine := nemesis.Claim{Fault: s.Fault, Nodes: s.Nodes}
	for j, other := range before {
		if s.At >= other.end() || other.At >= s.end() || !mine.Meets(nemesis.Claim{Fault: other.Fault, Nodes: other.Nodes}) {
			continue
		}
		hint := "put one after the other"
		if (len(s.Nodes) == 0 || len(other.Nodes) == 0) && shareNodes(s.Fault, other.Fault) {
			hint += ", or name different nodes, such as " + s.Fault.Name + "(n1) and " + other.Fault.Name + "(n2)"
		}
		return fmt.Errorf("%v at %v overlaps %v, which is step %d and lasts until %v, and neither could be proven: %s",
			s.Choice, s.At, other.Choice, j+1, other.end(), hint)
	}
	return nil
}

// shareNodes reports whether two faults meet on the same node only.
func shareNodes(a, b nemesis.Fault) bool {
	return !nemesis.Claim{Fault: a, Nodes: []string{"a"}}.Meets(nemesis.Claim{Fault: b, Nodes: []string{"b"}})
}
