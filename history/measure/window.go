package measure

import "squall/history"

// Window is a part of a test, from Begin to End; ns since the start.
type Window struct{ Begin, End int64 }

// Seconds is the length of the window, never negative.
func (w Window) Seconds() float64 { return float64(max(w.End-w.Begin, 0)) / 1e9 }

// Holds reports whether t lies in the window, its ends included.
func (w Window) Holds(t int64) bool { return t >= w.Begin && t <= w.End }

// LoadWindow is when the clients ran: from mark load-begin to mark load-end.
// Where a mark is missing, because the history was cut, the first call or the
// last return stands in for it. It is empty when there was no load at all.
func LoadWindow(in *history.History) Window {
	w := Window{Begin: -1, End: -1}
	for _, m := range in.Marks {
		switch m.Name {
		case history.MarkLoadBegin:
			w.Begin = m.Time - in.Header.Mono
		case history.MarkLoadEnd:
			w.End = m.Time - in.Header.Mono
		}
	}
	noBegin, noEnd := w.Begin < 0, w.End < 0
	first := true
	for i := range in.Ops {
		op := &in.Ops[i]
		if op.Final {
			continue
		}
		call, ret := op.Call-in.Header.Mono, op.Return-in.Header.Mono
		if noBegin && (first || call < w.Begin) {
			w.Begin = call
		}
		if noEnd && (first || ret > w.End) {
			w.End = ret
		}
		first = false
	}
	w.Begin = max(w.Begin, 0)
	w.End = max(w.End, w.Begin)
	return w
}

// TestEnd is the moment up to which a history says something about the
// cluster; ns since the start. What follows it is squall taking the cluster
// down, which is no loss of a leader. It is when the last of the final reads
// returned; in a test that did not come so far, when the faults were healed,
// or when the load ended; and when there is none of these, because the test
// failed, the moment at which squall stopped the first server, or else the last
// moment recorded.
func TestEnd(in *history.History) int64 {
	at := map[string]int64{}
	for _, m := range in.Marks {
		at[m.Name] = m.Time
	}
	end, ok := at[history.MarkFinalReads]
	if !ok {
		end, ok = at[history.MarkHealed]
	}
	if !ok {
		end, ok = at[history.MarkLoadEnd]
	}
	for i := range in.Ops {
		if op := &in.Ops[i]; op.Final || !ok {
			end = max(end, op.Return)
		}
	}
	if !ok {
		end = max(end, lastRecord(in))
		if stop, stopped := firstStop(in); stopped {
			end = min(end, stop-1)
		}
	}
	return max(end-in.Header.Mono, 0)
}

// firstStop is when the first server noticed that squall stopped it, or ended so; ns.
func firstStop(in *history.History) (at int64, stopped bool) {
	type boot struct {
		node   string
		number int
	}
	ended := map[boot]bool{}
	for i := range in.Nodes {
		if e := &in.Nodes[i]; e.Kind == history.EventExit && e.Reason == history.ReasonStopped {
			ended[boot{e.Node, e.Boot}] = true
		}
	}
	for i := range in.Nodes {
		e := &in.Nodes[i]
		last := e.Kind == history.EventExit || e.Kind == history.EventRole && e.Role == history.RoleStopped
		if last && ended[boot{e.Node, e.Boot}] && (!stopped || e.Time < at) {
			at, stopped = e.Time, true
		}
	}
	return at, stopped
}

// lastRecord is the latest time of any fault, node event or mark; ns.
func lastRecord(in *history.History) int64 {
	end := in.Header.Mono
	for _, f := range in.Faults {
		end = max(end, f.Begin, f.End)
	}
	for i := range in.Nodes {
		end = max(end, in.Nodes[i].Time)
	}
	for _, m := range in.Marks {
		end = max(end, m.Time)
	}
	return end
}
