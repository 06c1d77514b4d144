package docker

import (
	"context"
	"fmt"
	"sync"

	"squall/orchestrator/machines"
)

var _ machines.Pinger = (*Runtime)(nil)

// Ping asks the engine whether it is there. One that does not say so in time
// hangs: then all requests that are under way end, and later ones are hardly waited
// for, until one of them is answered.
func (r *Runtime) Ping(ctx context.Context) error {
	err := r.within(ctx, r.limits.ping, "it was asked whether it is there", func(ctx context.Context) error {
		_, err := r.api.Ping(ctx)
		return err
	})
	if isSilent(err) {
		r.hang.begin()
	}
	if err != nil {
		return fmt.Errorf("the Docker engine does not answer: %w", err)
	}
	return nil
}

// hang is what is known of an engine that may hang. The zero value knows nothing.
type hang struct {
	mu    sync.Mutex
	found context.Context // ends when it is found to hang; nil: nobody has asked
	end   context.CancelFunc
}

// now is a context that ends when the engine is found to hang, and whether it has
// been.
func (h *hang) now() (found context.Context, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.found == nil {
		h.found, h.end = context.WithCancel(context.Background())
	}
	return h.found, h.found.Err() != nil
}

func (h *hang) begin() {
	h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.end()
}

// over says that the engine answers again.
func (h *hang) over() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.found, h.end = nil, nil
}
