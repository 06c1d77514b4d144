package orchestrator

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// promptTimeout is how long an agent may take to be told.
const promptTimeout = 2 * time.Second

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

// keepPrompt tells the agents of all nodes what is wanted, until ctx ends. One that cannot
// be told is switched off, or about to fail: the next server of a machine is started with
// what is wanted then.
func (c *nodes) keepPrompt(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.prompts.changed:
		}
		wanted := c.prompts.wanted.Load()
		telling, cancel := context.WithTimeout(ctx, promptTimeout)
		var told sync.WaitGroup
		for _, n := range c.all {
			told.Go(func() { n.agent().PromptTrace(telling, wanted) })
		}
		told.Wait()
		cancel()
	}
}
