package measure

import "squall/history"

// Summary is everything that this package derives from one history.
type Summary struct {
	Ops       Ops
	Elections Elections
	Faults    []FaultRun
	Effects   []FaultEffect
	Blocks    Blocks
	Clocks    Clocks
}

// Summarize derives the figures of a history, in which it changes nothing. Times
// in the result are nanoseconds since Header.Mono. It takes what it is given: a
// history that was cut gives the figures of what is left.
func Summarize(in *history.History) Summary {
	s := newSamples(in)
	faults := joinFaults(in)
	return Summary{
		Ops:       countOps(in, s),
		Elections: elections(in, s),
		Faults:    faults,
		Effects:   effects(s, faults),
		Blocks:    blocks(s),
		Clocks:    clocks(in),
	}
}
