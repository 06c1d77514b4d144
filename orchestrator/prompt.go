package orchestrator

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	promptTimeout = 2 * time.Second        // how long an agent may take to be told
	promptPause   = 500 * time.Millisecond // before one that could not be told is told again
)

// prompts is whether full traces are wanted promptly: for as long as a fault waits for a
// moment that they tell. The zero value is not.
type prompts struct {
	wanted  atomic.Bool
	changed chan struct{} // has room for one
}

func (p *prompts) want(wanted bool) {
	p.wanted.Store(wanted)
	select {
	case p.changed <- struct{}{}:
	default: // it is to be looked at already
	}
}

// keepPrompt tells the agents of all nodes what is wanted, until ctx ends, and after a
// pause those again that could not be told.
func (c *nodes) keepPrompt(ctx context.Context) {
	var again <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.prompts.changed:
		case <-again:
		}
		again = nil
		if !c.tellPrompt(ctx) {
			again = time.After(promptPause)
		}
	}
}

// tellPrompt tells the agents of all nodes what is wanted, and reports whether all know. A
// machine that is off does: its next server is started with what is wanted then.
func (c *nodes) tellPrompt(ctx context.Context) bool {
	wanted := c.prompts.wanted.Load()
	ctx, cancel := context.WithTimeout(ctx, promptTimeout)
	defer cancel()
	var telling sync.WaitGroup
	var missed atomic.Bool
	for _, n := range c.all {
		telling.Go(func() {
			if err := n.agent().PromptTrace(ctx, wanted); err != nil && n.Up() {
				missed.Store(true)
			}
		})
	}
	telling.Wait()
	return !missed.Load()
}
