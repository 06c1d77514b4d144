package docker

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// moodyEngine is an engine that answers, or hangs, as a test says.
func moodyEngine(t *testing.T) (r *Runtime, mute *atomic.Bool, asked chan string) {
	t.Helper()
	mute, asked = new(atomic.Bool), make(chan string, 100)
	over := make(chan struct{})
	engine := (&fakeEngine{}).handler()
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if mute.Load() {
			asked <- q.URL.Path
			<-over
			return
		}
		engine.ServeHTTP(w, q)
	}))
	t.Cleanup(func() { close(over) })
	return connect(t, host), mute, asked
}

// TestPingFindsAHang: an engine that does not answer is named; what waits for it is
// given up at once, and nothing waits for it long until it answers again.
func TestPingFindsAHang(t *testing.T) {
	t.Parallel()
	r, mute, asked := moodyEngine(t)
	if err := r.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	const hour = time.Hour
	r.limits.step, r.limits.question, r.limits.clean = hour, hour, hour
	r.limits.ping, r.limits.hung = 300*time.Millisecond, 100*time.Millisecond
	mute.Store(true)
	waiting := make(chan error, 1)
	go func() {
		waiting <- r.step(t.Context(), "starting the container of n1", func(ctx context.Context) error {
			_, err := r.api.Info(ctx)
			return err
		})
	}()
	<-asked // it waits
	err := r.Ping(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the Docker engine does not answer: the engine at "+r.addr.Host) {
		t.Errorf("Ping = %v", err)
	}
	if err := <-waiting; err == nil || !strings.Contains(err.Error(), "did not answer") || !strings.Contains(err.Error(), "starting the container of n1") {
		t.Errorf("what waited: %v", err)
	}
	if _, err := r.Arch(t.Context()); err == nil || !strings.Contains(err.Error(), "did not answer within 100ms") {
		t.Errorf("what came later: %v", err)
	}
	mute.Store(false)
	r.limits.ping, r.limits.hung = hour, hour // it may be slow, as this computer may
	if err := r.Ping(t.Context()); err != nil {
		t.Errorf("it answers again, and Ping = %v", err)
	}
	if _, known := r.hang.now(); known {
		t.Error("it answers again, and is taken for one that hangs")
	}
}

// TestAPingThatIsCalledOff says nothing of the engine.
func TestAPingThatIsCalledOff(t *testing.T) {
	t.Parallel()
	r, mute, asked := moodyEngine(t)
	mute.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if err := r.Ping(ctx); err == nil {
		t.Error("no error of a ping that was called off")
	}
	if _, known := r.hang.now(); known {
		t.Error("the engine is taken for one that hangs")
	}
}

// TestASlowEngineIsWaitedFor: as long as it answers pings it does not hang, but nor is it
// waited for without end.
func TestASlowEngineIsWaitedFor(t *testing.T) {
	t.Parallel()
	r, _, _ := moodyEngine(t)
	r.limits.step = 100 * time.Millisecond
	const slow = 150 * time.Millisecond // longer than the limit
	var end error
	err := r.step(t.Context(), "starting the container of n1", func(ctx context.Context) error {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			end = ctx.Err()
		}
		return end
	})
	if err != nil {
		t.Errorf("a slow step: %v", err)
	}
	err = r.step(t.Context(), "starting the container of n2", func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	if !isSilent(err) || !strings.Contains(err.Error(), "while starting the container of n2: is it hung?") {
		t.Errorf("a step that never ends: %v", err)
	}
}
