package check

import (
	"cmp"
	"context"
	"slices"
	"time"

	"squall/history"
)

// minimiser makes an illegal register small, so that a person sees at once
// what is wrong with it. Each thing it takes away leaves a register that is
// illegal only if the whole one is:
//
//   - what comes after a moment: the past of a possible history is possible;
//   - one observer: it changed nothing;
//   - a whole value: all who wrote it and all who observed it, and, where a
//     CAS turned it into another value, that one too. In any order of the whole,
//     the time in which the register held the value becomes the time of the
//     value before, and nobody who looked is left.
//
// Taking away a writer alone would not do: its readers would then be wrong for
// that reason only.
type minimiser struct {
	judge  *judge
	end    time.Time
	checks int
}

const (
	// maxMinimiseChecks and minimiseCheckTime bound the work on one key.
	maxMinimiseChecks = 4000
	minimiseCheckTime = time.Second
)

// minimise returns the operations of the smallest illegal part that it finds,
// by time of call. r must be illegal.
func (m *minimiser) minimise(ctx context.Context, r *register) []*history.Op {
	steps := m.truncate(ctx, r)
	for {
		before := len(steps)
		steps = m.shrink(ctx, r, steps, valuesOf, withoutValues)
		steps = m.shrink(ctx, r, steps, observersOf, withoutSteps)
		if len(steps) == before {
			break
		}
	}
	ops := make([]*history.Op, len(steps))
	for i := range steps {
		ops[i] = steps[i].op
	}
	slices.SortStableFunc(ops, func(a, b *history.Op) int { return cmp.Compare(a.Call, b.Call) })
	return ops
}

// illegal says whether these steps alone are illegal, for certain.
func (m *minimiser) illegal(ctx context.Context, r *register, steps []step) bool {
	now := time.Now()
	if m.checks >= maxMinimiseChecks || now.After(m.end) || ctx.Err() != nil {
		return false
	}
	m.checks++
	deadline := now.Add(minimiseCheckTime)
	if deadline.After(m.end) {
		deadline = m.end
	}
	part := &register{steps: steps, values: r.values}
	return m.judge.decide(part, deadline).answer == illegal
}

// truncate cuts the register after the first return at which it is illegal.
func (m *minimiser) truncate(ctx context.Context, r *register) []step {
	returns := make([]int64, 0, len(r.steps))
	for i := range r.steps {
		if r.steps[i].ret != forever {
			returns = append(returns, r.steps[i].ret)
		}
	}
	slices.Sort(returns)
	best := r.steps
	// Not sort.Search: a check that hits its limit says "not illegal", and
	// only what was seen to be illegal may be kept.
	for lo, hi := 0, len(returns); lo < hi; {
		mid := (lo + hi) / 2
		if cut := prefix(r.steps, returns[mid]); m.illegal(ctx, r, cut) {
			best, hi = cut, mid
		} else {
			lo = mid + 1
		}
	}
	return best
}

// prefix is what was known at a moment: later calls are not there, and what was
// under way has an unknown outcome.
func prefix(steps []step, at int64) []step {
	var out []step
	for _, s := range steps {
		if s.call > at {
			continue
		}
		if s.ret > at {
			if !s.mutates() {
				continue
			}
			s.ret = forever
			if s.kind == swap {
				s.kind = maybe
			}
		}
		out = append(out, s)
	}
	return out
}

// shrink takes away as many of the parts as it can while the rest is illegal:
// first large groups of them, then ever smaller ones.
func (m *minimiser) shrink(ctx context.Context, r *register, steps []step,
	parts func([]step) []int32, without func([]step, map[int32]bool) []step) []step {
	all := parts(steps)
	for size := len(all); size >= 1; size /= 2 {
		for at := 0; at < len(all); {
			group := make(map[int32]bool, size)
			for _, p := range all[at:min(at+size, len(all))] {
				group[p] = true
			}
			rest := without(steps, group)
			if len(rest) == len(steps) || !m.illegal(ctx, r, rest) {
				at += size
				continue
			}
			// The next group moves up to where this one was; what is missed
			// because a value took others with it, the next pass tries.
			steps = rest
			all = parts(steps)
		}
	}
	return steps
}

// valuesOf lists the values that occur.
func valuesOf(steps []step) []int32 {
	var values []int32
	for i := range steps {
		s := &steps[i]
		switch {
		case s.mutates():
			values = append(values, s.arg)
		case s.kind == observe:
			values = append(values, s.seen)
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// withoutValues takes away values, with those that a CAS made of them.
func withoutValues(steps []step, gone map[int32]bool) []step {
	for grown := true; grown; {
		grown = false
		for i := range steps {
			s := &steps[i]
			if (s.kind == swap || s.kind == maybe) && gone[s.expect] && !gone[s.arg] {
				gone[s.arg], grown = true, true
			}
		}
	}
	var out []step
	for _, s := range steps {
		switch {
		case s.mutates() && (gone[s.arg] || (s.kind != store && gone[s.expect])):
		case s.kind == observe && gone[s.seen]:
		default:
			out = append(out, s)
		}
	}
	return out
}

// observersOf lists the places of the steps that changed nothing.
func observersOf(steps []step) []int32 {
	var at []int32
	for i := range steps {
		if steps[i].kind == observe {
			at = append(at, int32(i))
		}
	}
	return at
}

func withoutSteps(steps []step, gone map[int32]bool) []step {
	var out []step
	for i, s := range steps {
		if !gone[int32(i)] {
			out = append(out, s)
		}
	}
	return out
}
