package linearizable

import (
	"iter"
	"slices"
	"strings"

	"squall/history"
	"squall/history/objects"
)

// MultiRegisterModel is all registers of a history as one object, all absent at first,
// which transactions read and write at once. So that it has an order means that the
// transactions are strictly serializable. Where transactions have a key, it names a group of
// registers that no transaction of another one touches, and each group is an object.
func MultiRegisterModel() Model {
	return Spec[string, []objects.RegisterOp]{
		Name:      "multi-register",
		Doc:       "transactions that read and write several registers at once",
		Functions: objects.RegistersFunctions(),
		Object: func(op *history.Op) string {
			if op.Key != "" {
				return op.Key
			}
			return "all"
		},
		Parse: objects.ParseRegisters,
		Step:  stepRegisters,
		Text:  textRegisters,
		observes: func(ops []objects.RegisterOp) bool {
			return !slices.ContainsFunc(ops, func(o objects.RegisterOp) bool { return o.Writes })
		},
	}.Model()
}

// A state of registers is the list [key,value,key,value,…] of those that hold something,
// sorted by key, without its brackets.
func stepRegisters(s string, ops []objects.RegisterOp) []string {
	for _, o := range ops {
		at, held := findRegister(s, o.Key)
		if !o.Writes {
			if o.Value != "" && o.Value != held {
				return nil
			}
			continue
		}
		before, after := s[:at], s[at:]
		if held != history.Null {
			after = after[len(o.Key)+1+len(held):]
		}
		s = joined(strings.TrimSuffix(before, ","), string(o.Key)+","+string(o.Value), strings.TrimPrefix(after, ","))
	}
	return []string{s}
}

func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ",")
}

// findRegister is where a register stands in a state, or would stand, and what it holds:
// null where it is absent.
func findRegister(s string, key history.Data) (at int, held history.Data) {
	for name, value := range registersOf(s) {
		switch {
		case name == key:
			return at, value
		case name > key:
			return at, history.Null
		}
		at += len(name) + 1 + len(value) + 1
	}
	return len(s), history.Null
}

// registersOf are the registers of a state.
func registersOf(s string) iter.Seq2[history.Data, history.Data] {
	return func(yield func(key, value history.Data) bool) {
		key := history.Data("")
		for e := range history.Data("[" + s + "]").Elements() {
			if key == "" {
				key = e
				continue
			}
			if !yield(key, e) {
				return
			}
			key = ""
		}
	}
}

func textRegisters(s string) string {
	var held []string
	for key, value := range registersOf(s) {
		held = append(held, key.Show()+"="+value.Show())
	}
	if held == nil {
		return "empty"
	}
	return strings.Join(held, " ")
}
