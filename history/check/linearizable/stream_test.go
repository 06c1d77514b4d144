package linearizable

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
)

// live judges registers while their history grows.
func live() *check.Live {
	return check.NewLive([]check.Checker{Checker(RegisterModel())}, history.RegisterFunctions())
}

// TestStreamIsNeverWrong holds the stream against the definition: what it says is broken is
// so in the whole history; and where values are unique it overlooks nothing.
func TestStreamIsNeverWrong(t *testing.T) {
	for _, unique := range []bool{true, false} {
		t.Run(fmt.Sprintf("unique=%v", unique), func(t *testing.T) {
			wrong, broken := 0, 0
			rapid.Check(t, func(t *rapid.T) {
				rng := random(t)
				for range 40 {
					ops := anyOps(t, unique)
					l := live()
					checktest.Record(rng, l, ops, 1+rng.Int64N(10))
					fits := possible(ops, 0, history.None)
					switch {
					case l.Broken() != nil && fits:
						t.Fatalf("%q at %d, and yet there is an order", l.Broken().Text, l.Broken().At)
					case l.Broken() == nil && !fits && unique:
						t.Fatal("it has no order, and the stream has not seen it")
					case l.Broken() != nil:
						broken++
					}
					if !fits {
						wrong++
					}
				}
			})
			t.Logf("%d of %d wrong histories were seen to be wrong", broken, wrong)
			if broken == 0 {
				t.Error("it sees nothing")
			}
		})
	}
}

// TestStreamAgreesWithTheCheck holds the stream against the whole check, on longer histories
// of which some are spoiled: by what cannot be, or by an answer that belongs to another.
func TestStreamAgreesWithTheCheck(t *testing.T) {
	count := map[check.Verdict]int{}
	rapid.Check(t, func(t *rapid.T) {
		rng := random(t)
		for range 40 { // rapid draws few with -short: too few for some of both kinds
			sh := checktest.Shape{N: 20 + rng.IntN(150), Clients: 1 + rng.IntN(6), Pending: rng.IntN(3) * 10, Tells: rng.IntN(3) == 0, Deletes: rng.IntN(4) == 0}
			ops := checktest.Simulate(rng, "k", sh)
			switch rng.IntN(3) {
			case 0:
				ops = plant(rng, violations()[rng.IntN(len(violations()))], ops)
			case 1:
				a, b := &ops[rng.IntN(len(ops))], &ops[rng.IntN(len(ops))]
				if a.Func == history.Read && b.Func == history.Read && a.Outcome == history.OK && b.Outcome == history.OK {
					a.Out, b.Out = b.Out, a.Out
				}
			}
			in := &check.Input{History: &history.History{Header: checktest.Registers(), Ops: ops}}
			want := Checker(RegisterModel()).Check(t.Context(), in).Verdict
			count[want]++
			l := live()
			checktest.Record(rng, l, ops, 1+rng.Int64N(300))
			switch broken := l.Broken() != nil; {
			case broken && want != check.Violation:
				t.Fatalf("%+v: the stream says %q, and the check %s", sh, l.Broken().Text, want)
			case !broken && want == check.Violation && !sh.Deletes:
				t.Fatalf("%+v: the stream overlooks what the check finds", sh)
			}
		}
	})
	if count[check.Pass] == 0 || count[check.Violation] == 0 {
		t.Errorf("the generator draws one kind of history only: %v", count)
	}
}

// TestStreamForgets: of a correct history of any length nothing is said to be broken, and
// little is kept of what is over.
func TestStreamForgets(t *testing.T) {
	for _, sh := range []checktest.Shape{
		{N: 20_000, Clients: 10}, {N: 20_000, Clients: 10, Deletes: true}, {N: 20_000, Clients: 10, Tells: true}, {N: 3000, Clients: 5, Pending: 5},
	} {
		rng := rand.New(rand.NewPCG(7, 7))
		ops := checktest.Simulate(rng, "k", sh)
		pending := 0
		for i := range ops {
			if ops[i].Outcome == history.Info {
				pending++
			}
		}
		c := &keptStream{linearizable: Checker(RegisterModel()).(linearizable)}
		l := check.NewLive([]check.Checker{c}, history.RegisterFunctions())
		checktest.Record(rng, l, ops, 200)
		if found := l.Broken(); found != nil {
			t.Errorf("%+v: %s", sh, found.Text)
		}
		if k := c.stream.keys["k"]; k.off != sh.Deletes || len(k.values) > pending+60 || len(k.blocks) > 60 || len(k.flying) > pending {
			t.Errorf("%+v: of %d operations, %d of unknown outcome, %d values and %d blocks are kept; off: %v", sh, sh.N, pending, len(k.values), len(k.blocks), k.off)
		}
	}
}

// keptStream keeps the stream that it begins.
type keptStream struct {
	linearizable
	stream *registerStream
}

func (c *keptStream) Stream(does history.Functions) check.Stream {
	c.stream = c.linearizable.Stream(does).(*registerStream)
	return c.stream
}
