package orchestrator

import "time"

// clock is the machines' CLOCK_MONOTONIC as seen from here. Machines on this
// host share ours; those in a virtual machine (Docker Desktop) have their own,
// which is mapped by an offset.
type clock struct{ offset int64 }

func (c clock) now() int64 { return monotonic() + c.offset }

// newClock compares our clock with a machine's: theirs was read at some moment
// between before and after. Within that error the clocks count as one.
func newClock(before, theirs, after int64) clock {
	if theirs >= before-int64(time.Millisecond) && theirs <= after+int64(time.Millisecond) {
		return clock{}
	}
	return clock{offset: theirs - (before+after)/2}
}
