package leases

import (
	"fmt"
	"math/rand/v2"

	"squall/history"
	"squall/history/check/checktest"
	"squall/history/objects"
)

// simulate plays a correct lock at moments within short calls, in ms.
func simulate(rng *rand.Rand, n int, bent []span) (ops []history.Op) {
	o := &oracle{bent: bent}
	s, at, owners := held{}, int64(1), 0
	type grant struct {
		owner history.Data
		token int64
		told  int64
	}
	var grants []grant
	for range n {
		at += rng.Int64N(3)
		op := checktest.At(int64(len(ops)), "n1", objects.Acquire, "", "", 0, 0)
		told := int64(0)
		if len(grants) > 0 && rng.IntN(3) > 0 {
			g := grants[max(0, len(grants)-1-rng.IntN(2))]
			token := checktest.Number(g.token)
			switch op.Func = []history.Func{objects.KeepAlive, objects.Release, history.Write, history.Read}[rng.IntN(4)]; op.Func {
			case objects.KeepAlive:
				op.In, told = objects.KeepAliveTerms(g.owner, token, oracleLasts+1, 1), g.told
			case objects.Release:
				op.In, told = history.List(g.owner, token), g.told
			case history.Write:
				op.In = token
			}
		} else {
			owners++
			op.In = objects.LeaseTerms(fmt.Sprintf("o%d", owners), oracleLasts+1, 1)
		}
		at = max(at, told)
		op.Call, op.Return = max(told, at-rng.Int64N(3))*1e6, (at+rng.Int64N(3))*1e6
		if s.owner != "" && o.mayEnd(s, at) && rng.IntN(2) == 0 {
			s.owner, s.token = "", 0
		}
		unknown := rng.IntN(5) == 0
		if unknown && rng.IntN(2) == 0 {
			ops = append(ops, checktest.Unknown(op))
			continue // it never takes effect
		}
		op.Out = s.answer(&op, at)
		if unknown {
			op = checktest.Unknown(op)
		} else if said, err := objects.ParseLease(&op); err == nil && said.Granted {
			grants = append(grants, grant{said.Owner, said.Token, op.Return/1e6 + 1})
		}
		ops = append(ops, op)
	}
	return ops
}

// answer carries out an operation on the lock.
func (s *held) answer(op *history.Op, at int64) history.Data {
	asked := *op
	asked.Outcome = history.Info
	said, err := objects.ParseLease(&asked)
	if err != nil {
		panic(err)
	}
	holds := s.owner != "" && s.owner == said.Owner && s.token == said.Token
	yes := history.False
	switch op.Func {
	case objects.Acquire:
		if s.owner != "" {
			return s.owner
		}
		s.most += 1 + at%2
		s.owner, s.token, s.from = said.Owner, s.most, at
		return checktest.Number(s.token)
	case objects.KeepAlive:
		if holds {
			s.from, yes = at, history.True
		}
	case objects.Release:
		if holds {
			s.owner, s.token, yes = "", 0, history.True
		}
	case history.Write:
		if said.Token >= s.highest {
			s.highest, yes = said.Token, history.True
		}
	case history.Read:
		return checktest.Number(s.highest)
	}
	return yes
}

// spoil changes something: an answer, or when an operation was.
func spoil(rng *rand.Rand, ops []history.Op) {
	if len(ops) == 0 {
		return
	}
	op := &ops[rng.IntN(len(ops))]
	switch rng.IntN(3) {
	case 0:
		by := rng.Int64N(7)*1e6 - 3e6
		op.Call, op.Return = max(0, op.Call+by), max(0, op.Return+by)
	case 1:
		switch {
		case op.Outcome != history.OK:
		case op.Out == history.True:
			op.Out = history.False
		case op.Out == history.False:
			op.Out = history.True
		case op.Func == history.Read || op.Out[0] != '"':
			op.Out = checktest.Number(1 + rng.Int64N(4))
		default:
			op.Out = history.Text(fmt.Sprintf("o%d", 1+rng.IntN(3)))
		}
	case 2:
		if op.Func == history.Write || rng.IntN(4) == 0 {
			*op = checktest.Failed(*op)
		}
	}
}
