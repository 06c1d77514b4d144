package checkbench

import (
	"math/rand/v2"

	"squall/history"
)

// shape is how many clients there are, each always busy, and the percentage of operations
// whose outcome they are not told.
type shape struct{ clients, pending int }

// store is an object in memory, and what its clients want of it.
type store interface {
	functions() history.Functions
	// next says what a client asks for: function, key and In.
	next(rng *rand.Rand, client int, op *history.Op)
	// apply takes an operation into effect and returns its answer.
	apply(client int, op *history.Op) history.Data
}

// client is what one client has under way.
type client struct {
	op      *history.Op
	process int64
	at      int64 // of its next step
	stage   int   // 0: call, 1: effect, 2: return
	answer  history.Data
	unknown bool
}

// simulate has clients run so many operations in all, each with a call, an effect at a random
// moment and a return. Half of those of unknown outcome never take effect.
func simulate(s store, sh shape, n int) []history.Op {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	ops := make([]history.Op, 0, n)
	clients := make([]client, sh.clients)
	for i := range clients {
		clients[i] = client{process: int64(i), at: int64(1 + rng.IntN(50))}
	}
	for left := n; left > 0; {
		i := 0
		for k := range clients {
			if clients[k].at < clients[i].at {
				i = k
			}
		}
		c := &clients[i]
		switch c.stage {
		case 0:
			if len(ops) == n { // all were called: the others are seen to their end
				c.at = 1 << 62
				continue
			}
			ops = append(ops, history.Op{Process: c.process, Node: "n1", Call: c.at})
			c.op = &ops[len(ops)-1]
			s.next(rng, i, c.op)
			c.unknown = rng.IntN(100) < sh.pending
		case 1:
			if !c.unknown || rng.IntN(2) == 0 {
				c.answer = s.apply(i, c.op)
			}
		case 2:
			c.op.Return, c.op.Outcome, c.op.Out = c.at, history.OK, c.answer
			if c.unknown {
				c.op.Outcome, c.op.Out = history.Info, ""
				c.process += int64(sh.clients)
			}
			left--
		}
		c.stage = (c.stage + 1) % 3
		c.at += int64(1 + rng.IntN(50))
	}
	return ops
}
