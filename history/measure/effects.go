package measure

import (
	"math"
	"slices"
	"time"
)

// maxEffects is of how many faults it is told what clients felt of them: more
// than a person looks at. Each is compared with all others, and its changes are
// drawn a thousand times.
const maxEffects = 1000

// effects finds what clients felt of each fault that took effect, up to the first
// maxEffects of them. It leaves out those whose injection was not verified, and
// those that were over before the load began or came after its end.
func effects(s *samples, faults []FaultRun) []FaultEffect {
	out := []FaultEffect{}
	inForce := make([]Window, len(faults))
	for i := range faults {
		inForce[i] = force(&faults[i], s.load.End)
	}
	for i := range faults {
		f := &faults[i]
		during := Window{max(f.Begin, s.load.Begin), min(healed(f, s.load.End), s.load.End)}
		if !f.Verified || during.End <= during.Begin {
			continue
		}
		if len(out) == maxEffects {
			break
		}
		out = append(out, effectOf(s, faults, inForce, i, during))
	}
	return out
}

// healed is when a fault was commanded to heal; never when it was not.
func healed(f *FaultRun, never int64) int64 {
	if f.HealAt == 0 {
		return never
	}
	return f.HealAt
}

func effectOf(s *samples, faults []FaultRun, inForce []Window, i int, during Window) FaultEffect {
	f := &faults[i]
	e := FaultEffect{ID: f.ID, Name: f.Name, Changes: []Change{}}
	for k, o := range inForce {
		if k != i && o.Begin < during.End && o.End > during.Begin {
			e.Overlaps = append(e.Overlaps, faults[k].ID)
		}
	}
	slices.Sort(e.Overlaps)
	length := during.End - during.Begin
	before, after := calmBefore(inForce, i, during.Begin, length, s.load), calmAfter(inForce, i, during.End, length, s.load)
	e.Before, e.During, e.After = s.stretch(before), s.stretch(during), s.stretch(after)
	e.Changes = append(e.Changes, s.changes(e.Before, e.During, "during", f.ID)...)
	e.Changes = append(e.Changes, s.changes(e.Before, e.After, "after", f.ID)...)
	e.Recovery, e.Recovered = s.recovery(before, recoveryWindow(faults, i, during.End, s.load), f.HealAt != 0)
	return e
}

// force is when a fault was or may have been in force: from the command to
// inject it to its verified heal. One that was not verified counts too, for it
// may have done something.
func force(f *FaultRun, end int64) Window {
	return Window{f.Begin, max(healed(f, end), f.Healed)}
}

// calmBefore is the last time before t, of length at most, in which no fault but
// one was in force. The windows are by begin, so one look at them from the last to
// the first goes back as far as one fault reaches into another.
func calmBefore(inForce []Window, but int, t, length int64, load Window) Window {
	for moved := true; moved; {
		moved = false
		for k := len(inForce) - 1; k >= 0; k-- {
			if o := inForce[k]; k != but && o.Begin < t && o.End >= t {
				t, moved = o.Begin, true
			}
		}
	}
	t = max(t, load.Begin)
	w := Window{max(t-length, load.Begin), t}
	for k, o := range inForce {
		if k != but && o.End < t {
			w.Begin = max(w.Begin, o.End)
		}
	}
	return w
}

// calmAfter is the first time from t on, of length at most, in which no fault but
// one is in force.
func calmAfter(inForce []Window, but int, t, length int64, load Window) Window {
	for moved := true; moved; {
		moved = false
		for k, o := range inForce {
			if k != but && o.Begin <= t && o.End > t {
				t, moved = o.End, true
			}
		}
	}
	t = min(t, load.End)
	w := Window{t, min(t+length, load.End)}
	for k, o := range inForce {
		if k != but && o.Begin > t {
			w.End = min(w.End, o.Begin)
		}
	}
	return w
}

// recoveryWindow is from a fault's heal to the begin of the next fault or to
// the end of the load.
func recoveryWindow(faults []FaultRun, i int, heal int64, load Window) Window {
	w := Window{heal, load.End}
	for k := range faults {
		if k != i && faults[k].Begin >= heal {
			w.End = min(w.End, faults[k].Begin)
		}
	}
	return w
}

// stretch counts the load in a window. An operation belongs to the window in
// which it returned.
func (s *samples) stretch(w Window) Stretch {
	out := Stretch{Begin: w.Begin, End: w.End}
	latencies := s.scratch[:0]
	for _, op := range s.returned(w) {
		switch {
		case op.final:
		case op.outcome == isOK:
			out.OK++
			latencies = append(latencies, op.ret-op.call)
		case op.outcome == isFail:
			out.Fail++
		default:
			out.Info++
		}
	}
	if seconds := w.Seconds(); seconds > 0 {
		out.Throughput = float64(out.OK) / seconds
	}
	out.Availability = share(out.OK, out.OK+out.Fail+out.Info)
	out.Latency = quantiles(latencies)
	s.scratch = latencies
	return out
}

// Throughput recovers by the second; where that second begins is told to a
// tenth.
const (
	recoveryTick  = int64(100 * time.Millisecond)
	ticksASecond  = int(int64(time.Second) / recoveryTick)
	leastOfSecond = 1 // a second without a success is no second to be back at

	// enough is the share of the mean before a fault that will do, where the poorest
	// second was better: a calm time of a second or two shows little of how the
	// load varies by itself.
	enough = 0.9
)

// recovery is from the begin of after until the first second with at least as
// many successes as the poorest second of before, or with enough of their mean.
func (s *samples) recovery(before, after Window, healed bool) (Millis, bool) {
	then := s.seconds(before)
	if !healed || len(then) == 0 {
		return 0, false
	}
	total := int64(0)
	for _, n := range then {
		total += n
	}
	mean := float64(total) / float64(len(then))
	floor := max(min(slices.Min(then), int64(math.Ceil(enough*mean))), leastOfSecond)
	for i, n := range s.seconds(after) {
		if n >= floor {
			return millis(int64(i) * recoveryTick), true
		}
	}
	return 0, false
}

// seconds counts the successes of every second in w that begins at a tick.
func (s *samples) seconds(w Window) []int64 {
	n := int((w.End - w.Begin) / recoveryTick)
	if n < ticksASecond {
		return nil
	}
	ticks := make([]int64, n)
	for _, op := range s.returned(Window{w.Begin, w.Begin + int64(n)*recoveryTick}) {
		if op.outcome == isOK && !op.final {
			ticks[(op.ret-s.mono-w.Begin)/recoveryTick]++
		}
	}
	out := make([]int64, n-ticksASecond+1)
	for i := range out {
		for _, c := range ticks[i : i+ticksASecond] {
			out[i] += c
		}
	}
	return out
}
