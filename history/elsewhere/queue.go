package elsewhere

import (
	"squall/history"
	"squall/history/objects"
)

func queueFunctions() history.Functions {
	return history.Functions{
		{Name: objects.Enqueue, Text: "enqueue({key}) ← {in}"},
		{Name: objects.Dequeue, Text: "dequeue({key})", Answer: " → {out}"},
	}
}

// translateQueue reads queues: a dequeue is answered with what it took, or with nil where
// there was nothing.
func translateQueue(_ *translator, c *call, op *history.Op) error {
	op.Func = history.Func(c.begin.f)
	if c.begin.f == "enqueue" {
		v, err := c.asked("its value")
		if err == nil {
			op.In = element(v)
		}
		return err
	}
	switch {
	case !c.answered():
		return nil
	case c.out == nil:
		return damaged(c.endLine(), "a dequeue that was answered without its value")
	}
	if op.Out = history.Null; !c.out.isNil() {
		op.Out = element(c.out)
	}
	return nil
}

func initialQueue(_ *translator, v *value) ([]history.Op, error) {
	if !isCollection(v) {
		return nil, choice("a queue holds at first a vector of values, such as [1 2], and not %s", v.String())
	}
	var ops []history.Op
	for i := range v.list {
		ops = append(ops, history.Op{Func: objects.Enqueue, In: element(&v.list[i])})
	}
	return ops, nil
}
