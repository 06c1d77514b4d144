package linearizable

import (
	"fmt"
	"strings"

	"squall/history"
	"squall/history/objects"
)

// KVModel is a text, empty at first, that is put in place, appended to, and got.
func KVModel() Model {
	spec := kv()
	spec.fast = decideKV
	return spec.Model()
}

func kv() Spec[string, kvOp] {
	return Spec[string, kvOp]{
		Name: "kv",
		Doc:  "put a text, append to it, and get it",
		Functions: history.Functions{
			{Name: objects.Get, Reads: true, Text: "get({key})", Answer: " → {out}"},
			{Name: objects.Put, Text: "put({key}) ← {in}"},
			{Name: objects.Append, Text: "append({key}) {in}"},
		},
		Parse: parseKV,
		Step:  stepKV,
		Text:  func(s string) string { return history.Text(s).Show() },
		unnoticed: func(list []entry[kvOp]) func(kvOp) bool {
			var got strings.Builder
			for i := range list {
				if o := &list[i].said; o.does == objects.Get {
					got.WriteString(o.text)
					got.WriteByte(0)
				}
			}
			all := got.String()
			return func(o kvOp) bool { return o.does != objects.Get && o.text != "" && !strings.Contains(all, o.text) }
		},
	}
}

// kvOp is an operation: what it puts, appends or got.
type kvOp struct {
	does history.Func
	text string
	// after is what the text was right after this put or append, where knows says that the
	// gets tell that.
	after string
	knows bool
}

func parseKV(op *history.Op) (kvOp, error) {
	o, isText := kvOp{does: op.Func}, false
	if op.Func != objects.Get {
		if o.text, isText = op.In.Text(); !isText {
			return o, fmt.Errorf(`a %s without its text "i", a string: it is %s`, op.Func, objects.Brief(op.In))
		}
		return o, objects.NoData(op, true, false)
	}
	if op.Outcome == history.OK {
		if o.text, isText = op.Out.Text(); !isText {
			return o, fmt.Errorf(`a get that was answered without its result "o", a string: it is %s`, objects.Brief(op.Out))
		}
	}
	return o, objects.NoData(op, false, true)
}

func stepKV(s string, o kvOp) []string {
	switch o.does {
	case objects.Get:
		if s != o.text {
			return nil
		}
		return []string{s}
	case objects.Append:
		o.text = s + o.text
	}
	if o.knows && o.text != o.after {
		return nil
	}
	return []string{o.text}
}

// decideKV decides about texts whose pieces can be told apart.
//
// A get that shows a piece that was written once also shows what the text was right after
// that piece came: all up to its end. So it is known beforehand, and any other state is
// refused at once. Without that, a walk among fifty clients would go through the orders of
// their appends until the next get.
func decideKV(list []entry[kvOp], g *guard) answer {
	mark, apart := pieceMark(list)
	if !apart {
		return undecided
	}
	written, after := make(map[string]int), make(map[string]string)
	for i := range list {
		o := &list[i].said
		if o.does != objects.Get {
			written[o.text]++
			continue
		}
		for from := 0; from < len(o.text); {
			to := len(o.text)
			if next := strings.IndexByte(o.text[from+1:], mark); next >= 0 {
				to = from + 1 + next
			}
			after[o.text[from:to]] = o.text[:to]
			from = to
		}
		if g.stopped() {
			return undecided
		}
	}
	spec := kv()
	e := &entries[string, kvOp]{spec: &spec, list: append([]entry[kvOp](nil), list...)}
	for i := range e.list {
		o := &e.list[i].said
		if o.does != objects.Get && written[o.text] == 1 {
			o.after, o.knows = after[o.text]
		}
	}
	got, _ := e.walks(g)
	return got
}

// pieceMark is the byte with which every piece that is written begins and which is nowhere
// else in one: then a text has one way to be cut into pieces.
func pieceMark(list []entry[kvOp]) (mark byte, apart bool) {
	for i := range list {
		o := &list[i].said
		if o.does == objects.Get {
			continue
		}
		if o.text == "" || apart && o.text[0] != mark || strings.IndexByte(o.text[1:], o.text[0]) >= 0 {
			return 0, false
		}
		mark, apart = o.text[0], true
	}
	return mark, apart
}
