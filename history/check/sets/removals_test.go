package sets

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
	"squall/history/objects"
	"squall/internal/machinetest"
)

func checkRemovals(t *testing.T, ops []history.Op) check.Result {
	t.Helper()
	in := &check.Input{History: &history.History{Header: history.Header{Functions: objects.RemovableFunctions()}, Ops: ops}}
	res := Removals().Check(t.Context(), in)
	checktest.Told(t, res)
	return res
}

func removeOf(n int64, out history.Data, call, ret int64) history.Op {
	return checktest.At(3, "n3", objects.Remove, checktest.Number(n), out, call, ret)
}

func TestRemovals(t *testing.T) {
	const yes, no = history.True, history.False
	unknown, failed := checktest.Unknown, checktest.Failed
	add := addOf("n1", 1, 1, 2)
	read := func(out history.Data, call, ret int64) history.Op { return readOf("n2", out, call, ret) }
	for name, tt := range map[string]struct {
		ops  []history.Op
		want check.Verdict
		kind check.Kind
		says string
	}{
		"comes and goes":          {[]history.Op{read("[]", 0, 1), add, read("[1]", 3, 4), removeOf(1, yes, 5, 6), read("[]", 7, 8)}, check.Pass, "", "1 element on 1 key, of which 1 were removed"},
		"meanwhile":               {[]history.Op{add, removeOf(1, yes, 5, 9), read("[]", 6, 7), read("[1]", 6, 7)}, check.Pass, "", ""},
		"removed too early":       {[]history.Op{addOf("n1", 1, 1, 9), removeOf(1, no, 2, 3), read("[1]", 10, 11)}, check.Pass, "", ""},
		"an unknown remove":       {[]history.Op{add, unknown(removeOf(1, "", 3, 4)), read("[1]", 5, 6), read("[]", 7, 8)}, check.Pass, "", ""},
		"an unknown add":          {[]history.Op{unknown(add), read("[]", 5, 6), read("[1]", 7, 8)}, check.Pass, "", ""},
		"an add that never was":   {[]history.Op{unknown(add), removeOf(1, no, 3, 4), read("[]", 5, 6)}, check.Pass, "", ""},
		"a remove that failed":    {[]history.Op{add, failed(removeOf(1, "", 3, 4)), read("[1]", 5, 6)}, check.Pass, "", ""},
		"lost":                    {[]history.Op{add, read("[]", 3, 4)}, check.Violation, check.KindLostElement, "is lost"},
		"lost before the remove":  {[]history.Op{add, read("[]", 3, 4), removeOf(1, yes, 5, 6)}, check.Violation, check.KindLostElement, ""},
		"a remove finds nothing":  {[]history.Op{add, removeOf(1, no, 3, 4)}, check.Violation, check.KindLostElement, "was not there"},
		"stale":                   {[]history.Op{add, read("[]", 3, 4), read("[1]", 5, 6)}, check.Violation, check.KindStaleRead, ""},
		"came back":               {[]history.Op{add, removeOf(1, yes, 3, 4), read("[1]", 5, 6)}, check.Violation, check.KindCameBack, "was removed and came back"},
		"came back after unknown": {[]history.Op{add, unknown(removeOf(1, "", 3, 4)), read("[]", 5, 6), read("[1]", 7, 8)}, check.Violation, check.KindCameBack, ""},
		"twice":                   {[]history.Op{add, read("[1,1]", 3, 4)}, check.Violation, check.KindElementTwice, ""},
		"from nowhere":            {[]history.Op{read("[1]", 3, 4)}, check.Violation, check.KindNowhere, "nobody ever added it"},
		"before its add":          {[]history.Op{addOf("n1", 1, 5, 6), read("[1]", 3, 4)}, check.Violation, check.KindNowhere, ""},
		"of a failed add":         {[]history.Op{failed(add), read("[1]", 3, 4)}, check.Violation, check.KindFailedEffect, ""},
		"nothing removed":         {[]history.Op{removeOf(1, yes, 3, 4), read("[]", 5, 6)}, check.Violation, check.KindNowhere, ""},
		"no read":                 {[]history.Op{add}, check.Unknown, "", "no read"},
		"no operations":           {nil, check.Unknown, "", "no operations"},
		"added twice":             {[]history.Op{add, add}, check.Unknown, "", "added once"},
		"removed twice":           {[]history.Op{add, removeOf(1, yes, 3, 4), removeOf(1, no, 5, 6)}, check.Unknown, "", "removed once"},
		"no element":              {[]history.Op{checktest.At(1, "n1", objects.Add, "null", "", 1, 2)}, check.Unknown, "", "without its element"},
		"no answer":               {[]history.Op{removeOf(1, "3", 3, 4)}, check.Unknown, "", "neither true nor false"},
		"no list":                 {[]history.Op{read("3", 3, 4)}, check.Unknown, "", "a list"},
		"no set":                  {[]history.Op{checktest.At(1, "n1", objects.Enqueue, "1", "", 1, 2)}, check.Unknown, "", "does not have"},
	} {
		if res := checkRemovals(t, tt.ops); res.Verdict != tt.want || res.Kind != tt.kind || !strings.Contains(res.Summary+res.Explanation, tt.says) {
			t.Errorf("%s: %s, %q: %s %s", name, res.Verdict, res.Kind, res.Told(), res.Explanation)
		}
	}
}

// TestRemovalsByDefinition holds the check against all moments of the add and the remove of
// each element, on random histories.
func TestRemovalsByDefinition(t *testing.T) {
	count := map[check.Verdict]int{}
	for seed := range uint64(machinetest.Rounds(5_000, 100_000)) {
		rng := rand.New(rand.NewPCG(3, seed))
		ops := randomRemovals(rng)
		want, reads := check.Pass, 0
		for i := range ops {
			if ops[i].Func == history.Read && ops[i].Outcome == history.OK {
				reads++
			}
		}
		switch {
		case !fits(ops, 1) || !fits(ops, 2):
			want = check.Violation
		case reads == 0:
			want = check.Unknown
		}
		if res := checkRemovals(t, ops); res.Verdict != want {
			text := ""
			for i := range ops {
				text += fmt.Sprintf("\n%d–%d %s", ops[i].Call/1e6, ops[i].Return/1e6, check.Describe(objects.RemovableFunctions(), &ops[i]))
			}
			t.Fatalf("seed %d: %s, want %s: %s%s", seed, res.Verdict, want, res.Told(), text)
		}
		count[want]++
	}
	if least := machinetest.Rounds(500, 5000); count[check.Pass] < least || count[check.Violation] < least {
		t.Errorf("too few of one kind: %v", count)
	}
}

// randomRemovals are operations on two elements, whose answers are those of a correct set or,
// in half of all histories, anything.
func randomRemovals(rng *rand.Rand) (ops []history.Op) {
	odd := rng.IntN(2) == 0
	state, at := map[int64]bool{}, int64(0)
	left := map[history.Func][]int64{objects.Add: {1, 2}, objects.Remove: {1, 2}}
	for range 2 + rng.IntN(6) {
		at += rng.Int64N(3)
		op := checktest.At(int64(len(ops)), "n1", history.Read, "", "", max(0, at-rng.Int64N(3)), at+rng.Int64N(3))
		if f := []history.Func{objects.Add, objects.Remove, history.Read}[rng.IntN(3)]; len(left[f]) > 0 {
			op.Func, op.In = f, checktest.Number(left[f][0])
			left[f] = left[f][1:]
		}
		unknown := op.Func != history.Read && rng.IntN(4) == 0
		if !unknown || rng.IntN(2) == 0 {
			op.Out = removalAnswer(rng, state, &op, odd && rng.IntN(3) == 0)
		}
		switch {
		case unknown:
			op = checktest.Unknown(op)
		case odd && rng.IntN(10) == 0:
			op = checktest.Failed(op)
		}
		ops = append(ops, op)
	}
	return ops
}

func removalAnswer(rng *rand.Rand, state map[int64]bool, op *history.Op, lies bool) history.Data {
	n, _ := objects.WholeNumber(op.In)
	switch op.Func {
	case objects.Add:
		state[n] = true
		return ""
	case objects.Remove:
		was := state[n] != lies
		state[n] = false
		if was {
			return history.True
		}
		return history.False
	}
	var found []history.Data
	for n := range int64(3) {
		if state[n] != (lies && n > 0 && rng.IntN(2) == 0) {
			found = append(found, checktest.Number(n))
		}
	}
	return history.List(found...)
}

// fits tries all moments, of whole ms, for the add and the remove of an element, and never.
func fits(ops []history.Op, n int64) bool {
	const never = 1000
	name := checktest.Number(n)
	moments := func(f history.Func, yes history.Data) (from, to int64, must, may bool) {
		for i := range ops {
			op := &ops[i]
			if op.Func != f || op.In != name {
				continue
			}
			switch {
			case op.Outcome == history.Info:
				return op.Call / 1e6, 40, false, true
			case op.Outcome == history.OK && (yes == "" || op.Out == yes):
				return op.Call / 1e6, op.Return / 1e6, true, true
			}
		}
		return 0, 0, false, false
	}
	aFrom, aTo, aMust, aMay := moments(objects.Add, "")
	rFrom, rTo, rMust, rMay := moments(objects.Remove, history.True)
	for a := aFrom; a <= never; a++ {
		if a > aTo || !aMay {
			if a = never; aMust {
				break
			}
		}
		for r := max(a, rFrom); r <= never; r++ {
			if r > rTo || !rMay || a == never {
				if r = never; rMust {
					break
				}
			}
			if !slices.ContainsFunc(ops, func(op history.Op) bool { return contradicts(&op, name, a, r) }) {
				return true
			}
		}
	}
	return false
}

// contradicts says whether an answer fits no moment of the operation, when the element is
// there from one moment to another.
func contradicts(op *history.Op, name history.Data, from, to int64) bool {
	if op.Outcome != history.OK {
		return false
	}
	call, ret := op.Call/1e6, op.Return/1e6
	absent := call <= from || ret >= to
	switch {
	case op.Func == objects.Remove && op.In == name && op.Out == history.False:
		return !absent
	case op.Func != history.Read:
		return false
	}
	for d := range op.Out.Elements() {
		if d == name {
			return ret < from || call > to
		}
	}
	return !absent
}
