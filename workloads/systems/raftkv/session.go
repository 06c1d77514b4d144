package raftkv

import (
	"context"
	"fmt"

	"squall/nodeimage/kv"
	"squall/workloads/systems"
)

// Register registers a session of its own.
func (c client) Register(ctx context.Context) (systems.Session, error) {
	s, err := c.kv.Register(ctx)
	if err != nil {
		return nil, errorOf(err)
	}
	return session{s}, nil
}

type session struct{ kv *kv.Session }

func (s session) Begin() systems.Once { return once{s.kv.Begin()} }

type once struct{ kv *kv.Once }

// On panics where c is not of this system: sent through it, the operation would take
// effect more than once, and the servers would be blamed.
func (o once) On(c systems.Client) systems.Client {
	mine, ok := c.(client)
	if !ok {
		panic(fmt.Sprintf("raftkv: an operation of a session cannot be sent through a %T: a connection of raftkv is needed", c))
	}
	return client{mine.kv.With(o.kv)}
}

func (o once) End() { o.kv.End() }
