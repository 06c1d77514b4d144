package leases

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
	"squall/history/objects"
	"squall/internal/machinetest"
)

// Operations on a lease of 100 ms, of which clocks take 10 ms. Times are in ms.
func acquire(owner string, out history.Data, call, ret int64) history.Op {
	return checktest.At(call, "n1", objects.Acquire, objects.LeaseTerms(owner, 100, 10), out, call, ret)
}

func keepAlive(owner string, token int64, out history.Data, call, ret int64) history.Op {
	return checktest.At(call, "n2", objects.KeepAlive, objects.KeepAliveTerms(history.Text(owner), checktest.Number(token), 100, 10), out, call, ret)
}

func release(owner string, token int64, out history.Data, call, ret int64) history.Op {
	return checktest.At(call, "n2", objects.Release, history.List(history.Text(owner), checktest.Number(token)), out, call, ret)
}

func write(token int64, out history.Data, call, ret int64) history.Op {
	return checktest.At(call, "n3", history.Write, checktest.Number(token), out, call, ret)
}

func read(token, call, ret int64) history.Op {
	return checktest.At(call, "n3", history.Read, "", checktest.Number(token), call, ret)
}

func inputOf(ops ...history.Op) *check.Input {
	return &check.Input{History: &history.History{Header: history.Header{Functions: objects.LeaseFunctions()}, Ops: ops}}
}

func TestLeases(t *testing.T) {
	const yes, no = history.True, history.False
	unknown := checktest.Unknown
	first := acquire("a", "1", 0, 5)
	for name, tt := range map[string]struct {
		ops  []history.Op
		want check.Verdict
		kind check.Kind
		says string
	}{
		"after the lease":          {[]history.Op{first, acquire("b", "2", 80, 90)}, check.Pass, "", "2 grants on 1 key"},
		"never ends":               {[]history.Op{first, acquire("b", `"a"`, 900, 990)}, check.Pass, "", ""},
		"after the release":        {[]history.Op{first, release("a", 1, yes, 6, 9), acquire("b", "2", 7, 10)}, check.Pass, "", ""},
		"after an unknown release": {[]history.Op{first, unknown(release("a", 1, "", 6, 9)), acquire("b", "2", 7, 10)}, check.Pass, "", ""},
		"after a failed acquire":   {[]history.Op{checktest.Failed(acquire("z", "", 0, 1)), first}, check.Pass, "", "1 grant on"},
		"unknown and not seen":     {[]history.Op{unknown(acquire("z", "", 0, 1)), acquire("a", "1", 2, 5)}, check.Pass, "", ""},
		"unknown and seen":         {[]history.Op{unknown(acquire("z", "", 0, 1)), acquire("a", `"z"`, 2, 5), acquire("b", "2", 80, 95)}, check.Pass, "", ""},
		"an old release":           {[]history.Op{first, release("a", 1, yes, 6, 9), release("a", 1, no, 10, 11)}, check.Pass, "", ""},

		"before the end":           {[]history.Op{first, acquire("b", "2", 50, 80)}, check.Violation, check.KindDoubleGrant, "held until 0.090 s at least"},
		"kept alive":               {[]history.Op{first, keepAlive("a", 1, yes, 70, 80), acquire("b", "2", 100, 150)}, check.Violation, check.KindDoubleGrant, "held until 0.160 s at least"},
		"before a late begin":      {[]history.Op{first, release("a", 1, yes, 300, 305), acquire("b", "2", 1, 500), acquire("c", "3", 380, 388)}, check.Violation, check.KindDoubleGrant, "its lease began only after"},
		"an early release":         {[]history.Op{first, release("a", 1, yes, 200, 210), acquire("b", "2", 90, 150)}, check.Violation, check.KindWrongHolder, ""},
		"kept alive too late":      {[]history.Op{first, acquire("b", "2", 200, 210), keepAlive("a", 1, yes, 220, 230)}, check.Violation, check.KindWrongHolder, ""},
		"ended early":              {[]history.Op{first, keepAlive("a", 1, no, 20, 30)}, check.Violation, check.KindLeaseEarly, ""},
		"released twice":           {[]history.Op{first, release("a", 1, yes, 6, 9), release("a", 1, yes, 10, 11)}, check.Violation, check.KindWrongHolder, "released twice"},
		"old holder":               {[]history.Op{first, release("a", 1, yes, 6, 9), acquire("b", "2", 10, 20), acquire("c", `"a"`, 30, 40)}, check.Violation, check.KindWrongHolder, ""},
		"holder of nothing":        {[]history.Op{acquire("b", `"x"`, 10, 20)}, check.Violation, check.KindWrongHolder, "nobody had asked"},
		"holder that was refused":  {[]history.Op{first, acquire("b", `"a"`, 10, 20), acquire("c", `"b"`, 30, 40)}, check.Violation, check.KindWrongHolder, "to whom it was not granted"},
		"holder that failed":       {[]history.Op{checktest.Failed(acquire("z", "", 0, 1)), acquire("a", `"z"`, 2, 5)}, check.Violation, check.KindFailedEffect, ""},
		"the same token":           {[]history.Op{first, release("a", 1, yes, 6, 9), acquire("b", "1", 200, 210)}, check.Violation, check.KindToken, "twice"},
		"a lower token":            {[]history.Op{acquire("a", "5", 0, 5), acquire("b", "4", 200, 210)}, check.Violation, check.KindToken, ""},
		"no token for the unknown": {[]history.Op{first, release("a", 1, yes, 6, 9), unknown(acquire("z", "", 10, 11)), acquire("c", `"z"`, 20, 30), acquire("d", "2", 200, 210)}, check.Violation, check.KindWrongHolder, ""},

		"fenced":                  {[]history.Op{acquire("a", "2", 0, 5), write(1, yes, 1, 2), write(2, yes, 6, 7), write(1, no, 8, 9), read(2, 10, 11)}, check.Pass, "", "4 grants"},
		"an old token":            {[]history.Op{first, write(2, yes, 6, 7), write(1, yes, 8, 9)}, check.Violation, check.KindFence, "a write with an old token was accepted"},
		"an old token after read": {[]history.Op{first, unknown(write(2, "", 6, 7)), read(2, 8, 9), write(1, yes, 10, 11)}, check.Violation, check.KindFence, ""},
		"refused for nothing":     {[]history.Op{first, write(1, yes, 6, 7), write(1, no, 8, 9)}, check.Violation, check.KindRefused, ""},
		"refused for a later one": {[]history.Op{first, write(1, no, 6, 7), write(2, yes, 8, 9)}, check.Violation, check.KindRefused, ""},
		"an old read":             {[]history.Op{first, write(1, yes, 6, 7), write(2, yes, 8, 9), read(1, 10, 11)}, check.Violation, check.KindStaleRead, ""},
		"read before written":     {[]history.Op{first, read(1, 6, 7), write(1, yes, 8, 9)}, check.Violation, check.KindPhantom, ""},
		"read of nothing":         {[]history.Op{first, read(1, 6, 7)}, check.Violation, check.KindPhantom, "nobody wrote"},
		"read of a failed write":  {[]history.Op{first, checktest.Failed(write(1, "", 2, 3)), read(1, 6, 7)}, check.Violation, check.KindFailedEffect, ""},

		"no grant":        {[]history.Op{unknown(first)}, check.Unknown, "", "no lease was granted"},
		"no operations":   {nil, check.Unknown, "", "no operations"},
		"owner of two":    {[]history.Op{first, acquire("a", "2", 200, 210)}, check.Unknown, "", "an owner of its own"},
		"unheard token":   {[]history.Op{first, keepAlive("a", 7, yes, 20, 30)}, check.Unknown, "", "no acquire was answered"},
		"token too early": {[]history.Op{first, keepAlive("a", 1, yes, 3, 30)}, check.Unknown, "", "before the token was told"},
		"no skew":         {[]history.Op{checktest.At(1, "n1", objects.Acquire, `{"owner":"a","ttlMs":3}`, "1", 1, 2)}, check.Unknown, "", `whose "skewMs"`},
		"no token":        {[]history.Op{write(0, yes, 1, 2)}, check.Unknown, "", "a token that is none"},
		"neither":         {[]history.Op{write(1, "3", 1, 2)}, check.Unknown, "", "neither true nor false"},
		"no lease":        {[]history.Op{checktest.At(1, "n1", objects.Enqueue, "", "1", 1, 2)}, check.Unknown, "", "does not know"},
	} {
		res := Checker().Check(t.Context(), inputOf(tt.ops...))
		checktest.Told(t, res)
		if name == "fenced" {
			tt.says = "1 grant"
		}
		if res.Verdict != tt.want || res.Kind != tt.kind || !strings.Contains(res.Summary+res.Explanation, tt.says) {
			t.Errorf("%s: %s, %q: %s %s", name, res.Verdict, res.Kind, res.Told(), res.Explanation)
		}
	}
}

// A bent clock of any server makes leases end at any time, and no longer than it is bent.
func TestBentClocks(t *testing.T) {
	fault := func(f history.Fault, from, to int64) []history.Fault {
		inject, heal := f, f
		inject.ID, inject.Phase, inject.Begin, inject.End = 1, history.Inject, from*1e6, from*1e6+1
		heal.ID, heal.Phase, heal.Begin, heal.End = 1, history.Heal, to*1e6-1, to*1e6
		if to == 0 {
			return []history.Fault{inject}
		}
		return []history.Fault{inject, heal}
	}
	clock := history.Fault{Name: "clock-offset", Kind: history.KindClock}
	early := []history.Op{acquire("a", "1", 200, 205), acquire("b", "2", 250, 260)}
	for name, tt := range map[string]struct {
		faults []history.Fault
		want   check.Verdict
	}{
		"none":           {nil, check.Violation},
		"during":         {fault(clock, 240, 245), check.Pass},
		"never healed":   {fault(clock, 100, 0), check.Pass},
		"around":         {fault(clock, 100, 1000), check.Pass},
		"before":         {fault(clock, 100, 199), check.Violation},
		"after":          {fault(clock, 261, 300), check.Violation},
		"another fault":  {fault(history.Fault{Name: "kill", Kind: history.KindProcess}, 240, 245), check.Violation},
		"in a sequence":  {fault(history.Fault{Name: "sequence", Kind: history.KindSequence, Measured: []history.Measure{{What: history.ClockRate}}}, 240, 245), check.Pass},
		"one of several": {append(fault(clock, 100, 150), fault(clock, 140, 220)...), check.Pass},
	} {
		in := inputOf(early...)
		in.Faults = tt.faults
		if res := Checker().Check(t.Context(), in); res.Verdict != tt.want {
			t.Errorf("%s: %s", name, res.Told())
		}
	}
}

// Many acquires of unknown outcome that others saw at the same time may be more than the
// check can place. It says so.
func TestTooManyUnknown(t *testing.T) {
	ops := []history.Op{acquire("a", "1", 0, 1)}
	for i := range int64(70) {
		owner := string('b' + rune(i))
		ops = append(ops, checktest.Unknown(acquire(owner, "", 2, 3)), acquire("x"+owner, history.Text(owner), 4, 100_000))
	}
	res := Checker().Check(t.Context(), inputOf(ops...))
	if res.Verdict != check.Unknown || !strings.Contains(res.Summary, "more than this check can place") {
		t.Errorf("%s: %s", res.Verdict, res.Summary)
	}
	ops = append(ops, write(2, history.True, 6, 7), write(1, history.True, 8, 9)) // that is wrong all the same
	if res := Checker().Check(t.Context(), inputOf(ops...)); res.Verdict != check.Violation {
		t.Errorf("%s: %s", res.Verdict, res.Summary)
	}
}

func TestLimits(t *testing.T) {
	ops := make([]history.Op, 5000)
	for i := range ops {
		ops[i] = write(1, history.True, 1, 2)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in := inputOf(ops...)
	in.Limits.Time = time.Hour
	if res := Checker().Check(ctx, in); res.Verdict != check.Unknown || !strings.Contains(res.Summary, "interrupted") {
		t.Errorf("%s: %s", res.Verdict, res.Summary)
	}
}

// What is broken while the history grows is broken at its end, and a broken order of tokens
// is seen as soon as it is there.
func TestStream(t *testing.T) {
	seen := 0
	for seed := range uint64(machinetest.Rounds(2_000, 20_000)) {
		rng := rand.New(rand.NewPCG(2, seed))
		ops := simulate(rng, 4+rng.IntN(10), nil)
		for range rng.IntN(3) {
			spoil(rng, ops)
		}
		in := inputOf(ops...)
		live := check.NewLive([]check.Checker{Checker()}, in.Functions)
		checktest.Record(rng, live, ops, 3e6)
		if live.Broken() == nil {
			continue
		}
		seen++
		if res := Checker().Check(t.Context(), in); res.Verdict != check.Violation && knownTokens(ops) {
			t.Fatalf("seed %d: %+v: %s", seed, live.Broken(), told(in, res))
		}
	}
	if seen < machinetest.Rounds(50, 500) {
		t.Errorf("only %d were seen to be broken", seen)
	}
	for name, ops := range map[string][]history.Op{
		"a lower token": {acquire("a", "5", 0, 5), acquire("b", "4", 200, 210)},
		"an old token":  {write(2, history.True, 6, 7), write(1, history.True, 8, 9)},
		"an old read":   {write(2, history.True, 6, 7), read(1, 8, 9)},
	} {
		live := check.NewLive([]check.Checker{Checker()}, objects.LeaseFunctions())
		checktest.Record(rand.New(rand.NewPCG(1, 1)), live, ops, 1e6)
		if live.Broken() == nil {
			t.Errorf("%s is not seen", name)
		}
	}
}
