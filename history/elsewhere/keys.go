package elsewhere

import "squall/internal/plain"

// splitKeys finds the keys of operations: in :key, or in values that are tuples [key value],
// as jepsen.independent makes them.
func (m *Imported) splitKeys(calls []*call) error {
	var names keyNames
	for _, c := range calls {
		c.in = c.begin.value
		if c.end != nil {
			c.out = c.end.value
		}
		if key := c.begin.key; key != nil && !key.isNil() {
			names = append(names, key)
		}
	}
	switch {
	case len(names) > 0:
		m.Keyed = true
		name := names.one()
		for _, c := range calls {
			if c.begin.key != nil && !c.begin.key.isNil() {
				c.key = name(c.begin.key)
			}
			if k := c.end; k != nil && k.key != nil && !k.key.isNil() && name(k.key) != c.key {
				return damaged(int(k.line), "an operation ends on the key %s, and was called on %s", plain.Excerpt([]byte(name(k.key))), plain.Excerpt([]byte(c.key)))
			}
		}
	case independent(calls):
		return m.splitTuples(calls)
	}
	return nil
}

// splitTuples finds keys in tuples.
func (m *Imported) splitTuples(calls []*call) error {
	m.Keyed, m.Independent = true, true
	var names keyNames
	for _, c := range calls {
		if !isTuple(c.in) {
			return damaged(int(c.begin.line), "other operations name their keys in tuples [key value], and this one does not: %s", plain.Excerpt([]byte(show(c.in))))
		}
		names = append(names, &c.in.list[0])
	}
	name := names.one()
	for _, c := range calls {
		key := c.in.list[0].String()
		c.key, c.in = name(&c.in.list[0]), &c.in.list[1]
		switch {
		case c.out == nil:
		case isTuple(c.out) && c.out.list[0].String() == key:
			c.out = &c.out.list[1]
		case c.end.typ == typeOK:
			return damaged(int(c.end.line), "an operation on the key %s ends with %s", plain.Excerpt([]byte(key)), plain.Excerpt([]byte(show(c.out))))
		default:
			c.out = nil
		}
	}
	return nil
}

// keyNames are the keys of a history.
type keyNames []*value

// one is how keys are called. Where all are strings, each is called by its own text: "1" is
// not the number 1, but there is no other to take it for.
func (k keyNames) one() func(v *value) string {
	for _, v := range k {
		if v.kind != kindString {
			return (*value).name
		}
	}
	return func(v *value) string {
		if v.kind == kindString {
			return v.text
		}
		return v.name()
	}
}

// independent reports whether operations name their keys in tuples. A read that asks for
// [key nil] tells, and so does a compare-and-set of [key [old new]]: neither can be anything
// else.
func independent(calls []*call) bool {
	for _, c := range calls {
		switch c.begin.f {
		case "read", "get", "acquire", "release":
			if isTuple(c.in) && c.in.list[1].isNil() {
				return true
			}
		case "cas":
			if isTuple(c.in) && isTuple(&c.in.list[1]) {
				return true
			}
		}
	}
	return false
}

func isTuple(v *value) bool { return v != nil && v.kind == kindVector && len(v.list) == 2 }

// show is a value for an error.
func show(v *value) string {
	if v == nil {
		return "nothing"
	}
	return v.String()
}
