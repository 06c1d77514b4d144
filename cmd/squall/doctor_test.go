package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"squall/nodeimage"
	"squall/orchestrator/machines"
)

// slowBuilt is a runtime that only says when its time began.
type slowBuilt struct {
	machines.Runtime
	left time.Duration // of the limit, when machines were asked for
}

var errNoMachines = errors.New("no machines here")

func (*slowBuilt) Name() string                         { return "fake" }
func (*slowBuilt) Arch(context.Context) (string, error) { return "amd64", nil }

func (s *slowBuilt) Up(ctx context.Context, _ machines.ClusterSpec) (machines.Cluster, error) {
	deadline, _ := ctx.Deadline()
	s.left = time.Until(deadline)
	return nil, errNoMachines
}

// Compiling the node may take many minutes on a busy computer: that does not
// count into the time that machines may take.
func TestDoctorsLimitsBeginAfterCompiling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &app{program: "squall", build: func(ctx context.Context, _, _ string) (nodeimage.Binary, error) {
			time.Sleep(10 * time.Minute)
			return nodeimage.Binary{Path: "x", Key: "x"}, ctx.Err()
		}}
		runtime := &slowBuilt{}
		needs := a.tryMachines(t.Context(), runtime)
		if len(needs) != 1 || needs[0].OK || needs[0].Found != errNoMachines.Error() {
			t.Errorf("it found %+v", needs)
		}
		if runtime.left != tryTimeout {
			t.Errorf("the machines had %v, want %v", runtime.left, tryTimeout)
		}
	})
}
