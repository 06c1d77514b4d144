package leases

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
	"squall/history/objects"
	"squall/internal/machinetest"
)

// oracle decides small histories by trying every order of their operations and every whole
// ms for each, by the definition: the lock is free, or held by an owner with a token until
// his lease is over, from when on it may end, or not.
type oracle struct {
	ops  []history.Op
	said []objects.LeaseOp
	bent []span
	dead map[held]bool // states from which nothing leads to the end
}

// held is the state of the lock and its fence. Times are in ms.
type held struct {
	owner   history.Data // "": free
	token   int64        // 0: nobody was told
	from    int64        // when the lease began
	most    int64        // a token is above it
	highest int64        // that a write was accepted with
	at      int64        // the moment
	done    int
}

// oracleLasts is how long holders are sure of a lease, ms.
const oracleLasts = 3

func oracleAllows(ops []history.Op, bent []span) bool {
	o := &oracle{ops: ops, bent: bent, dead: make(map[held]bool)}
	for i := range ops {
		said, err := objects.ParseLease(&ops[i])
		if err != nil {
			panic(err)
		}
		o.said = append(o.said, said)
	}
	return o.from(held{})
}

// from says whether all operations that are left can have moments from s.at on.
func (o *oracle) from(s held) bool {
	if s.owner == "" {
		s.from = 0
	} else {
		s.from = max(s.from, s.at-oracleLasts) // it is over all the same
	}
	if o.dead[s] {
		return false
	}
	left, last := false, int64(0)
	for i := range o.ops {
		if op := &o.ops[i]; s.done&(1<<i) == 0 && op.Outcome == history.OK {
			left, last = true, max(last, op.Return/1e6)
			if op.Return/1e6 < s.at {
				return false // it comes too late
			}
		}
	}
	if !left {
		return true
	}
	for i := range o.ops {
		op := &o.ops[i]
		if s.done&(1<<i) != 0 || op.Outcome == history.Fail || op.Call/1e6 > s.at {
			continue
		}
		for _, next := range o.steps(s, i, s.at) {
			if next.done |= 1 << i; o.from(next) {
				return true
			}
		}
	}
	later := s
	if later.at++; later.at <= last && o.from(later) {
		return true
	}
	o.dead[s] = true
	return false
}

// mayEnd says whether the lease may be over at a moment.
func (o *oracle) mayEnd(s held, at int64) bool {
	if at >= s.from+oracleLasts {
		return true
	}
	for _, b := range o.bent {
		if b.from/1e6 <= at && b.to/1e6 >= s.from {
			return true
		}
	}
	return false
}

// steps are the states after an operation at a moment; an operation that is answered
// otherwise has none.
func (o *oracle) steps(s held, i int, at int64) (out []held) {
	before := []held{s}
	if s.owner != "" && o.mayEnd(s, at) {
		free := s
		free.owner, free.token = "", 0
		before = append(before, free)
	}
	for _, s := range before {
		out = append(out, o.effect(s, i, at)...)
	}
	return out
}

func (o *oracle) effect(s held, i int, at int64) []held {
	said := &o.said[i]
	holds := s.owner == said.Owner && s.token == said.Token
	free := s
	free.owner, free.token = "", 0
	kept := s
	kept.from = at
	switch o.ops[i].Func {
	case objects.Acquire:
		granted := s
		granted.owner, granted.token, granted.from = said.Owner, said.Token, at
		switch {
		case said.Granted && s.owner == "" && said.Token > s.most:
			granted.most = said.Token
			return []held{granted}
		case !said.Answered && s.owner == "":
			granted.most++ // the least that it can be
			return []held{granted}
		case said.Answered && !said.Granted && s.owner == said.Holder:
			return []held{s}
		}
	case objects.KeepAlive:
		if (said.Yes || !said.Answered) && holds {
			return []held{kept}
		}
		if said.Answered && !said.Yes && !holds {
			return []held{s}
		}
	case objects.Release:
		if (said.Yes || !said.Answered) && holds {
			return []held{free}
		}
		if said.Answered && !said.Yes && !holds {
			return []held{s}
		}
	case history.Write:
		written := s
		written.highest = max(s.highest, said.Token)
		if (said.Yes || !said.Answered) && said.Token >= s.highest {
			return []held{written}
		}
		if said.Answered && !said.Yes && said.Token < s.highest {
			return []held{s}
		}
	case history.Read:
		if said.Token == s.highest {
			return []held{s}
		}
	}
	return nil
}

// Small histories of a correct lock, and such with something changed, are judged as the
// definition has it.
func TestByDefinition(t *testing.T) {
	count := map[check.Verdict]int{}
	for seed := range uint64(machinetest.Rounds(3_000, 100_000)) {
		rng := rand.New(rand.NewPCG(1, seed))
		var bent []span
		in := &check.Input{History: &history.History{Header: history.Header{Functions: objects.LeaseFunctions()}}}
		if rng.IntN(4) == 0 {
			from := rng.Int64N(10) * 1e6
			bent = []span{{from, from + rng.Int64N(3)*1e6}}
			in.Faults = []history.Fault{
				{ID: 1, Name: "clock-offset", Kind: history.KindClock, Phase: history.Inject, Begin: bent[0].from, End: bent[0].from},
				{ID: 1, Name: "clock-offset", Kind: history.KindClock, Phase: history.Heal, Begin: bent[0].to, End: bent[0].to},
			}
		}
		for in.Ops = simulate(rng, 2+rng.IntN(6), bent); rng.IntN(3) > 0; {
			spoil(rng, in.Ops)
		}
		res := Checker().Check(t.Context(), in)
		if res.Verdict != check.Unknown || len(in.Ops) == 0 {
			checktest.Told(t, res)
		}
		want := check.Violation
		if knewAtOnce(in.Ops) {
			continue
		}
		switch {
		case !knownTokens(in.Ops):
			want = check.Unknown
		case oracleAllows(in.Ops, bent) && granted(in.Ops) == 0:
			want = check.Unknown
		case oracleAllows(in.Ops, bent):
			want = check.Pass
		}
		if res.Verdict != want {
			t.Fatalf("seed %d: %s, want %s, bent %v: %s", seed, res.Verdict, want, bent, told(in, res))
		}
		count[want]++
	}
	if least := machinetest.Rounds(300, 10_000); count[check.Pass] < least || count[check.Violation] < least {
		t.Errorf("too few of one kind: %v", count)
	}
}

func told(in *check.Input, res check.Result) string {
	text := res.Told() + " " + res.Explanation
	for i := range in.Ops {
		op := &in.Ops[i]
		text += fmt.Sprintf("\n%2d–%2d %s", op.Call/1e6, op.Return/1e6, check.Describe(in.Functions, op))
	}
	return text
}

func granted(ops []history.Op) (n int) {
	for i := range ops {
		if said, _ := objects.ParseLease(&ops[i]); said.Granted {
			n++
		}
	}
	return n
}

// knownTokens says whether keep-alives and releases use tokens that they can know.
func knownTokens(ops []history.Op) bool {
	for i := range ops {
		o, _ := objects.ParseLease(&ops[i])
		if f := ops[i].Func; f != objects.KeepAlive && f != objects.Release || ops[i].Outcome == history.Fail {
			continue
		}
		told := false
		for k := range ops {
			g, _ := objects.ParseLease(&ops[k])
			if g.Granted && g.Owner == o.Owner && g.Token == o.Token {
				if told = true; ops[k].Return > ops[i].Call && !(ops[i].Func == objects.KeepAlive && !o.Answered) {
					return false
				}
			}
		}
		if !told && o.Yes {
			return false
		}
	}
	return true
}

// knewAtOnce says whether a token was used in the moment in which it was told, of which
// the check may overlook something.
func knewAtOnce(ops []history.Op) bool {
	for i := range ops {
		for k := range ops {
			if said, _ := objects.ParseLease(&ops[k]); said.Granted && ops[i].Call == ops[k].Return && (ops[i].Func == objects.KeepAlive || ops[i].Func == objects.Release) {
				return true
			}
		}
	}
	return false
}
