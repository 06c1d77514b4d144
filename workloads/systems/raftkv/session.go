package raftkv

import (
	"context"

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

func (o once) On(c systems.Client) systems.Client {
	if mine, ok := c.(client); ok {
		return client{mine.kv.With(o.kv)}
	}
	return c
}

func (o once) End() { o.kv.End() }
