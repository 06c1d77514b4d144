package service

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
	"squall/history/check/linearizable"
	"squall/history/objects"
)

// story builds a history of three nodes: operations of the load before 50 s, and final
// ones after 60 s, when everything is healed and a scan of 5 s begins.
type story struct {
	*history.History
	next int64
}

func newStory(functions history.Functions) *story {
	h := &history.History{Header: history.Header{Nodes: []string{"n1", "n2", "n3"}, Functions: functions}}
	h.Faults = []history.Fault{{ID: 4, Name: "partition", Kind: history.KindPartition, Targets: []string{"n2"}, Phase: history.Inject, Begin: checktest.Second, End: checktest.Second},
		{ID: 4, Name: "partition", Phase: history.Heal, Begin: 55 * checktest.Second, End: 55 * checktest.Second}}
	h.Marks = []history.Mark{{Name: history.MarkLoadBegin, Time: checktest.Second}, {Name: history.MarkLoadEnd, Time: 50 * checktest.Second},
		{Name: history.MarkHealed, Time: 60 * checktest.Second, Bound: 60 * checktest.Second}, {Name: history.MarkScan, Time: 61 * checktest.Second, Bound: 5 * checktest.Second}}
	return &story{h, 2 * checktest.Second}
}

// does adds an operation of the load through n2 that is called when the last one returned.
func (s *story) does(f history.Func, key string, in, out history.Data, outcome history.Outcome) *story {
	s.Ops = append(s.Ops, history.Op{Node: "n2", Func: f, Key: key, In: in, Out: out, Outcome: outcome, Call: s.next, Return: s.next + checktest.Second/2})
	s.next += checktest.Second
	return s
}

// finds adds a final operation through each node, answered with outs in turn; "" is a
// node that does not answer.
func (s *story) finds(f history.Func, key string, in history.Data, outs ...history.Data) *story {
	for i, out := range outs {
		op := history.Op{Node: s.Header.Nodes[i], Func: f, Key: key, In: in, Out: out, Outcome: history.OK, Final: true,
			Call: 62*checktest.Second + int64(len(s.Ops)), Return: 63*checktest.Second + int64(len(s.Ops))}
		if out == "" {
			op.Outcome, op.Error = history.Fail, "timeout"
		}
		s.Ops = append(s.Ops, op)
	}
	return s
}

func (s *story) write(key string, n int, outcome history.Outcome) *story {
	return s.does(history.Write, key, history.Text(fmt.Sprint(n)), "", outcome)
}

func (s *story) reads(key string, values ...history.Data) *story {
	return s.finds(history.Read, key, "", values...)
}

// without removes marks.
func (s *story) without(names ...string) *story {
	s.Marks = slices.DeleteFunc(s.Marks, func(m history.Mark) bool { return slices.Contains(names, m.Name) })
	return s
}

func TestDurabilityOfRegisters(t *testing.T) {
	const one, two, three = `"1"`, `"2"`, `"3"`
	registers := func() *story { return newStory(history.RegisterFunctions()) }
	twice := func() *story { return registers().write("r0", 1, history.OK).write("r0", 2, history.OK) }
	for _, tt := range []struct {
		name    string
		story   *story
		want    check.Verdict
		kind    check.Kind
		summary string
	}{
		{"all is there", twice().write("r1", 3, history.OK).reads("r0", two, two, two).reads("r1", three, three, three),
			check.Pass, "", "3 acknowledged writes accounted for through 3 nodes"},
		{"the last write is lost", twice().reads("r0", one, one, one), check.Violation, check.KindLostWrite,
			`1 of 2 acknowledged writes is missing after the storm: write(r0) ← 2, acknowledged by n2 at 3.5 s, is not found through any of n1, n2 and n3`},
		{"it was overwritten by one of unknown outcome", twice().write("r0", 3, history.Info).reads("r0", three, three, three), check.Pass, "", ""},
		{"one of unknown outcome may also have come before", twice().write("r0", 3, history.Info).reads("r0", two, two, two), check.Pass, "", ""},
		{"one of unknown outcome takes effect late", registers().write("r0", 3, history.Info).write("r0", 1, history.OK).reads("r0", three, three, three), check.Pass, "", ""},
		{"all is lost", twice().reads("r0", history.Null, history.Null, history.Null), check.Violation, check.KindLostWrite, "1 of 2 acknowledged writes is missing"},
		{"a key that was deleted", twice().does(history.Delete, "r0", "", "", history.OK).reads("r0", history.Null, history.Null, history.Null), check.Pass, "", "3 acknowledged"},
		{"a delete is lost", twice().does(history.Delete, "r0", "", "", history.OK).reads("r0", two, two, two), check.Violation, check.KindLostWrite, "delete(r0), acknowledged by n2"},
		{"one node lacks it", twice().reads("r0", two, two, one), check.Violation, check.KindStaleRead, "write(r0) ← 2, acknowledged by n2 at 3.5 s, is not found through n3"},
		{"two that were under way at once, either last", overlapping(twice()).reads("r0", one, one, one), check.Pass, "", ""},
		{"a compare-and-set is lost", twice().does(history.CAS, "r0", history.List(two, three), history.True, history.OK).reads("r0", two, two, two), check.Violation, check.KindLostWrite, "cas(r0) 2→3"},
		{"one that failed is none", twice().does(history.CAS, "r0", history.List(one, three), history.CASAnswer(false, history.Some("2")), history.OK).reads("r0", two, two, two), check.Pass, "", "2 acknowledged"},
		{"a value from nowhere stands for nothing", twice().reads("r0", `"9"`, `"9"`, `"9"`), check.Violation, check.KindLostWrite, "1 of 2"},
		{"a write that was answered failed took effect: told by others", twice().write("r0", 3, history.Fail).reads("r0", three, three, three), check.Pass, "", ""},
		{"a write after the storm stands in its place", afterwards(twice(), three).reads("r0", three, three, three), check.Pass, "", "2 acknowledged writes accounted for through 3 nodes"},
		{"a write after the storm is lost", afterwards(twice(), three).reads("r0", two, two, two), check.Violation, check.KindLostWrite, "write(r0) ← 3"},
		{"two that were under way at once, both lost", overlapping(twice()).reads("r0", history.Null, history.Null, history.Null), check.Violation, check.KindLostWrite, "2 of 2 acknowledged writes are missing"},
		{"a later read of the node counts", twice().reads("r0", one).reads("r0", two, two, two), check.Pass, "", "2 acknowledged writes accounted for through 3 nodes"},
		{"a node that does not answer", twice().reads("r0", two, two, ""), check.Pass, "",
			"2 acknowledged writes accounted for through some node, and 0 of them through all 3 nodes; the scan was given 5.0 s"},
		{"the bound cut the scan", twice().write("r1", 3, history.OK).reads("r0", two, two, two), check.Unknown, "",
			"only 2 of 3 acknowledged writes were read back, and accounted for; the scan was given 5.0 s"},
		{"cut, and something is missing", twice().write("r1", 3, history.OK).reads("r0", one, one, one), check.Violation, check.KindLostWrite, "1 of 3"},
		{"nothing could be read", twice().reads("r0", "", "", ""), check.Unknown, "", "nothing could be read back after the storm"},
		{"nothing was acknowledged", registers().write("r0", 1, history.Info).reads("r0", one, one, one), check.Unknown, "", "no write was acknowledged"},
		{"a history without a scan", twice().write("r1", 3, history.OK).reads("r0", two, two, two).without(history.MarkScan), check.Pass, "",
			"2 acknowledged writes accounted for through some node, of 3 in all: this history holds no scan of them"},
		{"without a scan or a fault, and nothing read", calm(twice().without(history.MarkScan)), check.Pass, "", "nothing was read back after the load"},
		{"reads of the load are no evidence", early(twice()), check.Unknown, "", "nothing could be read back"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := Durability(RegisterWrites()).Check(t.Context(), &check.Input{History: tt.story.History})
			if res.Verdict != tt.want || res.Kind != tt.kind || !strings.Contains(res.Summary, tt.summary) {
				t.Errorf("%s, %q, %q, want %s, %q with %q", res.Verdict, res.Kind, res.Summary, tt.want, tt.kind, tt.summary)
			}
			if tt.want == check.Violation && (len(res.Witness) < 2 || *res.FirstAt < 63 || res.Explanation == "") {
				t.Errorf("a violation at %v with %+v: %q", *res.FirstAt, res.Witness, res.Explanation)
			}
		})
	}
}

// overlapping puts all operations of the load under way at once.
func overlapping(s *story) *story {
	for i := range s.Ops {
		s.Ops[i].Call, s.Ops[i].Return = 2*checktest.Second, 40*checktest.Second
	}
	return s
}

// afterwards has a write succeed when everything is healed.
func afterwards(s *story, value history.Data) *story {
	s.Ops = append(s.Ops, history.Op{Node: "n1", Func: history.Write, Key: "r0", In: value, Outcome: history.OK, Final: true, Call: 60 * checktest.Second, Return: 61 * checktest.Second})
	return s
}

func calm(s *story) *story { s.Faults = nil; return s }

// early has a read through each node before the storm is over.
func early(s *story) *story {
	s.reads("r0", `"1"`, `"1"`, `"1"`)
	for i := range s.Ops {
		if s.Ops[i].Final {
			s.Ops[i].Call, s.Ops[i].Return = 10*checktest.Second, 11*checktest.Second
		}
	}
	return s
}

func TestDurabilityTellsWhoAndWhen(t *testing.T) {
	s := newStory(history.RegisterFunctions()).write("r0", 1, history.OK).write("r0", 2, history.OK).reads("r0", `"1"`, `"1"`, `"1"`)
	res := Durability(RegisterWrites()).Check(t.Context(), &check.Input{History: s.History})
	const want = `n2, cut off by fault 4 (partition), acknowledged write(r0) ← 2 at 3.500 s, but n1 answered read(r0) → 1 at 63.000 s, when every fault was healed.`
	if res.Explanation != want {
		t.Errorf("%q, want %q", res.Explanation, want)
	}
}

func TestDurabilityOfSetsAndLists(t *testing.T) {
	sets := func() *story {
		s := newStory(linearizable.SetModel().Functions)
		for _, e := range []history.Data{`"1"`, `"2"`} {
			s.does(objects.Add, "s0", e, "", history.OK)
		}
		return s.does(objects.Add, "s0", `"3"`, "", history.Info)
	}
	lists := func() *story {
		s := newStory(objects.AppendFunctions())
		for _, e := range []history.Data{`"1"`, `"2"`} {
			in := history.List(objects.TxnOp{Key: `"l0"`, Element: e}.Data(""))
			s.does(objects.Txn, "", in, in, history.OK)
		}
		return s
	}
	readLists := func(s *story, found ...history.Data) *story {
		for i, f := range found {
			found[i] = history.List(objects.TxnOp{Key: `"l0"`}.Data(f))
		}
		return s.finds(history.Read, "", history.List(objects.TxnOp{Key: `"l0"`}.Data(history.Null)), found...)
	}
	const both, first = `["1","2"]`, `["1"]`
	for _, tt := range []struct {
		name    string
		of      Written
		story   *story
		want    check.Verdict
		summary string
	}{
		{"all elements, with and without the unknown one", SetWrites(), sets().reads("s0", both, `["3","2","1"]`, both), check.Pass, "2 acknowledged elements accounted for through 3 nodes"},
		{"one is missing", SetWrites(), sets().reads("s0", both, both, first), check.Violation, "1 of 2 acknowledged elements is missing after the storm: add(s0) ← 2, acknowledged by n2 at 3.5 s, is not found through n3"},
		{"a set is gone", SetWrites(), sets().reads("s0", `[]`, `[]`, `[]`), check.Violation, "2 of 2"},
		{"whole lists", AppendWrites(), readLists(lists(), both, both, both), check.Pass, "2 acknowledged elements accounted for through 3 nodes"},
		{"a list lacks its end", AppendWrites(), readLists(lists(), both, first, both), check.Violation, "is not found through n2"},
		{"a list is gone", AppendWrites(), readLists(lists(), history.Null, history.Null, history.Null), check.Violation, "2 of 2 acknowledged elements are missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := Durability(tt.of).Check(t.Context(), &check.Input{History: tt.story.History})
			if res.Verdict != tt.want || !strings.Contains(res.Summary, tt.summary) {
				t.Errorf("%s, %q, want %s with %q", res.Verdict, res.Summary, tt.want, tt.summary)
			}
		})
	}
}

func TestDurabilityOfLocks(t *testing.T) {
	const a, b, mine = `"c1-1"`, `"c2-1"`, `"final-l0"`
	locks := func() *story {
		return newStory(linearizable.LockModel().Functions).does(objects.Acquire, "l0", a, `7`, history.OK)
	}
	released := func(s *story, out history.Data, outcome history.Outcome) *story {
		return s.does(objects.Release, "l0", history.List(a, `7`), out, outcome)
	}
	acquires := func(s *story, outs ...history.Data) *story { return s.finds(objects.Acquire, "l0", mine, outs...) }
	for _, tt := range []struct {
		name    string
		story   *story
		want    check.Verdict
		summary string
	}{
		{"still held", acquires(locks(), a, a, a), check.Pass, "1 acknowledged grants and releases"},
		{"its grant is lost", acquires(locks(), `8`, mine, mine), check.Violation, "acquire(l0) by c1-1 → 7, acknowledged by n2 at 2.5 s, is not found through any"},
		{"another has it", acquires(locks(), b, b, b), check.Violation, "acquire(l0) by c1-1"},
		{"released", acquires(released(locks(), history.True, history.OK), `8`, mine, mine), check.Pass, ""},
		{"its release is lost", acquires(released(locks(), history.True, history.OK), a, a, a), check.Violation, "release(l0) by c1-1, token 7, acknowledged"},
		{"a release of unknown outcome, either way", acquires(released(locks(), "", history.Info), a, a, `8`), check.Pass, ""},
		{"a release that failed changes nothing", acquires(released(locks(), "", history.Fail), `8`, mine, mine), check.Violation, "acquire(l0)"},
		{"a token is given again", acquires(released(locks(), history.True, history.OK), `7`, mine, mine), check.Violation, "acquire(l0)"},
		{"only an unknown grant", acquires(newStory(linearizable.LockModel().Functions).does(objects.Acquire, "l0", a, "", history.Info).does(objects.Acquire, "l1", a, `3`, history.OK), a, a, a).
			finds(objects.Acquire, "l1", mine, a, a, a), check.Pass, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := Durability(LockWrites()).Check(t.Context(), &check.Input{History: tt.story.History})
			if res.Verdict != tt.want || !strings.Contains(res.Summary, tt.summary) {
				t.Errorf("%s, %q, want %s with %q", res.Verdict, res.Summary, tt.want, tt.summary)
			}
		})
	}
}

func TestDurabilityOfFencedWrites(t *testing.T) {
	begin := func() *story { return newStory(objects.LeaseFunctions()) }
	written := func(s *story, token, out history.Data, outcome history.Outcome) *story {
		return s.does(history.Write, "l0", token, out, outcome)
	}
	found := func(s *story, outs ...history.Data) *story { return s.finds(history.Read, "l0", "", outs...) }
	two := func() *story {
		return written(written(begin(), `3`, history.True, history.OK), `7`, history.True, history.OK)
	}
	for name, tt := range map[string]struct {
		story   *story
		want    check.Verdict
		summary string
	}{
		"found":                {found(two(), `7`, `7`, `7`), check.Pass, "2 acknowledged writes"},
		"lost":                 {found(two(), `3`, `3`, `3`), check.Violation, "write(l0) with token 7"},
		"stale on one":         {found(two(), `7`, `0`, `7`), check.Violation, "write(l0) with token 7"},
		"an unknown one":       {found(written(two(), `9`, "", history.Info), `9`, `7`, `9`), check.Pass, ""},
		"one that was refused": {found(written(two(), `9`, history.False, history.OK), `7`, `7`, `7`), check.Pass, "2 acknowledged writes"},
	} {
		t.Run(name, func(t *testing.T) {
			res := Durability(FencedWrites()).Check(t.Context(), &check.Input{History: tt.story.History})
			if res.Verdict != tt.want || !strings.Contains(res.Summary, tt.summary) {
				t.Errorf("%s, %q, want %s with %q", res.Verdict, res.Summary, tt.want, tt.summary)
			}
		})
	}
}

func TestDurabilityOfRemovableSets(t *testing.T) {
	const yes = history.True
	with := func(f history.Func, out history.Data, outcome history.Outcome) *story {
		s := newStory(objects.RemovableFunctions()).does(objects.Add, "s0", `"1"`, "", history.OK).does(objects.Add, "s0", `"2"`, "", history.OK)
		return s.does(f, "s0", `"1"`, out, outcome)
	}
	found := func(s *story, outs ...history.Data) *story { return s.finds(history.Read, "s0", "", outs...) }
	for name, tt := range map[string]struct {
		story   *story
		want    check.Verdict
		summary string
	}{
		"removed":         {found(with(objects.Remove, yes, history.OK), `["2"]`, `["2"]`, `["2"]`), check.Pass, "3 acknowledged adds and removes"},
		"came back":       {found(with(objects.Remove, yes, history.OK), `["2"]`, `["2","1"]`, `["2"]`), check.Violation, "remove(s0) 1, acknowledged"},
		"lost":            {found(with(objects.Remove, yes, history.OK), `[]`, `[]`, `[]`), check.Violation, "add(s0) ← 2, acknowledged"},
		"an unknown one":  {found(with(objects.Remove, "", history.Info), `["2","1"]`, `["2"]`, `["2"]`), check.Pass, ""},
		"one that failed": {found(with(objects.Remove, "", history.Fail), `["2"]`, `["2"]`, `["2"]`), check.Violation, "add(s0) ← 1, acknowledged"},
	} {
		t.Run(name, func(t *testing.T) {
			res := Durability(RemovableWrites()).Check(t.Context(), &check.Input{History: tt.story.History})
			if res.Verdict != tt.want || !strings.Contains(res.Summary, tt.summary) {
				t.Errorf("%s, %q, want %s with %q", res.Verdict, res.Summary, tt.want, tt.summary)
			}
		})
	}
}
