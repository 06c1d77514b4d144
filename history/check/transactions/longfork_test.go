package transactions

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
	"squall/history/objects"
	"squall/internal/machinetest"
)

func checkForks(t *testing.T, ops ...history.Op) check.Result {
	t.Helper()
	res := LongFork().Check(t.Context(), &check.Input{History: &history.History{Header: history.Header{Functions: objects.RegistersFunctions()}, Ops: ops}})
	checktest.Told(t, res)
	return res
}

// glanceOf is a read: of each register in asked what it found, "-" for nothing.
func glanceOf(asked, found string, call, ret int64) history.Op {
	var in, out []history.Data
	for i, name := range asked {
		o := objects.RegisterOp{Key: history.Text(string(name))}
		in = append(in, o.Data())
		if o.Value = history.Null; found[i] != '-' {
			o.Value = history.Text(string(found[i]))
		}
		out = append(out, o.Data())
	}
	return checktest.At(call, "n1", history.Read, history.List(in...), history.List(out...), call, ret)
}

func onceWritten(name string, call, ret int64) history.Op {
	in := history.List(objects.RegisterOp{Key: history.Text(name), Writes: true, Value: `"1"`}.Data())
	return checktest.At(call, "n2", objects.Txn, in, in, call, ret)
}

func TestLongFork(t *testing.T) {
	x, y := onceWritten("x", 1, 9), onceWritten("y", 1, 9)
	other := glanceOf("xy", "-1", 2, 4)
	other.Key = "another"
	for name, tt := range map[string]struct {
		ops  []history.Op
		want check.Verdict
		says string
	}{
		"one order":        {[]history.Op{x, y, glanceOf("xy", "--", 2, 3), glanceOf("xy", "1-", 2, 4), glanceOf("yx", "11", 2, 5)}, check.Pass, "3 reads of 1 group"},
		"fork":             {[]history.Op{x, y, glanceOf("xy", "1-", 2, 3), glanceOf("yx", "1-", 2, 4)}, check.Violation, `two reads see the writes of "x" and "y" in opposite orders`},
		"with more":        {[]history.Op{x, y, glanceOf("xyz", "1--", 2, 3), glanceOf("wyx", "-1-", 2, 4)}, check.Violation, "opposite orders"},
		"not both read":    {[]history.Op{x, y, glanceOf("xy", "1-", 2, 3), glanceOf("yz", "1-", 2, 4)}, check.Pass, ""},
		"of other groups":  {[]history.Op{x, y, glanceOf("xy", "1-", 2, 3), other}, check.Pass, "2 groups"},
		"of unknown ones":  {[]history.Op{checktest.Unknown(x), checktest.Unknown(y), glanceOf("xy", "1-", 2, 3), glanceOf("xy", "-1", 2, 4)}, check.Violation, ""},
		"not answered":     {[]history.Op{x, y, glanceOf("xy", "1-", 2, 3), checktest.Failed(glanceOf("xy", "-1", 2, 4))}, check.Pass, ""},
		"no read":          {[]history.Op{x, y}, check.Unknown, "no read"},
		"written twice":    {[]history.Op{x, onceWritten("x", 11, 12)}, check.Unknown, "written once"},
		"no such function": {[]history.Op{checktest.At(1, "n1", objects.Add, "1", "", 1, 2)}, check.Unknown, "does not know"},
	} {
		res := checkForks(t, tt.ops...)
		if res.Verdict != tt.want || !strings.Contains(strings.ReplaceAll(res.Summary, " x ", ` "x" `)+strings.NewReplacer("of x and y", `of "x" and "y"`).Replace(res.Summary), tt.says) {
			t.Errorf("%s: %s: %s", name, res.Verdict, res.Told())
		}
	}
	var many []history.Op
	for i := range 70 {
		many = append(many, onceWritten("r"+strconv.Itoa(i), 1, 2))
	}
	if res := checkForks(t, many...); res.Verdict != check.Unknown || !strings.Contains(res.Summary, "more than 64") {
		t.Errorf("%s: %s", res.Verdict, res.Summary)
	}
}

// TestLongForkByDefinition holds the check against all pairs of reads and of registers, on
// random reads of three registers.
func TestLongForkByDefinition(t *testing.T) {
	count := map[check.Verdict]int{}
	for seed := range uint64(machinetest.Rounds(3_000, 50_000)) {
		rng := rand.New(rand.NewPCG(5, seed))
		var ops []history.Op
		var asked, found []string
		for range 1 + rng.IntN(4) {
			name := []string{"xy", "xyz", "zx", "yz"}[rng.IntN(4)]
			seen := ""
			for range name {
				seen += string("-1"[rng.IntN(2)])
			}
			at := rng.Int64N(5)
			ops, asked, found = append(ops, glanceOf(name, seen, at, at+rng.Int64N(5))), append(asked, name), append(found, seen)
		}
		sees := func(i int, name string) (in, is bool) {
			k := strings.Index(asked[i], name)
			return k >= 0, k >= 0 && found[i][k] == '1'
		}
		want := check.Pass
		for i := range ops {
			for k := range ops {
				for _, p := range []string{"xy", "yz", "xz"} {
					ax, isAX := sees(i, p[:1])
					ay, isAY := sees(i, p[1:])
					bx, isBX := sees(k, p[:1])
					by, isBY := sees(k, p[1:])
					if ax && ay && bx && by && isAX && !isAY && isBY && !isBX {
						want = check.Violation
					}
				}
			}
		}
		if res := checkForks(t, ops...); res.Verdict != want {
			t.Fatalf("seed %d: %s, want %s: %q %q", seed, res.Verdict, want, asked, found)
		}
		count[want]++
	}
	if least := machinetest.Rounds(300, 3000); count[check.Pass] < least || count[check.Violation] < least {
		t.Errorf("too few of one kind: %v", count)
	}
}
