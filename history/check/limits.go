package check

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// Limits bound what a check may use. A check that reaches one says Unknown and
// names the limit; it never takes the process down.
type Limits struct {
	Time    time.Duration // for each checker; 0: DefaultTime
	Memory  uint64        // bytes of heap of the whole process; 0: see DefaultMemory
	Workers int           // keys checked at once; 0: one a processor
}

// DefaultTime is how long a checker may take when nothing else is said.
const DefaultTime = 2 * time.Minute

// WithDefaults fills in what is zero.
func (l Limits) WithDefaults() Limits {
	if l.Time <= 0 {
		l.Time = DefaultTime
	}
	if l.Memory == 0 {
		l.Memory = DefaultMemory()
	}
	if l.Workers <= 0 {
		l.Workers = runtime.GOMAXPROCS(0)
	}
	return l
}

// StopReason is why a search was stopped before it found an answer.
type StopReason int32

// The reasons for which a search stops.
const (
	NotStopped StopReason = iota
	StopTime
	StopMemory
	StopCancelled // somebody wants it to end
)

// Describe says which limit stopped a search.
func (r StopReason) Describe(l Limits) string {
	switch r {
	case StopTime:
		return fmt.Sprintf("the time limit of %s was reached", l.Time)
	case StopMemory:
		return fmt.Sprintf("the memory limit of %.0f MiB was reached", float64(l.Memory)/(1<<20))
	default:
		return "the check was interrupted"
	}
}

// Budget bounds a checker that goes through a history once: what it may take of
// time and memory, and whether somebody wants it to end.
type Budget struct {
	ctx    context.Context
	cancel context.CancelFunc
	limits Limits
	parent context.Context
	steps  int
}

// NewBudget begins to count. The caller must call Cancel.
func NewBudget(ctx context.Context, l Limits) *Budget {
	b := &Budget{parent: ctx, limits: l.WithDefaults()}
	b.ctx, b.cancel = context.WithTimeout(ctx, b.limits.Time)
	return b
}

// Cancel frees what the budget holds. It must be called, at the end of the check.
func (b *Budget) Cancel() { b.cancel() }

// Spent counts a step, and says now and then which limit was reached; "" for none.
func (b *Budget) Spent() string {
	const everyTime, everyMemory = 1 << 10, 1 << 16
	if b.steps++; b.steps%everyTime != 1 {
		return ""
	}
	switch {
	case b.parent.Err() != nil:
		return StopCancelled.Describe(b.limits)
	case b.ctx.Err() != nil:
		return StopTime.Describe(b.limits)
	case b.steps%everyMemory == 1 && MemoryFull(b.limits.Memory):
		return StopMemory.Describe(b.limits)
	}
	return ""
}
