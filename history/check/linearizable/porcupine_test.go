package linearizable

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
)

const recorded = "testdata/porcupine"

// TestRecordedHistories checks the histories that porcupine's authors recorded
// or collected, and whose verdicts are known.
func TestRecordedHistories(t *testing.T) {
	expected, err := os.ReadFile(filepath.Join(recorded, "expected.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(expected)) {
		name, verdict, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		n++
		want := map[string]answer{"true": legal, "false": illegal}[verdict]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got answer
			if strings.HasPrefix(name, "jepsen/") {
				got = checkJepsen(t, filepath.Join(recorded, name))
			} else {
				got = checkKV(t, filepath.Join(recorded, name))
			}
			if got != want {
				t.Errorf("linearizable: %v, want %v", got, want)
			}
		})
	}
	if n != 108 {
		t.Errorf("%d histories, want 108", n)
	}
}

func checkJepsen(t *testing.T, path string) answer {
	in := &check.Input{History: &history.History{Header: checktest.Registers(), Ops: jepsenOps(t, path)}, Dir: t.TempDir()}
	res := Checker(RegisterModel()).Check(t.Context(), in)
	switch res.Verdict {
	case check.Pass:
		return legal
	case check.Violation:
		checkWitness(t, in, res)
		return illegal
	}
	t.Error(res.Summary)
	return undecided
}

var jepsenLine = regexp.MustCompile(`^INFO\s+jepsen\.util\s+-\s+(\d+)\s+:(invoke|ok|fail|info)\s+:(read|write|cas)\s+(.*)$`)

// jepsenOps reads a log of Jepsen's; line numbers stand for times.
func jepsenOps(t *testing.T, path string) []history.Op {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var ops []history.Op
	open := make(map[int64]int)
	now := int64(0)
	for line := range strings.Lines(string(data)) {
		m := jepsenLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		now++
		p, _ := strconv.ParseInt(m[1], 10, 64)
		args := strings.Fields(strings.Trim(m[4], "[]"))
		if m[2] == "invoke" {
			op := history.Op{Process: p, Func: history.Func(m[3]), Call: now, Outcome: history.Info}
			switch op.Func {
			case history.Write:
				op.In = history.Text(args[0])
			case history.CAS:
				op.In = history.List(history.Text(args[0]), history.Text(args[1]))
			}
			open[p] = len(ops)
			ops = append(ops, op)
			continue
		}
		op := &ops[open[p]]
		op.Return, op.Outcome = now, history.Outcome(m[2])
		if m[2] == "ok" {
			switch {
			case op.Func == history.CAS:
				op.Out = history.True
			case op.Func == history.Read && args[0] == "nil":
				op.Out = history.Null
			case op.Func == history.Read:
				op.Out = history.Text(args[0])
			}
		}
	}
	return ops
}

// kvInput is one operation of the get/put/append histories.
type kvInput struct {
	fn, value string
}

// kvModel is one key of their store; its state is the value.
//
// Nearly every piece that is put or appended, like "x 3 14 y", is written once.
// So a get that shows a piece also shows what the value was right after that
// piece came: the answer up to there. The model knows that beforehand and
// refuses any other state at once; otherwise a search of fifty clients would go
// through the orders of their appends until the next get.
func kvModel(ops []porcupine.Operation) porcupine.Model {
	after, written := map[string]string{}, map[string]int{}
	for _, op := range ops {
		if in := op.Input.(kvInput); in.fn != "get" {
			written[in.value]++
			continue
		}
		out := op.Output.(string)
		for _, at := range kvPiece.FindAllStringIndex(out, -1) {
			after[out[at[0]:at[1]]] = out[:at[1]]
		}
	}
	return porcupine.Model{
		Init: func() any { return "" },
		Step: func(state, input, output any) (bool, any) {
			in := input.(kvInput)
			if in.fn == "get" {
				return output.(string) == state.(string), state
			}
			next := in.value
			if in.fn == "append" {
				next = state.(string) + in.value
			}
			seen, is := after[in.value]
			return !is || seen == next || written[in.value] > 1, next
		},
	}
}

var kvPiece = regexp.MustCompile(`x \d+ \d+ y`)

var kvLine = regexp.MustCompile(`^{:process (\d+), :type :(invoke|ok), :f :(get|put|append), :key "(.*)", :value (?:nil|"(.*)")}$`)

// checkKV checks a get/put/append history on the same pool, under the same
// watch, as registers are.
func checkKV(t *testing.T, path string) answer {
	data, err := os.ReadFile(path)
	checktest.Must(t, err)
	keys := map[string][]porcupine.Operation{}
	type place struct {
		key string
		i   int
	}
	open := map[string]place{}
	now := int64(0)
	for line := range strings.Lines(string(data)) {
		m := kvLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			t.Fatalf("%s: what is this? %s", path, line)
		}
		now++
		process, key := m[1], m[4]
		if m[2] == "invoke" {
			open[process] = place{key, len(keys[key])}
			keys[key] = append(keys[key], porcupine.Operation{Input: kvInput{m[3], m[5]}, Call: now, Output: "", Return: forever})
			continue
		}
		op := &keys[key][open[process].i]
		op.Return, op.Output = now, m[5]
	}
	w := startWatch(t.Context(), 4<<30)
	defer w.close()
	parts := slices.Collect(maps.Values(keys))
	answers := make([]porcupine.CheckResult, len(parts))
	var bad atomic.Bool // one key that is not linearizable settles it
	inRounds(len(parts), check.Limits{Time: time.Minute, Workers: 2}, func(i int, deadline time.Time) bool {
		if bad.Load() {
			return false
		}
		answers[i] = w.run(kvModel(parts[i]), parts[i], deadline, false).result
		if answers[i] == porcupine.Illegal {
			bad.Store(true)
		}
		return answers[i] == porcupine.Unknown
	})
	switch {
	case bad.Load():
		return illegal
	case slices.Contains(answers, porcupine.Unknown):
		return undecided
	}
	return legal
}
