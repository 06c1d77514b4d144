package measure

import "squall/history"

// Input is a recorded history, whole and in memory. Nothing in it is changed.
type Input struct {
	Header history.Header
	Ops    []history.Op
	Faults []history.Fault
	Nodes  []history.NodeEvent
	Marks  []history.Mark
}

// Summary is everything that this package derives from one history.
type Summary struct {
	Ops       Ops
	Elections Elections
	Faults    []FaultRun
	Effects   []FaultEffect
	Blocks    Blocks
	Clocks    Clocks
}

// Summarize derives the figures of a history. Times in the result are
// nanoseconds since Header.Mono. It takes what it is given: a history that was
// cut gives the figures of what is left.
func Summarize(in Input) Summary {
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
