package orchestrator

import (
	"context"
	"errors"
	"time"

	"squall/nemesis"
)

func (n *node) Up() bool                       { return true }
func (n *node) Lost() bool                     { return false }
func (n *node) upSince() time.Time             { return time.Time{} }
func (n *node) PowerOff(context.Context) error { return errors.New("not yet") }
func (n *node) PowerOn(context.Context) error  { return nil }
func (n *node) Limit(ctx context.Context, l nemesis.Limits) error {
	return n.machine.Limit(ctx, Limits{CPUs: l.CPUs, Memory: l.Memory})
}
func (n *node) Spin(context.Context, time.Duration, int) (time.Duration, error) {
	return 0, errors.New("not yet")
}
func (n *node) Hog(_ context.Context, b int64) error { return nil }
func (n *node) Usage(context.Context) (nemesis.Usage, error) {
	return nemesis.Usage{}, errors.New("not yet")
}
