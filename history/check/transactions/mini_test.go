package transactions

import (
	"slices"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// rw is a transaction on registers in short: "r x 1, w x 2, r y" finds 1 in x, writes 2 to it, and
// finds nothing in y. With ? in front its outcome is unknown, with ! it failed; what reads
// found is then left out.
func rw(text string, call, ret int64) history.Op {
	op := history.Op{Node: "n1", Func: history.Read, Outcome: history.OK, Call: call, Return: ret}
	switch text[0] {
	case '?':
		op.Outcome, text = history.Info, text[1:]
	case '!':
		op.Outcome, text = history.Fail, text[1:]
	}
	var in, out []history.Data
	for part := range strings.SplitSeq(text, ", ") {
		words := strings.Fields(part)
		o := objects.RegisterOp{Key: history.Text(words[1]), Writes: words[0] == "w"}
		if o.Writes {
			op.Func, o.Value = objects.Txn, history.Text(words[2])
		}
		in = append(in, o.Data())
		if !o.Writes && len(words) > 2 {
			o.Value = history.Text(words[2])
		}
		out = append(out, o.Data())
	}
	if op.In = history.List(in...); op.Outcome == history.OK {
		op.Out = history.List(out...)
	}
	return op
}

func TestRegistersAccept(t *testing.T) {
	for name, ops := range map[string][]history.Op{
		"one after the other":                   {rw("r x, w x 1", 1, 2), rw("r x 1, r y", 3, 4), rw("r x 1, r y, w x 2, w y 3", 5, 6), rw("r y 3, r x 2", 7, 8)},
		"concurrent, the other way round":       {rw("r x, w x 1", 1, 9), rw("r x 1, w x 2", 1, 8)},
		"an unknown one that took effect":       {rw("?r x, w x 1", 1, 2), rw("r x", 3, 4), rw("r x 1", 5, 6)},
		"an unknown one that did not":           {rw("?r x, w x 1", 1, 2), rw("r x, w x 2", 3, 4), rw("r x 2", 5, 6)},
		"an unknown one that is late":           {rw("?r x, w x 1, r y, w y 2", 1, 2), rw("r x, w x 3", 3, 4), rw("r x 1, r y 2", 7, 8)},
		"what failed is written again":          {rw("!r x, w x 1", 1, 2), rw("r x, w x 1", 3, 4), rw("r x 1", 5, 6)},
		"a value that its transaction replaced": {rw("r x, w x 1, w x 2", 1, 2), rw("r x 2", 3, 4)},
		"its own writes":                        {rw("r x, w x 1, r x 1, w x 2, r x 2", 1, 2)},
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range []check.Checker{Mini(), RW()} {
				if res := checkRegisters(t, c, appended(ops...)); res.Verdict != check.Pass || !strings.Contains(res.Summary, "strictly serializable") {
					t.Errorf("%s: %s: %s: %s", c.Name(), res.Verdict, res.Summary, res.Explanation)
				}
			}
		})
	}
}

func TestRegistersRefuse(t *testing.T) {
	type want struct {
		anomaly string
		kind    check.Kind
		at      float64 // FirstAt, ns
		witness int     // operations, without those beside
		weakest string  // the first level that is ruled out
		tells   string  // a part of the sentence
	}
	for name, c := range map[string]struct {
		ops  []history.Op
		want want
	}{
		"a read of what failed": {[]history.Op{rw("!r x, w x 1", 1, 2), rw("r x 1", 3, 4)},
			want{"G1a", check.KindFailedEffect, 4, 1, "read committed", `n1 had answered the transaction that wrote 1 of x with "failed" at 0.000 s`}},
		"a read of what is between": {[]history.Op{rw("r x, w x 1, w x 2", 1, 2), rw("r x 1", 3, 4)},
			want{"G1b", check.KindIntermediate, 4, 2, "read committed", "went on to write 2"}},
		"a read of nothing written": {[]history.Op{rw("r x, w x 1", 1, 2), rw("r x 2", 3, 4)},
			want{"garbage read", check.KindPhantom, 4, 1, "read uncommitted", "nobody ever wrote 2 of x"}},
		"two values in one transaction": {[]history.Op{rw("r x, w x 1", 1, 9), rw("r x, r x 1", 1, 4)},
			want{"internal", check.KindInternal, 4, 1, "repeatable read", "which read nothing of x and then 1"}},
		"not its own write": {[]history.Op{rw("r x, w x 1, r x", 1, 2)},
			want{"internal", check.KindInternal, 2, 1, "repeatable read", "after it had written 1 itself"}},
		"its own write too soon": {[]history.Op{rw("r x 1, w x 1", 1, 2)},
			want{"internal", check.KindInternal, 2, 1, "repeatable read", "which read 1 of x before it wrote that itself"}},
		"a lost update": {[]history.Op{rw("r x, w x 1", 1, 8), rw("r x, w x 2", 1, 9)},
			want{"lost update", check.KindLostUpdate, 9, 2, "repeatable read", "both read x without a value and replaced it"}},
		"information in a circle": {[]history.Op{rw("r x, w x 1, r y 2", 1, 9), rw("r y, w y 2, r x 1", 1, 9)},
			want{"G1c", check.KindCircular, 9, 2, "read committed", "T1 comes before T2, since T2 read 2 of y, which T1 wrote; T2 comes before T1, since T1 read 1 of x, which T2 wrote"}},
		"read skew": {[]history.Op{rw("r x, w x 1, r y, w y 2", 1, 9), rw("r x 1, r y", 1, 9)},
			want{"G-single", check.KindReadSkew, 9, 2, "repeatable read", "since T1 read y without a value, before T2 wrote 2"}},
		"write skew": {[]history.Op{rw("r x, r y, w x 1", 1, 9), rw("r x, r y, w y 2", 1, 9)},
			want{"G2-item", check.KindWriteSkew, 9, 2, "repeatable read", "So none of them can be the first."}},
		"a long fork": {[]history.Op{rw("r x, w x 1", 1, 9), rw("r y, w y 2", 1, 9), rw("r x 1, r y", 1, 9), rw("r x, r y 2", 1, 9)},
			want{"G-nonadjacent", check.KindLongFork, 9, 4, "repeatable read", "T4"}},
		"a stale read": {[]history.Op{rw("r x, w x 1", 1, 2), rw("r x", 3, 4)},
			want{"G-single-realtime", check.KindStaleRead, 4, 2, "strict serializable", "had been answered by 0.000 s"}},
		"an old value": {[]history.Op{rw("?r x, w x 1", 1, 2), rw("r x 1", 3, 4), rw("r x", 5, 6)},
			want{"G-single-realtime", check.KindAgainst, 6, 3, "strict serializable", "T3"}},
		"before it was called": {[]history.Op{rw("r x 1", 1, 2), rw("r x, w x 1", 3, 4)},
			want{"G1c-realtime", check.KindEarly, 4, 2, "strict serializable", "T"}},
		"of one process": {[]history.Op{{}, rw("r x, w x 1", 1, 2), rw("r x", 3, 4)},
			want{"G-single-process", check.KindStaleRead, 4, 2, "strong session serializable", "process 9 ran T2 first"}},
	} {
		t.Run(name, func(t *testing.T) {
			ops := c.ops
			if ops[0].Func == "" {
				ops = ops[1:]
				appended(ops...)
				ops[0].Process, ops[1].Process = 9, 9
			} else {
				appended(ops...)
			}
			res := checkRegisters(t, Mini(), ops)
			if res.Verdict != check.Violation || res.Kind != c.want.kind || res.Anomaly != c.want.anomaly || !strings.Contains(res.Explanation, c.want.tells) {
				t.Fatalf("%s, %s, %s: %s\n%s\nwant %+v", res.Verdict, res.Anomaly, res.Kind, res.Summary, res.Explanation, c.want)
			}
			if res.FirstAt == nil || *res.FirstAt*1e9 != c.want.at {
				t.Errorf("first at %v, want %v ns", *res.FirstAt*1e9, c.want.at)
			}
			isDrawn(t, res)
			n := len(slices.DeleteFunc(slices.Clone(res.Witness), func(w check.WitnessOp) bool { return w.Beside }))
			if n != c.want.witness || res.Key == "" || res.RuledOut[0] != c.want.weakest || res.RuledOut[len(res.RuledOut)-1] != "strict serializable" {
				t.Errorf("%d operations show it, on %q, and rule out %v: %+v", n, res.Key, res.RuledOut, res.Witness)
			}
			if strings.Contains(res.Explanation, "  ") || !strings.HasSuffix(res.Explanation, ".") || !strings.HasPrefix(res.Summary, c.want.anomaly+": ") {
				t.Errorf("%q, %q", res.Summary, res.Explanation)
			}
		})
	}
}

// TestBlindWrites: what replaced what is found out from time and from the reads of others.
func TestBlindWrites(t *testing.T) {
	for name, c := range map[string]struct {
		ops  []history.Op
		want check.Verdict
	}{
		"either order":               {[]history.Op{rw("w x 1", 1, 9), rw("w x 2", 1, 9), rw("r x 1", 1, 9), rw("r x 2", 1, 9)}, check.Pass},
		"the order of the last read": {[]history.Op{rw("w x 1", 1, 2), rw("w x 2", 1, 3), rw("r x 1", 4, 5), rw("w y 3, r x 1", 6, 7)}, check.Pass},
		"back to an old value":       {[]history.Op{rw("w x 1", 1, 2), rw("w x 2", 1, 3), rw("r x 1", 4, 5), rw("r x 2", 6, 7)}, check.Violation},
		"two that must be first": {[]history.Op{rw("w x 1", 1, 9), rw("w x 2", 1, 9), rw("w y 1", 1, 9), rw("w y 2", 1, 9),
			rw("r x 1, r y 1", 1, 9), rw("r x 2, r y 2", 1, 9), rw("r x 1, r y 2", 1, 9), rw("r x 2, r y 1", 1, 9)}, check.Violation},
	} {
		if res := checkRegisters(t, RW(), appended(c.ops...)); res.Verdict != c.want {
			t.Errorf("%s: %s: %s: %s", name, res.Verdict, res.Summary, res.Explanation)
		}
	}
}

// TestMiniForm: what is no mini-transaction is not judged as one, and neither are values
// that were written twice.
func TestMiniForm(t *testing.T) {
	for text, want := range map[string]string{
		"r x, r y, r z":            "more than two registers",
		"r x, w y 1":               "writes y without having read it",
		"w x 1, r x 1":             "writes x without having read it",
		"r x, w x 1, r y, w y 1":   "",
		"r x, w x 1, w x 2, w x 1": "1 is written to x twice",
	} {
		res := checkRegisters(t, Mini(), []history.Op{rw(text, 1, 2)})
		if want != "" && (res.Verdict != check.Unknown || !strings.Contains(res.Summary, want)) || want == "" && res.Verdict != check.Pass {
			t.Errorf("%s: %s: %s", text, res.Verdict, res.Summary)
		}
	}
	if res := checkRegisters(t, Mini(), nil); res.Verdict != check.Unknown {
		t.Errorf("no operations: %+v", res)
	}
}

// TestBusyRegisters: transactions of clients that are always busy are all put in order.
func TestBusyRegisters(t *testing.T) {
	for _, mini := range []bool{true, false} {
		c := RW()
		if mini {
			c = Mini()
		}
		if res := checkRegisters(t, c, busyRegisters(4000, 10, mini)); res.Verdict != check.Pass {
			t.Errorf("%s: %s: %s", res.Verdict, res.Summary, res.Explanation)
		}
	}
}
