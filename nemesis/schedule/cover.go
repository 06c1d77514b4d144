package schedule

import (
	"time"

	"squall/nemesis"
)

// How a schedule is drawn so that every card is in it: over and over, at a pace that
// quickens, until all are.
const (
	triesPerPace = 16
	paceStep     = 0.1
	// quickest is the least share of hold and gap: a leader must have the time to be
	// missed and another one to be elected, or the faults are many and nothing happens.
	quickest = 0.55
)

// cover draws until every card is in the schedule. Where the load is too short for that
// even at the quickest pace, it is the best of those drawn at the pace of the spec.
func (d *drawer) cover() error {
	best, bestMissing := (*drawer)(nil), 0
	for pace := 1.0; pace >= quickest-paceStep/2; pace -= paceStep {
		for range triesPerPace {
			d.begin(max(pace, quickest))
			if err := d.lanes(); err != nil {
				return err
			}
			missing := len(d.missing())
			if missing == 0 {
				return nil
			}
			if pace == 1 && (best == nil || missing < bestMissing) {
				kept := *d
				best, bestMissing = &kept, missing
			}
		}
		if d.spec.Given || d.hopeless() {
			break
		}
	}
	*d = *best
	return nil
}

// hopeless reports whether the load is too short for all cards even at the quickest pace,
// if all lanes were full all the time.
func (d *drawer) hopeless() bool {
	each := quickest * float64(d.spec.Hold.average()+d.spec.Gap.average())
	return each*float64(len(d.cards)) > float64(d.spec.Overlap)*float64(d.length-d.spec.Lead)
}

// begin forgets what the attempt before has drawn.
func (d *drawer) begin(pace float64) {
	d.pace, d.dealt = pace, false
	d.deck, d.planned, d.active = nil, nil, nil
	d.seen = make([]bool, len(d.cards))
	d.variants = make([][]nemesis.Variant, len(d.cards))
}

// missing are the cards that were not dealt, as they are written.
func (d *drawer) missing() (names []string) {
	for i, card := range d.cards {
		if !d.seen[i] {
			names = append(names, card.String())
		}
	}
	return names
}

// shortestWait is how long the card that is through first may wait for its moment.
func (d *drawer) shortestWait() time.Duration {
	least := d.cards[0].MostWait()
	for _, card := range d.cards {
		least = min(least, card.MostWait())
	}
	return least
}
