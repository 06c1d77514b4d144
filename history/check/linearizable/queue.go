package linearizable

import (
	"fmt"
	"strings"

	"squall/history"
	"squall/history/objects"
)

// FIFOQueueModel is a queue, empty at first: what was put in first is taken out first. One
// into which each value is put once is decided in n log n.
func FIFOQueueModel() Model {
	return queueSpec("fifo-queue", "enqueue values, and dequeue them in the same order", stepFIFO, true).Model()
}

// QueueModel is a queue, empty at first, that does not keep an order: what was put in is
// taken out once.
func QueueModel() Model {
	return queueSpec("queue", "enqueue values, and dequeue them in any order", stepAnyOrder, false).Model()
}

func queueSpec(name, doc string, step func(s string, o queueOp) []string, fifo bool) Spec[string, queueOp] {
	return Spec[string, queueOp]{
		Name: name,
		Doc:  doc,
		Functions: history.Functions{
			{Name: objects.Enqueue, Text: "enqueue({key}) ← {in}"},
			{Name: objects.Dequeue, Text: "dequeue({key})", Answer: " → {out}"},
		},
		Parse:     parseQueue,
		Step:      step,
		Text:      textQueue,
		observes:  func(o queueOp) bool { return o.foundNone() },
		unnoticed: unseenValues,
		parts: func(o queueOp) []string {
			if o.value == "" || o.foundNone() {
				return nil
			}
			return []string{string(o.value)}
		},
		without: func(o queueOp, gone map[string]bool) (queueOp, bool) { return o, !gone[string(o.value)] },
		fast:    func(list []entry[queueOp], g *guard) answer { return decideQueue(list, fifo, g) },
		explain: func(v *violation[queueOp]) explanation { return explainQueue(v, fifo) },
	}
}

// queueOp is an operation of a queue. A state of a queue is its values, each with an end of
// line behind it, which no JSON text has: a FIFO's by age, and else sorted.
type queueOp struct {
	enqueues bool
	// value was put in, or taken out: null where there was none, "" while that is not known.
	value history.Data
}

// foundNone says of a dequeue that the queue was empty.
func (o queueOp) foundNone() bool { return !o.enqueues && o.value == history.Null }

func parseQueue(op *history.Op) (queueOp, error) {
	if op.Func == objects.Enqueue {
		if !objects.IsElement(op.In) {
			return queueOp{}, fmt.Errorf(`an enqueue without its value "i", a string or a number: it is %s`, objects.Brief(op.In))
		}
		return queueOp{true, op.In}, objects.NoData(op, true, false)
	}
	if op.Outcome == history.OK && op.Out != history.Null && !objects.IsElement(op.Out) {
		return queueOp{}, fmt.Errorf(`a dequeue that was answered without its value "o", a string or a number, or null where there was none: it is %s`, objects.Brief(op.Out))
	}
	return queueOp{false, op.Out}, objects.NoData(op, false, true)
}

func stepFIFO(s string, o queueOp) []string {
	first, rest, any := strings.Cut(s, "\n")
	switch {
	case o.enqueues:
		return []string{s + string(o.value) + "\n"}
	case o.value == "": // whatever was first
		return []string{rest}
	case !any && o.foundNone(), any && first == string(o.value):
		return []string{rest}
	}
	return nil
}

func stepAnyOrder(s string, o queueOp) (out []string) {
	if o.foundNone() {
		if s == "" {
			out = []string{s}
		}
		return out
	}
	if s == "" && o.value == "" {
		return []string{s}
	}
	before := 0
	for before < len(s) {
		one := s[before : before+strings.IndexByte(s[before:], '\n')+1]
		switch value := one[:len(one)-1]; {
		case o.enqueues:
			if value >= string(o.value) {
				return []string{s[:before] + string(o.value) + "\n" + s[before:]}
			}
		case o.value == "" || value == string(o.value):
			left := s[:before] + s[before+len(one):]
			if o.value != "" {
				return []string{left}
			}
			out = append(out, left)
		}
		before += len(one)
	}
	if o.enqueues {
		return []string{s + string(o.value) + "\n"}
	}
	return out
}

func textQueue(s string) string {
	if s == "" {
		return "empty"
	}
	var values []string
	for value := range strings.Lines(s) {
		values = append(values, history.Data(strings.TrimSuffix(value, "\n")).Show())
	}
	return strings.Join(values, " ")
}

// unseenValues says of an enqueue of unknown outcome that nobody was answered its value. In
// an order of all operations it may as well be missing, and with it who took the value.
func unseenValues(list []entry[queueOp]) func(queueOp) bool {
	seen := make(map[history.Data]bool)
	for i := range list {
		if o := &list[i].said; !o.enqueues {
			seen[o.value] = true
		}
	}
	return func(o queueOp) bool { return o.enqueues && !seen[o.value] }
}
