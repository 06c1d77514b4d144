package linearizable

import (
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"squall/history/check"
)

// answer is whether steps are linearizable.
type answer uint8

const (
	undecided answer = iota
	legal
	illegal
)

// method leaves out ways to decide; for tests.
type method uint8

const (
	everyWay  method = iota
	sweepOnly        // no zones, no porcupine
	searchOnly
)

// judge decides about objects, within limits.
type judge struct {
	model Model
	watch *watch
	way   method
	end   time.Time // of all the work
}

// porcupineMost is how many steps porcupine is given: its memory grows with the
// square of their number, and it cannot be stopped while it prepares them.
const porcupineMost = 50_000

// ruling is what was decided, and how.
type ruling struct {
	answer   answer
	why      check.StopReason // when undecided
	searched bool             // no fast way settled it
	// moment finds the return at which it became certain that there is no order, when
	// illegal. It may hold much memory.
	moment moment
}

// moment finds a return by the deadline. exact is false when the limits allowed only a
// bound: it was certain then, and perhaps earlier.
type moment func(deadline time.Time) (at int64, exact bool)

// refutation is how it was found that a register has no order.
type refutation struct {
	sweep *sweep // that found it, with its snapshots
	at    swept
	// Without a sweep: what is left to be swept for the moment.
	steps []step
}

// sweepWidths are how many configurations one sweep after the other keeps. Where
// there are more, a narrow one may still find that all is well, and soon; the
// last one (0) keeps all.
func sweepWidths() []int { return []int{64, 2048, 0} }

// decide implements object.
func (r *register) decide(j *judge, deadline time.Time) ruling { return j.decide(r, deadline) }

// decide says whether a register is linearizable, by the deadline: by zones where
// values are unique, else by a sweep, and if that takes half the time, by
// porcupine, which goes deep where a sweep goes wide.
func (j *judge) decide(r *register, deadline time.Time) ruling {
	half := time.Now().Add(time.Until(deadline) / 2)
	if len(r.steps) > porcupineMost || j.way == sweepOnly {
		half = deadline
	}
	g, release := j.watch.guard(half)
	defer release()
	all, releaseAll := j.watch.guard(deadline)
	defer releaseAll()
	steps := reduce(r, all)
	if steps == nil {
		return ruling{why: all.why()}
	}
	zoned := undecided
	if j.way == everyWay && r.start.isAbsent() {
		if zoned = zones(steps, len(r.values), all); zoned == legal {
			return ruling{answer: legal}
		}
	}
	if zoned == undecided && j.way == everyWay && r.start.isAbsent() && !all.stopped() {
		if at, found := phantom(steps, len(r.values)); found {
			zoned = illegal
			steps = prefix(steps, at)
		}
	}
	if zoned == illegal {
		// Certain, whatever time a sweep would need to see it.
		return ruling{answer: illegal, moment: j.momentOf(r, refutation{steps: steps})}
	}
	if j.way != searchOnly {
		if got, seen := j.sweeps(r, steps, g); got != undecided {
			return ruling{answer: got, searched: zoned == undecided, moment: j.momentOf(r, seen)}
		}
	}
	if all.stopped() || j.way == sweepOnly || len(steps) > porcupineMost {
		return ruling{why: max(all.why(), g.why()), searched: true}
	}
	f := j.watch.run(r.model(), operations(steps), deadline, false)
	switch f.result {
	case porcupine.Ok:
		return ruling{answer: legal, searched: true}
	case porcupine.Illegal:
		return ruling{answer: illegal, searched: true, moment: j.momentOf(r, refutation{})}
	}
	return ruling{why: f.why, searched: true}
}

// sweeps decides by sweeps, the narrowest first. One that never uses up steps of unknown
// outcome finds what is wrong whatever those did, and soon, for it has far fewer
// configurations.
func (j *judge) sweeps(r *register, steps []step, g *guard) (answer, refutation) {
	for i, limit := range sweepWidths() {
		if i == 1 && j.impossible(r, steps, g) {
			return illegal, refutation{steps: steps}
		}
		s := newSweep(&problem{steps: steps, values: len(r.values), start: r.start}, g, limit)
		s.keep = r.start.isAbsent()
		at := s.run()
		if at.answer != undecided {
			return at.answer, refutation{sweep: s, at: at}
		}
		if !s.lossy {
			break
		}
	}
	return undecided, refutation{}
}

// impossible says that steps have no order even if each of unknown outcome could take
// effect again and again.
func (j *judge) impossible(r *register, steps []step, g *guard) bool {
	if !slices.ContainsFunc(steps, func(s step) bool { return s.ret == forever && s.mutates() }) {
		return false
	}
	s := newSweep(&problem{steps: steps, values: len(r.values), start: r.start}, g, 0)
	s.endless = true
	return s.run().answer == illegal
}

// phantom finds the first return of a step that found a value which nobody had
// begun to write. However many orders there are, none of them explains that.
func phantom(steps []step, values int) (at int64, found bool) {
	written := make([]int64, values) // when its first write began
	for v := range written {
		written[v] = forever
	}
	for i := range steps {
		if s := &steps[i]; s.mutates() {
			written[s.arg] = min(written[s.arg], s.call)
		}
	}
	at = forever
	for i := range steps {
		if v, ok := steps[i].looksFor(); ok && v != absent && written[v] > steps[i].ret {
			at, found = min(at, steps[i].ret), true
		}
	}
	return at, found
}
