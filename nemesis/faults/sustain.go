package faults

import (
	"context"
	"time"

	"squall/history"
)

// stepTimeout is how long one step of a fault that goes on may take.
const stepTimeout = 10 * time.Second

// unbroken carries out one step of a fault to its end, even when the time of the
// fault is over meanwhile: a command called off half-way might take effect after
// the heal.
func unbroken(ctx context.Context, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepTimeout)
	defer cancel()
	return step(ctx)
}

// sleep is false when ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func linkSet(links []history.Link) map[history.Link]bool {
	set := make(map[history.Link]bool, len(links))
	for _, l := range links {
		set[l] = true
	}
	return set
}
