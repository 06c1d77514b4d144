package driver

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"squall/workloads/systems"
)

// slowStart is a system whose nodes are ready when they have been looked at so often.
type slowStart struct {
	mu    sync.Mutex
	looks map[string]int
}

func (s *slowStart) ReadyWithin() time.Duration { return time.Minute }

func (s *slowStart) ReadyLine() *regexp.Regexp { return nil }

func (s *slowStart) Ready(_ context.Context, node systems.Node) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looks[node.Name]--; s.looks[node.Name] >= 0 {
		return errors.New("connection refused")
	}
	return nil
}

func TestEveryNodeIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		r := &readiness{readier: &slowStart{looks: map[string]int{"n1": 0, "n2": 3, "n3": 30}}, timeout: time.Second,
			tell: func(waiting string) { told = append(told, waiting) }}
		nodes := []systems.Node{{Name: "n1"}, {Name: "n2"}, {Name: "n3"}}
		if !r.run(t.Context(), nodes) {
			t.Error("it ended before all nodes were ready")
		}
		slices.Sort(told)
		if want := "n2: connection refused; n3: connection refused"; !slices.Contains(told, want) || len(told) != 2 {
			t.Errorf("told %q, want each node once, and at last %q", told, want)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r.readier = &slowStart{looks: map[string]int{"n2": 1 << 20}}
		if r.run(ctx, nodes) {
			t.Error("a node that is never ready was found ready")
		}
	})
}
