package machines

import (
	"context"
	"fmt"
)

// Turn lets one change of a machine wait for another, as Machine asks of Start,
// Kill and Limit; for no longer than the context lets it.
type Turn chan struct{}

// NewTurn is free to take.
func NewTurn() Turn { return make(Turn, 1) }

// Take waits for the turn, which ends with release.
func (t Turn) Take(ctx context.Context) (release func(), err error) {
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Do makes a change in its turn; doing stands before its error.
func (t Turn) Do(ctx context.Context, doing string, change func(context.Context) error) error {
	release, err := t.Take(ctx)
	if err == nil {
		defer release()
		err = change(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
