package elsewhere

import (
	"squall/history"
	"squall/history/objects"
	"squall/internal/plain"
)

// micro is one operation of a transaction, and where it stands.
type micro struct {
	word  string
	key   history.Data
	value *value
}

// micros reads the operations of a transaction.
func micros(line int, c *call, v *value) ([]micro, error) {
	if v == nil || v.kind != kindVector || len(v.list) == 0 {
		return nil, misfit(line, c, v, "a vector of operations, such as [[:r 1 nil] [:append 2 3]]")
	}
	if len(v.list) > objects.MaxTxnOps {
		return nil, damaged(line, "a transaction of %d operations; at most %d can be checked", len(v.list), objects.MaxTxnOps)
	}
	out := make([]micro, len(v.list))
	for i := range v.list {
		o := &v.list[i]
		if out[i].word = microWord(o); out[i].word == "" || len(o.list) != 3 {
			return nil, damaged(line, "a transaction has %s, which is no operation with a function, a key and a value", plain.Excerpt([]byte(o.String())))
		}
		out[i].key, out[i].value = history.Text(o.list[1].name()), &o.list[2]
	}
	return out, nil
}

// txn translates a transaction: each of its operations as asked and as answered.
func (c *call) txn(op *history.Op, one func(line int, asked micro, answer *value) (in, out history.Data, reads bool, err error)) error {
	v := c.in
	if v == nil && c.answered() {
		v = c.out
	}
	asked, err := micros(int(c.begin.line), c, v)
	if err != nil {
		return err
	}
	answers := asked
	if c.answered() {
		if answers, err = micros(c.endLine(), c, c.out); err != nil {
			return err
		}
		if len(answers) != len(asked) {
			return damaged(c.endLine(), "a transaction of %d operations ends with %d", len(asked), len(answers))
		}
	}
	var in, out []history.Data
	op.Func = history.Read
	for i, a := range asked {
		if b := answers[i]; b.word != a.word || b.key != a.key {
			return damaged(c.endLine(), "a transaction ends with other operations than it began with: %s of %s in place of %s of %s",
				plain.Excerpt([]byte(b.word)), b.key.Show(), plain.Excerpt([]byte(a.word)), a.key.Show())
		}
		var answer *value
		if c.answered() {
			answer = answers[i].value
		}
		asks, answered, reads, err := one(int(c.begin.line), a, answer)
		if err != nil {
			return err
		}
		if !reads {
			op.Func = objects.Txn
		}
		if in = append(in, asks); c.answered() {
			out = append(out, answered)
		}
	}
	if op.In = history.List(in...); c.answered() {
		op.Out = history.List(out...)
	}
	return nil
}

// stored is what a transaction stores: it must be answered with the same.
func stored(line int, a micro, answer *value, c *call) (history.Data, error) {
	switch {
	case a.value.isNil():
		return "", damaged(line, "a transaction has %s of %s without a value", plain.Excerpt([]byte(a.word)), a.key.Show())
	case answer != nil && answer.String() != a.value.String():
		return "", damaged(c.endLine(), "a transaction ends with %s of %s in place of %s", plain.Excerpt([]byte(a.word)),
			plain.Excerpt([]byte(answer.String())), plain.Excerpt([]byte(a.value.String())))
	}
	return history.Text(a.value.name()), nil
}

func translateAppend(_ *translator, c *call, op *history.Op) error {
	return c.txn(op, func(line int, a micro, answer *value) (in, out history.Data, reads bool, err error) {
		o := objects.TxnOp{Key: a.key}
		switch a.word {
		case "append":
			o.Element, err = stored(line, a, answer, c)
			in = o.Data("")
			return in, in, false, err
		case "r", "read":
		default:
			return "", "", false, damaged(line, "a transaction has the operation %s; it can have :append and :r", plain.Excerpt([]byte(a.word)))
		}
		in = o.Data(history.Null)
		if answer == nil || answer.isNil() {
			return in, in, true, nil
		}
		if answer.kind != kindVector {
			return "", "", true, damaged(c.endLine(), "a transaction read %s of %s, which is no list", plain.Excerpt([]byte(answer.String())), a.key.Show())
		}
		elements := make([]history.Data, len(answer.list))
		for i := range answer.list {
			elements[i] = history.Text(answer.list[i].name())
		}
		return in, o.Data(history.List(elements...)), true, nil
	})
}

func translateRegisters(t *translator, c *call, op *history.Op) error {
	return c.txn(op, func(line int, a micro, answer *value) (in, out history.Data, reads bool, err error) {
		o := objects.RegisterOp{Key: a.key}
		switch a.word {
		case "w", "write":
			o.Writes = true
			o.Value, err = stored(line, a, answer, c)
			in = o.Data()
			return in, in, false, err
		case "r", "read":
		default:
			return "", "", false, damaged(line, "a transaction has the operation %s; it can have :r and :w", plain.Excerpt([]byte(a.word)))
		}
		in = o.Data()
		if answer == nil {
			return in, in, true, nil
		}
		o.Value = history.Null
		if !answer.isNil() {
			o.Value = history.Text(answer.name())
		}
		return in, o.Data(), true, nil
	})
}

func initialRegisters(_ *translator, v *value) ([]history.Op, error) {
	if v.kind != kindMap {
		return nil, choice("several registers hold at first a map, such as {:x 0, :y 0}, and not %s", v.String())
	}
	var ops []history.Op
	for i := 0; i+1 < len(v.list); i += 2 {
		if v.list[i+1].isNil() {
			continue
		}
		o := objects.RegisterOp{Key: history.Text(v.list[i].name()), Writes: true, Value: history.Text(v.list[i+1].name())}
		ops = append(ops, history.Op{Func: objects.Txn, In: history.List(o.Data()), Out: history.List(o.Data())})
	}
	return ops, nil
}
