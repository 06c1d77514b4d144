package elsewhere

import (
	"strconv"

	"squall/history"
	"squall/history/objects"
)

func registerFunctions() history.Functions { return history.RegisterFunctions() }

func translateRegister(t *translator, c *call, op *history.Op) error {
	op.Func = history.Func(c.begin.f)
	switch c.begin.f {
	case "read":
		v, err := t.found(c)
		if v != nil {
			op.Out = t.held(v)
		}
		return err
	case "write":
		v, err := c.asked("its value")
		if err == nil {
			op.In = history.Text(v.name())
		}
		return err
	case "cas":
		return t.cas(c, op)
	}
	return nil
}

// held is what a register held: nil is what it holds at first.
func (t *translator) held(v *value) history.Data {
	if v.isNil() && t.initial != nil {
		v = t.initial
	}
	if v.isNil() {
		return history.Null
	}
	return history.Text(v.name())
}

func (t *translator) cas(c *call, op *history.Op) error {
	v, err := c.asked("what it expects and stores")
	if err != nil {
		return err
	}
	const want = "a vector of what it expects and what it stores"
	switch {
	case isTuple(v) && !v.list[1].isNil():
		op.In = history.List(t.held(&v.list[0]), history.Text(v.list[1].name()))
	case op.Outcome == history.Fail && !isTuple(v):
		op.In = history.List(history.Null, history.Text("?"))
	default:
		return misfit(int(c.begin.line), c, v, want)
	}
	op.Out = history.True
	if e := c.end; e != nil && e.typ == typeFail && isTuple(e.err) {
		if word, _ := e.err.list[0].word(); word == "found" { // it tells what there was instead
			op.Outcome, op.Out = history.OK, `{"found":`+t.held(&e.err.list[1])+"}"
		}
	}
	return nil
}

func initialRegister(_ *translator, v *value) ([]history.Op, error) {
	if v.isNil() {
		return nil, nil
	}
	return []history.Op{{Func: history.Write, In: history.Text(v.name())}}, nil
}

func setFunctions() history.Functions {
	return history.Functions{
		{Name: objects.Add, Text: "add({key}) {in}"},
		{Name: history.Read, Reads: true, Text: "read({key})", Answer: " → {out}"},
	}
}

// element is a value as an element of a set.
func element(v *value) history.Data {
	if v.kind == kindInt {
		return history.Data(v.text)
	}
	return history.Text(v.name())
}

func translateSet(t *translator, c *call, op *history.Op) error {
	op.Func = history.Func(c.begin.f)
	if c.begin.f == "add" {
		v, err := c.asked("its element")
		if err == nil {
			op.In = element(v)
		}
		return err
	}
	v, err := t.found(c)
	if v == nil || err != nil {
		return err
	}
	if !isCollection(v) && !v.isNil() {
		return misfit(c.endLine(), c, v, "a set or a vector of elements")
	}
	elements := make([]history.Data, len(v.list))
	for i := range v.list {
		elements[i] = element(&v.list[i])
	}
	op.Out = history.List(elements...)
	return nil
}

func initialSet(_ *translator, v *value) ([]history.Op, error) {
	if !isCollection(v) {
		return nil, choice("a set holds at first a set or a vector of elements, such as #{1 2}, and not %s", v.String())
	}
	var ops []history.Op
	for i := range v.list {
		ops = append(ops, history.Op{Func: objects.Add, In: element(&v.list[i])})
	}
	return ops, nil
}

// count is a whole number of at most 2^53.
func count(v *value) (history.Data, bool) {
	n, ok := v.int64()
	return history.Data(strconv.FormatInt(n, 10)), ok && n <= mostProcess && n >= -mostProcess
}

func translateCounter(t *translator, c *call, op *history.Op) error {
	op.Func = history.Func(c.begin.f)
	const want = "a whole number of at most 2^53"
	fine := true
	if c.begin.f == "add" {
		v, err := c.asked("its number")
		if err != nil {
			return err
		}
		if op.In, fine = count(v); !fine && op.Outcome != history.Fail {
			return misfit(int(c.begin.line), c, v, want)
		}
		return nil
	}
	v, err := t.found(c)
	switch {
	case v == nil || err != nil:
		return err
	case v.isNil():
		op.Out = "0"
		if t.initial != nil {
			op.Out, _ = count(t.initial)
		}
		return nil
	}
	if op.Out, fine = count(v); !fine {
		return misfit(c.endLine(), c, v, want)
	}
	return nil
}

func initialCounter(_ *translator, v *value) ([]history.Op, error) {
	n, fine := count(v)
	if !fine {
		return nil, choice("a counter is at first a whole number of at most 2^53, and not %s", v.String())
	}
	return []history.Op{{Func: objects.Add, In: n}}, nil
}

func mutexFunctions() history.Functions {
	return history.Functions{{Name: objects.Acquire, Text: "acquire({key})"}, {Name: objects.Release, Text: "release({key})"}}
}

func translateMutex(_ *translator, c *call, op *history.Op) error {
	op.Func = history.Func(c.begin.f)
	return nil
}

func lockFunctions() history.Functions {
	return history.Functions{
		{Name: objects.Acquire, Text: "acquire({key}) by {in}", Answer: " → {out}"},
		{Name: objects.Release, Text: "release({key}) by {in.0}, token {in.1}", Answer: ": {out}"},
	}
}

// translateLock reads locks as Export writes them: an acquire has its owner, and ends with
// [owner token], or fails with [:held owner]; a release has [owner token], and is answered or
// fails with :not-held.
func translateLock(_ *translator, c *call, op *history.Op) error {
	op.Func = history.Func(c.begin.f)
	ownerToken := func(v *value) (owner, token history.Data, ok bool) {
		if !isTuple(v) || v.list[0].kind != kindString {
			return "", "", false
		}
		token, ok = count(&v.list[1])
		return history.Text(v.list[0].text), token, ok
	}
	reason := ""
	if c.end != nil && c.end.err != nil {
		reason, _ = c.end.err.word()
	}
	if c.begin.f == "release" {
		owner, token, ok := ownerToken(c.in)
		if !ok {
			return misfit(int(c.begin.line), c, c.in, "a vector of its owner, a string, and its token")
		}
		op.In, op.Out = history.List(owner, token), history.True
		if op.Outcome == history.Fail && reason == "not-held" {
			op.Outcome, op.Out = history.OK, history.False
		}
		return nil
	}
	if c.in == nil || c.in.kind != kindString {
		return misfit(int(c.begin.line), c, c.in, "its owner, a string")
	}
	op.In = history.Text(c.in.text)
	if op.Outcome == history.OK {
		owner, token, ok := ownerToken(c.out)
		if !ok || owner != op.In {
			return misfit(c.endLine(), c, c.out, "a vector of its owner and its token")
		}
		op.Out = token
	}
	if e := c.end; e != nil && e.typ == typeFail && isTuple(e.err) && e.err.list[1].kind == kindString {
		if word, _ := e.err.list[0].word(); word == "held" {
			op.Outcome, op.Out = history.OK, history.Text(e.err.list[1].text)
		}
	}
	return nil
}

func kvFunctions() history.Functions {
	return history.Functions{
		{Name: objects.Get, Reads: true, Text: "get({key})", Answer: " → {out}"},
		{Name: objects.Put, Text: "put({key}) ← {in}"},
		{Name: objects.Append, Text: "append({key}) {in}"},
	}
}

// text is a value of a text: a string as it is, so that what was appended adds up.
func text(v *value) history.Data {
	switch {
	case v.isNil():
		return history.Text("")
	case v.kind == kindString:
		return history.Text(v.text)
	}
	return history.Text(v.String())
}

func translateKV(t *translator, c *call, op *history.Op) error {
	op.Func = history.Func(c.begin.f)
	if c.begin.f != "get" {
		v, err := c.asked("its text")
		if err == nil {
			op.In = text(v)
		}
		return err
	}
	v, err := t.found(c)
	if v != nil {
		if v.isNil() && t.initial != nil {
			v = t.initial
		}
		op.Out = text(v)
	}
	return err
}

func initialKV(_ *translator, v *value) ([]history.Op, error) {
	return []history.Op{{Func: objects.Put, In: text(v)}}, nil
}
