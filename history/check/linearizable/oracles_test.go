package linearizable

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"squall/history"
	"squall/history/objects"
)

func drawMutex(t *rapid.T, op *history.Op) {
	op.Func = rapid.SampledFrom([]history.Func{objects.Acquire, objects.Release}).Draw(t, "func")
}

func mutexByDefinition(state any, op *history.Op) []any {
	switch held := state.(bool); {
	case op.Func == objects.Acquire && !held:
		return []any{true}
	case op.Func == objects.Release && held:
		return []any{false}
	}
	return nil
}

// drawKV draws pieces that can be told apart, most of them written once, and now and then
// one that spoils that.
func drawKV(t *rapid.T, op *history.Op) {
	op.Func = rapid.SampledFrom([]history.Func{objects.Append, objects.Append, objects.Put, objects.Get, objects.Get}).Draw(t, "func")
	pieces := []string{"x1", "x2", "x3", "x4", "x5", "x12", "", "1x"}
	if op.Func != objects.Get {
		op.In = history.Text(rapid.SampledFrom(pieces[:rapid.SampledFrom([]int{6, 6, 6, 8}).Draw(t, "kinds")]).Draw(t, "piece"))
		return
	}
	text := ""
	for _, piece := range rapid.SliceOfN(rapid.SampledFrom(pieces[:3]), 0, 3).Draw(t, "found") {
		text += piece
	}
	op.Out = history.Text(text)
}

func kvByDefinition(state any, op *history.Op) []any {
	text := state.(string)
	in, _ := op.In.Text()
	switch op.Func {
	case objects.Put:
		return []any{in}
	case objects.Append:
		return []any{text + in}
	}
	if out, _ := op.Out.Text(); out != text {
		return nil
	}
	return []any{text}
}

// drawRegisters draws a transaction on the registers "a" and "b".
func drawRegisters(t *rapid.T, op *history.Op) {
	var in, out []history.Data
	op.Func = history.Read
	for range rapid.IntRange(1, 3).Draw(t, "operations") {
		o := objects.RegisterOp{Key: history.Text(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key"))}
		if o.Writes = rapid.Bool().Draw(t, "writes"); o.Writes {
			op.Func = objects.Txn
			o.Value = history.Text(fmt.Sprint(rapid.IntRange(1, 2).Draw(t, "value")))
			in, out = append(in, o.Data()), append(out, o.Data())
			continue
		}
		in = append(in, o.Data())
		o.Value = rapid.SampledFrom([]history.Data{history.Null, `"1"`, `"2"`}).Draw(t, "found")
		out = append(out, o.Data())
	}
	op.In, op.Out = history.List(in...), history.List(out...)
}

func registersByDefinition(state any, op *history.Op) []any {
	now := state.([2]string)
	of := op.In
	if op.Outcome == history.OK {
		of = op.Out
	}
	for e := range of.Elements() {
		o := slices.Collect(e.Elements())
		at := 0
		if o[1] == `"b"` {
			at = 1
		}
		switch {
		case o[0] == `"w"`:
			now[at] = string(o[2])
		case op.Outcome == history.OK && now[at] != string(o[2]):
			return nil
		}
	}
	return []any{now}
}
