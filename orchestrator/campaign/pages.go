package campaign

import (
	"context"
	"sync"
)

// pages writes a campaign's pages beside the cells that run: one writing at a
// time, and one more when the record has changed since.
type pages struct {
	ctx  context.Context
	dir  string
	make func(ctx context.Context, dir string) error // nil: there are none

	due  chan struct{}
	done sync.WaitGroup
	err  error // of the last writing; to be read when done
}

func newPages(ctx context.Context, dir string, write func(context.Context, string) error) *pages {
	p := &pages{ctx: ctx, dir: dir, make: write, due: make(chan struct{}, 1)}
	if write != nil {
		p.done.Go(func() {
			for range p.due {
				p.err = p.make(p.ctx, p.dir)
			}
		})
	}
	return p
}

// write has the pages written soon.
func (p *pages) write() {
	select {
	case p.due <- struct{}{}:
	default: // it will be, and finds this too
	}
}

// end waits for the last writing, which is of the record as it is now if last is
// wanted, and returns its error.
func (p *pages) end(last bool) error {
	close(p.due)
	p.done.Wait()
	if last && p.make != nil {
		p.err = p.make(p.ctx, p.dir)
	}
	return p.err
}
