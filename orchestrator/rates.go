package orchestrator

import (
	"context"
	"time"

	"squall/history"
)

// markRates records at what rate operations arrive, now and whenever another phase of the
// load begins, so that whoever judges the history knows a pause from a silence. done ends
// it.
func (r *run) markRates(ctx context.Context) (done func()) {
	phases := r.plan.Test.Arrivals()
	if len(phases) == 0 {
		return func() {} // clients wait for their answers
	}
	r.markRate(phases[0])
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		begin, lasts := time.Now(), time.Duration(0)
		for i := 1; i < len(phases); i++ {
			lasts += time.Duration(phases[i-1].For)
			select {
			case <-time.After(time.Until(begin.Add(lasts))):
				r.markRate(phases[i])
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

func (r *run) markRate(p history.Rate) {
	r.markAs(history.Mark{Name: history.MarkRate, Rate: &p})
}
