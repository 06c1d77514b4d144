package watches

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
	"squall/history/objects"
)

func checkWatches(ops []history.Op) check.Result {
	return checkWatchesWithin(context.Background(), &history.History{Ops: ops}, check.Limits{})
}

func checkWatchesWithin(ctx context.Context, h *history.History, l check.Limits) check.Result {
	h.Functions = objects.WatchFunctions()
	return Checker().Check(ctx, &check.Input{History: h, Limits: l})
}

// wrote is a write of n to the key w/k that was answered with a revision.
func wrote(node string, n, revision, call, ret int64) history.Op {
	op := checktest.At(1, node, history.Write, history.Text(string(checktest.Number(n))), checktest.Number(revision), call, ret)
	op.Key = "w/k"
	return op
}

// wroteTwo is a txn that wrote n to w/k and n+1 to w/l.
func wroteTwo(node string, n, revision, call, ret int64) history.Op {
	op := checktest.At(1, node, objects.Txn, objects.WritePairs([2]string{"w/k", string(checktest.Number(n))}, [2]string{"w/l", string(checktest.Number(n + 1))}), checktest.Number(revision), call, ret)
	op.Key = ""
	return op
}

// ev is an event of w/k, or of another key.
func ev(revision, n int64, key ...string) objects.Event {
	return objects.Event{Revision: revision, Key: append(key, "w/k")[0], Value: history.Text(string(checktest.Number(n)))}
}

// watched is an answer of a watch of w/ from one revision to before another.
func watched(node string, from, next, call, ret int64, events ...objects.Event) history.Op {
	op := checktest.At(2, node, objects.Watch, objects.WatchRequest{As: "w1", From: from, Most: 10, WaitMs: 50}.Data(), objects.WatchAnswer{Next: next, Events: events}.Data(), call, ret)
	op.Key = "w/"
	return op
}

// TestWatchesPass: what watches may answer.
func TestWatchesPass(t *testing.T) {
	compacted := watched("n2", 1, 3, 5, 6)
	compacted.Out = objects.WatchAnswer{Next: 3, Compacted: true}.Data()
	elsewhere := wrote("n1", 3, 4, 5, 6)
	elsewhere.Key = "x"
	for name, ops := range map[string][]history.Op{
		"one by one":             {wrote("n1", 1, 2, 1, 2), watched("n2", 1, 3, 3, 4, ev(2, 1)), wrote("n1", 2, 3, 5, 6), watched("n2", 3, 4, 7, 8, ev(3, 2))},
		"at once":                {wrote("n1", 1, 2, 1, 2), wrote("n1", 2, 3, 5, 6), watched("n2", 1, 9, 7, 8, ev(2, 1), ev(3, 2))},
		"before it was answered": {wrote("n1", 1, 2, 1, 9), watched("n2", 1, 3, 3, 4, ev(2, 1))},
		"behind the others":      {wrote("n1", 1, 2, 1, 2), wrote("n1", 2, 3, 3, 4), watched("n2", 1, 3, 5, 6, ev(2, 1)), watched("n3", 1, 2, 7, 8)},
		"no news":                {wrote("n1", 1, 2, 1, 2), watched("n2", 1, 1, 3, 4), watched("n2", 1, 3, 5, 6, ev(2, 1))},
		"unknown and seen":       {checktest.Unknown(wrote("n1", 1, 2, 1, 2)), wrote("n1", 2, 5, 3, 4), watched("n2", 1, 6, 5, 6, ev(4, 1), ev(5, 2))},
		"unknown and not seen":   {checktest.Unknown(wrote("n1", 1, 2, 1, 2)), wrote("n1", 2, 5, 3, 4), watched("n2", 1, 6, 5, 6, ev(5, 2))},
		"failed":                 {checktest.Failed(wrote("n1", 1, 2, 1, 2)), wrote("n1", 2, 5, 3, 4), watched("n2", 1, 6, 5, 6, ev(5, 2))},
		"two keys at once":       {wroteTwo("n1", 1, 2, 1, 2), watched("n2", 1, 3, 3, 4, ev(2, 2, "w/l"), ev(2, 1))},
		"from the middle":        {wrote("n1", 1, 2, 1, 2), wrote("n1", 2, 3, 3, 4), watched("n2", 3, 4, 5, 6, ev(3, 2)), watched("n3", 2, 3, 5, 6, ev(2, 1))},
		"compacted":              {wrote("n1", 1, 2, 1, 2), wrote("n1", 2, 3, 3, 4), compacted, watched("n2", 3, 4, 7, 8, ev(3, 2))},
		"below another prefix":   {wrote("n1", 1, 2, 1, 2), elsewhere, watched("n2", 1, 5, 7, 8, ev(2, 1))},
		"concurrent":             {wrote("n1", 1, 3, 1, 9), wrote("n1", 2, 2, 2, 8), watched("n2", 1, 4, 10, 11, ev(2, 2), ev(3, 1))},
	} {
		if res := checkWatches(ops); res.Verdict != check.Pass || !strings.Contains(res.Summary, "each where it must be") {
			t.Errorf("%s: %s %s\n%s", name, res.Verdict, res.Told(), res.Explanation)
		}
	}
}

// TestWatchViolations: each way in which watches go wrong, with what people are told.
func TestWatchViolations(t *testing.T) {
	never := history.Op{Process: 3, Node: "n2", Func: objects.Watch, Key: "w/", Outcome: history.Fail, Final: true, Error: "nothing heard",
		In: objects.WatchRequest{As: "w2", From: 1, Until: 2}.Data(), Call: 10e9, Return: 12e9}
	neverMore := never
	neverMore.Call, neverMore.Return = 14e9, 16e9
	again := wrote("n2", 9, 9, 9000, 9001)
	again.Key, again.Final = "recovery", true
	elsewhere := wrote("n1", 1, 2, 1, 2)
	elsewhere.Key = "x"
	for name, tt := range map[string]struct {
		ops       []history.Op
		kind      check.Kind
		summary   string
		sentence  string
		firstAt   float64
		witnesses []bool // of each operation shown, whether it is beside
	}{
		"lost": {
			[]history.Op{wrote("n1", 1, 2, 1, 2), wrote("n1", 2, 3, 3, 4), watched("n2", 1, 4, 5, 6, ev(3, 2))},
			check.KindEventLost, "the event w/k ← 1 of revision 2 is lost",
			"At 0.006 s n2 answered watch(w/) from 1 with 1 event up to revision 3 without w/k ← 1 of revision 2, but n1 had already acknowledged write(w/k) ← 1 at revision 2 at 0.002 s. No watch was ever told of it.",
			0.006, []bool{false, false},
		},
		"lost between two answers": {
			[]history.Op{wrote("n1", 1, 2, 1, 2), wrote("n1", 2, 3, 3, 4), wrote("n1", 3, 4, 5, 6), watched("n2", 1, 3, 7, 8, ev(2, 1)), watched("n2", 3, 5, 9, 10, ev(4, 3))},
			check.KindEventLost, "the event w/k ← 2 of revision 3 is lost", "At 0.010 s n2 answered watch(w/) from 3 with 1 event up to revision 4 without", 0.010, []bool{false, false},
		},
		"lost to one, of unknown outcome": {
			[]history.Op{checktest.Unknown(wrote("n1", 1, 2, 1, 2)), watched("n3", 1, 3, 3, 4, ev(2, 1)), watched("n2", 1, 3, 5, 6)},
			check.KindEventLost, "the event w/k ← 1 of revision 2 is lost",
			"At 0.006 s n2 answered watch(w/) from 1 with 0 events up to revision 2 without w/k ← 1 of revision 2, but n3 had already told a watch of w/k ← 1 of revision 2 at 0.004 s.",
			0.006, []bool{true, false, false},
		},
		"lost, and acknowledged later": {
			[]history.Op{wrote("n1", 1, 2, 1, 20), watched("n2", 1, 3, 5, 6)},
			check.KindEventLost, "the event w/k ← 1 of revision 2 is lost", "At 0.006 s n2 answered", 0.020, []bool{false, false},
		},
		"told of too much": {
			[]history.Op{watched("n2", 1, 6, 1, 2), wrote("n1", 1, 5, 3, 4)},
			check.KindEventLost, "the event w/k ← 1 of revision 5 is lost", "At 0.002 s n2 answered watch(w/) from 1 with 0 events up to revision 5 without", 0.004, []bool{false, false},
		},
		"twice in an answer": {
			[]history.Op{wrote("n1", 1, 2, 1, 2), watched("n2", 1, 3, 3, 4, ev(2, 1), ev(2, 1))},
			check.KindEventTwice, "the event w/k ← 1 of revision 2 was told twice",
			"At 0.004 s n2 answered watch(w/) from 1 with 2 events up to revision 2, with w/k ← 1 of revision 2 twice.", 0.004, []bool{true, false},
		},
		"again after it was resumed": {
			[]history.Op{wrote("n1", 1, 2, 1, 2), wrote("n1", 2, 3, 3, 4), watched("n2", 1, 3, 5, 6, ev(2, 1)), watched("n2", 3, 4, 7, 8, ev(2, 1), ev(3, 2))},
			check.KindEventTwice, "the event w/k ← 1 of revision 2 is older than what was asked for",
			"At 0.008 s n2 answered watch(w/) from 3 with 2 events up to revision 3, one of them w/k ← 1 of revision 2, though it was asked only from revision 3 on; n2 had told of it at 0.006 s.",
			0.008, []bool{true, true, false},
		},
		"out of order": {
			[]history.Op{wrote("n1", 1, 2, 1, 2), wrote("n1", 2, 3, 3, 4), watched("n2", 1, 4, 5, 6, ev(3, 2), ev(2, 1))},
			check.KindEventOrder, "the event w/k ← 1 of revision 2 was told behind a later one",
			"At 0.006 s n2 answered watch(w/) from 1 with 2 events up to revision 3, where w/k ← 1 of revision 2 comes behind w/k ← 2 of revision 3.", 0.006, []bool{false},
		},
		"apart": {
			[]history.Op{wroteTwo("n1", 1, 2, 1, 2), watched("n2", 1, 3, 3, 4, ev(2, 1))},
			check.KindEventApart, "the event w/k ← 1 of revision 2 was told in part",
			"At 0.004 s n2 answered watch(w/) from 1 with 1 event up to revision 2, which has a part of txn [[w/k 1] [w/l 2]] and lacks w/l ← 2 of revision 2: all of it was written at once.", 0.004, []bool{true, false},
		},
		"from nowhere": {
			[]history.Op{wrote("n1", 1, 2, 1, 2), watched("n2", 1, 4, 3, 4, ev(2, 1), ev(3, 7))},
			check.KindEventNowhere, "the event w/k ← 7 of revision 3 was never written",
			"At 0.004 s n2 answered watch(w/) from 1 with 2 events up to revision 3, one of them w/k ← 7 of revision 3, but nobody ever wrote that.", 0.004, []bool{false},
		},
		"another key": {
			[]history.Op{wrote("n1", 1, 2, 1, 2), watched("n2", 1, 3, 3, 4, ev(2, 1, "w/x"))},
			check.KindEventNowhere, "the event w/k ← 1 of revision 2 was told of another key", "At 0.004 s n2 answered watch(w/) from 1 with 1 event up to revision 2, one of them w/x ← 1 of revision 2, but that value was written to w/k alone.", 0.004, []bool{true, false},
		},
		"a key that was not asked for": {
			[]history.Op{elsewhere, watched("n2", 1, 3, 3, 4, ev(2, 1, "x"))},
			check.KindEventNowhere, "the event x ← 1 of revision 2 was told to a watch of other keys", "one of them x ← 1 of revision 2, which is not below w/.", 0.004, []bool{true, false},
		},
		"against time, as watches saw it": {
			[]history.Op{checktest.Unknown(wrote("n1", 1, 5, 1, 2)), watched("n3", 5, 6, 3, 4, ev(5, 1)), checktest.Unknown(wrote("n1", 2, 4, 5, 6)), watched("n2", 4, 5, 7, 8, ev(4, 2))},
			check.KindAgainst, "the event w/k ← 2 of revision 4 has a revision that was over when it was called",
			"At 0.008 s n2 answered watch(w/) from 4 with 1 event up to revision 4, one of them w/k ← 2 of revision 4, but that was called on n1 only at 0.005 s, and n3 had already told a watch", 0.008, []bool{false, true, false},
		},
		"from the future": {
			[]history.Op{watched("n2", 1, 3, 1, 2, ev(2, 1)), wrote("n1", 1, 2, 3, 4)},
			check.KindEventEarly, "the event w/k ← 1 of revision 2 was told before it was written",
			"At 0.002 s n2 answered watch(w/) from 1 with 1 event up to revision 2, one of them w/k ← 1 of revision 2, but nobody had written that yet: write(w/k) ← 1 was called on n1 at 0.003 s.", 0.002, []bool{false, true},
		},
		"of a failed write": {
			[]history.Op{checktest.Failed(wrote("n1", 1, 2, 1, 5)), watched("n2", 1, 3, 3, 4, ev(2, 1))},
			check.KindFailedEffect, "is of a write that failed",
			`one of them w/k ← 1 of revision 2, of a write that n1 answered "failed" at 0.005 s, so that write took effect after all.`, 0.005, []bool{true, false},
		},
		"another revision": {
			[]history.Op{wrote("n1", 1, 2, 1, 2), watched("n2", 1, 4, 3, 4, ev(3, 1))},
			check.KindRevision, "was told with two revisions",
			"one of them w/k ← 1 of revision 3, but n1 answered write(w/k) ← 1 with revision 2 for it at 0.002 s.", 0.004, []bool{false, false},
		},
		"two writes with one revision": {
			[]history.Op{wrote("n1", 1, 2, 1, 2), wrote("n2", 2, 2, 1, 3)},
			check.KindRevision, "the event w/k ← 2 of revision 2 has the revision of another write",
			"At 0.003 s n2 answered write(w/k) ← 2 at revision 2, but n1 also acknowledged write(w/k) ← 1 at revision 2 at 0.002 s, and a revision belongs to one write.", 0.003, []bool{false, false},
		},
		"against time": {
			[]history.Op{wrote("n1", 1, 5, 1, 2), wrote("n2", 2, 4, 3, 4), watched("n2", 1, 6, 5, 6, ev(4, 2), ev(5, 1))},
			check.KindAgainst, "the event w/k ← 2 of revision 4 has a revision that was over when it was called",
			"At 0.004 s n2 answered write(w/k) ← 2 at revision 4, but that was called on n2 only at 0.003 s, and n1 had already acknowledged write(w/k) ← 1 at revision 5 at 0.002 s.", 0.004, []bool{false, false},
		},
		"a revision that a watch had passed": {
			[]history.Op{watched("n3", 5, 6, 1, 2), wrote("n2", 2, 4, 3, 4), watched("n2", 4, 5, 5, 6, ev(4, 2))},
			check.KindAgainst, "has a revision that was over when it was called", "and n3 had already told a watch at 0.002 s that all up to revision 5 had happened.", 0.004, []bool{false, false},
		},
		"never told": {
			[]history.Op{wrote("n1", 1, 2, 1, 2), watched("n1", 1, 3, 3, 4, ev(2, 1)), again, never, neverMore},
			check.KindEventNever, "the event w/k ← 1 of revision 2 does not arrive on n2",
			"At 0.002 s n1 answered write(w/k) ← 1 at revision 2, but after the storm n2, which acknowledged writes again, did not tell a watch of it, from 10.000 s to 16.000 s. The last try ended with: \"nothing heard\".", 15, []bool{false, false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := &history.History{Ops: tt.ops, Marks: []history.Mark{{Name: history.MarkHealed, Time: 8e9}}}
			res := checkWatchesWithin(t.Context(), h, check.Limits{})
			if res.Verdict != check.Violation || res.Kind != tt.kind || !strings.Contains(res.Summary, tt.summary) || !strings.Contains(res.Explanation, tt.sentence) {
				t.Errorf("%s, %s: %s\n%s", res.Verdict, res.Kind, res.Summary, res.Explanation)
			}
			checktest.Told(t, res)
			if res.FirstAt == nil || *res.FirstAt != tt.firstAt || res.Key == "" {
				t.Fatalf("first at %v, want %v, on key %s", res.FirstAt, tt.firstAt, res.Key)
			}
			var shown []bool
			for _, w := range res.Witness {
				shown = append(shown, w.Beside)
			}
			if !slices.Equal(shown, tt.witnesses) {
				t.Errorf("shown are %+v", res.Witness)
			}
		})
	}
}

// TestWatchesNeverTold: what a node does not tell after the storm is a violation only when
// nothing else can be to blame.
func TestWatchesNeverTold(t *testing.T) {
	history1 := func() *history.History {
		again := wrote("n2", 9, 9, 9000, 9001)
		again.Key, again.Final = "recovery", true
		never := history.Op{Process: 3, Node: "n2", Func: objects.Watch, Key: "w/", Outcome: history.Fail, Final: true,
			In: objects.WatchRequest{As: "w2", From: 1, Until: 2}.Data(), Call: 10e9, Return: 16e9}
		return &history.History{Header: history.Header{Nodes: []string{"n1", "n2"}}, Marks: []history.Mark{{Name: history.MarkServing, Time: 1}, {Name: history.MarkHealed, Time: 8e9}},
			Ops: []history.Op{wrote("n1", 1, 2, 1, 2), watched("n1", 1, 3, 3, 4, ev(2, 1)), again, never}}
	}
	if res := checkWatchesWithin(t.Context(), history1(), check.Limits{}); res.Verdict != check.Violation {
		t.Fatal(res.Told())
	}
	for want, change := range map[string]func(h *history.History){
		"because it was tried for 2.0 s alone": func(h *history.History) { h.Ops[3].Return = 12e9 },
		"because the infrastructure failed: the engine went": func(h *history.History) {
			h.Marks = append(h.Marks, history.Mark{Name: history.MarkInvalid, Text: "the engine went"})
		},
		"because the host was overloaded":                  func(h *history.History) { h.Marks = append(h.Marks, history.Mark{Name: history.MarkOverloaded}) },
		"because the history does not say that the faults": func(h *history.History) { h.Marks = h.Marks[:1] },
		"because its server crashed": func(h *history.History) {
			h.Nodes = []history.NodeEvent{{Node: "n2", Boot: 1, Kind: history.EventStart, Time: 1}, {Node: "n2", Boot: 1, Kind: history.EventExit, Time: 5e9, Reason: "exit status 2"}}
		},
		"each where it must be": func(h *history.History) { h.Ops[2].Outcome, h.Ops[2].Out = history.Fail, "" }, // "recovery" tells of it
		"2 answers of watches have 2 events": func(h *history.History) {
			h.Ops = append(h.Ops, h.Ops[3])
			h.Ops[4].Outcome, h.Ops[4].Out = history.OK, h.Ops[1].Out
		},
	} {
		h := history1()
		change(h)
		if res := checkWatchesWithin(t.Context(), h, check.Limits{}); res.Verdict == check.Violation || !strings.Contains(res.Summary, want) {
			t.Errorf("%s: %s\nwant %s", res.Verdict, res.Told(), want)
		}
	}
}

// TestWatchesTooLittle: a history that shows too little is no pass.
func TestWatchesTooLittle(t *testing.T) {
	many := func(seen int64) (ops []history.Op) {
		var events []objects.Event
		for i := range int64(20) {
			ops = append(ops, wrote("n1", i, i+2, 2*i, 2*i+1))
			if i < seen {
				events = append(events, ev(i+2, i))
			}
		}
		return append(ops, watched("n2", 1, seen+2, 50, 51, events...))
	}
	fault := []history.Fault{{ID: 1, Phase: history.Inject, Begin: 20e6}, {ID: 1, Phase: history.Heal, End: 60e6}}
	for _, tt := range []struct {
		h    history.History
		want string
	}{
		{history.History{}, "the history holds no operations"},
		{history.History{Ops: many(0)[:20]}, "no watch was answered"},
		{history.History{Ops: append(many(0)[:20], watched("n2", 1, 2, 50, 51))}, "no answer of a watch has an event"},
		{history.History{Ops: many(9)}, "only 9 of 20 acknowledged writes"},
		{history.History{Ops: many(14), Faults: fault}, "only 4 of 10 writes that were acknowledged under faults"},
	} {
		if res := checkWatchesWithin(t.Context(), &tt.h, check.Limits{}); res.Verdict != check.Unknown || !strings.Contains(res.Summary, tt.want) {
			t.Errorf("%s: %s, want %s", res.Verdict, res.Told(), tt.want)
		}
	}
	for _, h := range []history.History{{Ops: many(10)}, {Ops: many(15), Faults: fault}} {
		if res := checkWatchesWithin(t.Context(), &h, check.Limits{}); res.Verdict != check.Pass {
			t.Error(res.Told())
		}
	}
}

// TestWatchesRefuse what is no history of watches.
func TestWatchesRefuse(t *testing.T) {
	op := func(f history.Func, in, out history.Data) history.Op { return checktest.At(7, "n1", f, in, out, 1, 2) }
	const from = history.Data(`{"from":3}`)
	for want, ops := range map[string][]history.Op{
		`the operation pop, which this check does not know; it knows write, txn, watch`: {op("pop", "", "1")},
		`a write without its "i", a string: it is 1`:                                    {op(history.Write, "1", "2")},
		`without its revision "o", a number above 0: it is 0`:                           {op(history.Write, `"1"`, "0")},
		`without its revision "o", a number above 0: it is missing`:                     {op(history.Write, `"1"`, "")},
		"a write of 1, which was written before":                                        {op(history.Write, `"1"`, "1"), op(objects.Txn, `[["a","1"]]`, "2")},
		`a txn without its "i", a list of pairs`:                                        {op(objects.Txn, `"1"`, "2")},
		`what is not a pair [key, value]: "[\"a\"]"`:                                    {op(objects.Txn, `[["a"]]`, "2")},
		"a txn that writes nothing":                                                     {op(objects.Txn, "[]", "2")},
		`a watch without its "i", an object: it is missing`:                             {op(objects.Watch, "", "{}")},
		`a watch without "from"`:                                                        {op(objects.Watch, "{}", "{}")},
		"a watch whose from is":                                                         {op(objects.Watch, `{"from":"x"}`, "{}")},
		`a watch that was answered without its "o"`:                                     {op(objects.Watch, from, "3")},
		`a watch that was answered without "next"`:                                      {op(objects.Watch, from, "{}")},
		"with the next revision -1":                                                     {op(objects.Watch, from, `{"next":-1}`)},
		"events that are no list":                                                       {op(objects.Watch, from, `{"next":3,"events":{}}`)},
		"an event that is not [revision, key, value]":                                   {op(objects.Watch, from, `{"next":3,"events":[[1,"k"]]}`)},
		"a watch that was asked from revision 3 on and goes on at 2":                    {op(objects.Watch, from, `{"next":2}`)},
		"answered with an event of revision 4, and goes on at 4":                        {op(objects.Watch, from, `{"next":4,"events":[[4,"k","1"]]}`)},
	} {
		if res := checkWatches(ops); res.Verdict != check.Unknown || !strings.Contains(res.Summary, want) {
			t.Errorf("%s: %s, want %s", res.Verdict, res.Told(), want)
		}
	}
	bad := history.Op{Func: "\x1b[2J", Key: "a\nb"}
	if res := checkWatches([]history.Op{bad}); strings.ContainsAny(res.Summary, "\x1b\n") {
		t.Errorf("shown as it is: %q", res.Summary)
	}
}

// TestWatchData: what is written of requests and answers is read back.
func TestWatchData(t *testing.T) {
	want := objects.WatchRequest{As: `w"1`, From: 17, Most: 500, WaitMs: 100, Until: 40}
	if got, err := objects.ParseWatchRequest(want.Data()); err != nil || got != want || !want.Data().Valid() {
		t.Errorf("%s: %+v, %v", want.Data(), got, err)
	}
	answer := objects.WatchAnswer{Next: 41, Events: []objects.Event{ev(17, 5), ev(18, 6, "w/\"")}, Compacted: true}
	var got objects.WatchAnswer
	if err := objects.ParseWatchAnswer(answer.Data(), &got); err != nil || got.Next != 41 || !got.Compacted || !slices.Equal(got.Events, answer.Events) || !answer.Data().Valid() {
		t.Errorf("%s: %+v, %v", answer.Data(), got, err)
	}
}

// manyWatches is a correct history of writes that several watchers observe in pieces.
func manyWatches(writes, watchers, piece int64) (ops []history.Op) {
	var events []objects.Event
	for i := range writes {
		ops = append(ops, wrote("n1", i, i+2, 2*i, 2*i+1))
		events = append(events, ev(i+2, i))
		if n := int64(len(events)); n == piece {
			for range watchers {
				ops = append(ops, watched("n2", i+3-n, i+3, 2*i+1, 2*i+2, events...))
			}
			events = events[:0]
		}
	}
	return ops
}

// TestWatchesAreNearlyLinear: many watchers of many writes, and answers of which each lacks
// what very many others have, take no more steps than they have events.
func TestWatchesAreNearlyLinear(t *testing.T) {
	ops := manyWatches(100_000, 3, 10)
	if res := checkWatches(ops); res.Verdict != check.Pass || res.Stats["events"] != 300_000 {
		t.Error(res.Told())
	}
	empty := slices.Clone(ops)
	for i := range empty {
		if empty[i].Func == objects.Watch && i%2 == 0 {
			from := empty[i].In
			r, err := objects.ParseWatchRequest(from)
			checktest.Must(t, err)
			empty[i].Out = objects.WatchAnswer{Next: r.From + 10}.Data()
		}
	}
	if res := checkWatches(empty); res.Verdict != check.Violation || res.Kind != check.KindEventLost {
		t.Error(res.Told())
	}
}

// TestWatchesKeepTheirLimits: the check ends when it is told to, or when its time is over,
// and says so.
func TestWatchesKeepTheirLimits(t *testing.T) {
	h := func() *history.History { return &history.History{Ops: manyWatches(2000, 3, 10)} }
	if res := checkWatchesWithin(t.Context(), h(), check.Limits{}); res.Verdict != check.Pass {
		t.Fatal(res.Told())
	}
	if res := checkWatchesWithin(t.Context(), h(), check.Limits{Time: 1}); res.Verdict != check.Unknown || !strings.Contains(res.Summary, "time") {
		t.Error(res.Told())
	}
	if res := checkWatchesWithin(t.Context(), h(), check.Limits{Memory: 1}); res.Verdict != check.Unknown || !strings.Contains(res.Summary, "memory") {
		t.Error(res.Told())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if res := checkWatchesWithin(ctx, h(), check.Limits{Time: time.Hour}); res.Verdict != check.Unknown || res.Summary == "" {
		t.Error(res.Told())
	}
}
