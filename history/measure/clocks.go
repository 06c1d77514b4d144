package measure

import "squall/history"

// Clocks says how the times in a history hang together. Operations, node
// events and elections are all timed by the machines' clock. What squall itself
// did, faults and marks, is timed by its own, mapped onto that.
type Clocks struct {
	One bool `json:"one"` // there is only one clock
	// ErrorNs is how far a time of a fault or a mark may be off from the times
	// of operations and elections, in nanoseconds: the error of the estimated
	// offset, and how far the clocks drifted apart while the test ran.
	ErrorNs int64 `json:"errorNs"`
	// OffsetNs is the machines' clock less squall's at the begin.
	OffsetNs int64 `json:"offsetNs"`
	// Compared is how often the clocks were compared. 0: in an older history.
	Compared int `json:"compared"`
}

func clocks(in *history.History) Clocks {
	var c Clocks
	for _, m := range in.Marks {
		if m.Clock == nil {
			continue
		}
		if c.Compared++; c.Compared == 1 {
			c.OffsetNs = m.Clock.Offset
			c.One = m.Clock.Error == 0
		}
		apart := m.Clock.Offset - c.OffsetNs
		c.ErrorNs = max(c.ErrorNs, m.Clock.Error+max(apart, -apart))
	}
	return c
}
