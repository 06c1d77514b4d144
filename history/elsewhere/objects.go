package elsewhere

import (
	"fmt"
	"slices"
	"strings"

	"squall/history"
	"squall/history/objects"
	"squall/internal/plain"
)

// object is what operations act on: how they are translated.
type object struct {
	name  string
	funcs []string // that tell it
	// functions are those of squall's operations.
	functions func() history.Functions
	// translate gives an operation its function, data and outcome.
	translate func(t *translator, c *call, op *history.Op) error
	// initial are operations that make an object hold a value at first; nil: it cannot be told.
	initial func(t *translator, v *value) ([]history.Op, error)
}

// The names of objects.
const (
	Register      = "register"
	MultiRegister = "multi-register"
	Set           = "set"
	Lock          = "lock"
	Mutex         = "mutex"
	Counter       = "counter"
	KV            = "kv"
	Queue         = "queue"
	FIFOQueue     = "fifo-queue"
	ListAppend    = "append"
)

func all() []object {
	return []object{
		{Register, []string{"read", "write", "cas", "delete"}, registerFunctions, translateRegister, initialRegister},
		{MultiRegister, []string{"txn", "read"}, objects.RegistersFunctions, translateRegisters, initialRegisters},
		{ListAppend, []string{"txn", "read"}, objects.AppendFunctions, translateAppend, nil},
		{Set, []string{"add", "read"}, setFunctions, translateSet, initialSet},
		{Counter, []string{"add", "read"}, setFunctions, translateCounter, initialCounter},
		{Mutex, []string{"acquire", "release"}, mutexFunctions, translateMutex, nil},
		{Lock, []string{"acquire", "release"}, lockFunctions, translateLock, nil},
		{KV, []string{"get", "put", "append"}, kvFunctions, translateKV, initialKV},
		{Queue, []string{"enqueue", "dequeue"}, queueFunctions, translateQueue, initialQueue},
		{FIFOQueue, []string{"enqueue", "dequeue"}, queueFunctions, translateQueue, initialQueue},
	}
}

// Objects are the names of what operations can act on.
func Objects() (names []string) {
	for _, o := range all() {
		names = append(names, o.name)
	}
	return names
}

// alias are the names that other tools have for objects.
var alias = map[string]string{"cas-register": Register, "list-append": ListAppend, "elle": ListAppend, "rw-register": MultiRegister, "rw": MultiRegister, "mini": MultiRegister, "unordered-queue": Queue}

// ObjectNamed is the object of a name, which may be that of another tool.
func ObjectNamed(name string) (string, error) {
	if other, is := alias[name]; is {
		return other, nil
	}
	if slices.Contains(Objects(), name) {
		return name, nil
	}
	return "", choice("there is no model %q of histories from elsewhere; there are %s, and cas-register for register", name, strings.Join(Objects(), ", "))
}

func find(name string) object {
	for _, o := range all() {
		if o.name == name {
			return o
		}
	}
	return object{}
}

// recognise finds out what operations act on.
func recognise(calls []*call) (object, error) {
	var funcs []string
	for _, c := range calls {
		if !slices.Contains(funcs, c.begin.f) {
			if funcs = append(funcs, c.begin.f); len(funcs) > 20 {
				break
			}
		}
	}
	slices.Sort(funcs)
	var fit []object
	for _, o := range all() {
		if !slices.ContainsFunc(funcs, func(f string) bool { return !slices.Contains(o.funcs, f) }) {
			fit = append(fit, o)
		}
	}
	known, several := len(fit) > 0, len(fit) > 1
	fit = slices.DeleteFunc(fit, func(o object) bool { return several && !looksLike(o.name, calls) })
	if len(fit) == 1 {
		return fit[0], nil
	}
	named := plain.Text(strings.Join(funcs, ", "), 200)
	if known {
		return object{}, choice("the values of the operations %s are those of no model: say with --model which it is", named)
	}
	return object{}, choice("no model has the operations %s; the models are\n%s", named, listed())
}

func listed() string {
	var lines []string
	for _, o := range all() {
		lines = append(lines, fmt.Sprintf("  %s: %s", o.name, strings.Join(o.funcs, ", ")))
	}
	return strings.Join(lines, "\n")
}

// looksLike says by their values whether operations can be of an object, where their
// functions leave several.
func looksLike(name string, calls []*call) bool {
	some := func(of func(c *call) bool) bool { return slices.ContainsFunc(calls, of) }
	has := func(c *call, word string) bool {
		return c.in != nil && c.in.kind == kindVector && slices.ContainsFunc(c.in.list, func(o value) bool { return microWord(&o) == word })
	}
	txn := some(func(c *call) bool { return c.begin.f == "txn" || has(c, "r") })
	appends := some(func(c *call) bool { return has(c, "append") })
	collects := some(func(c *call) bool { return c.begin.f == "read" && c.out != nil && isCollection(c.out) })
	counts := some(func(c *call) bool { return c.begin.f == "read" && c.out != nil && c.out.kind == kindInt })
	adds := some(func(c *call) bool { return c.begin.f == "add" })
	owned := !some(func(c *call) bool {
		return c.begin.f == "acquire" && (c.in == nil || c.in.kind != kindString) || c.begin.f == "release" && !isTuple(c.in)
	})
	switch name {
	case Register:
		return !txn && !adds && !collects
	case MultiRegister:
		return txn && !appends
	case ListAppend:
		return txn && (appends || some(func(c *call) bool { return c.out != nil && readsLists(c.out) }))
	case Set:
		return !txn && !counts && (adds || collects)
	case Counter:
		return !txn && adds && counts
	case Lock:
		return owned
	case Mutex:
		return !owned
	case FIFOQueue: // nothing tells: what is wrong with a queue is wrong with one that keeps the order, too
		return false
	}
	return true
}

func isCollection(v *value) bool { return v.kind == kindVector || v.kind == kindSet }

func readsLists(v *value) bool {
	return v.kind == kindVector && slices.ContainsFunc(v.list, func(o value) bool {
		return o.kind == kindVector && len(o.list) == 3 && o.list[2].kind == kindVector
	})
}

// microWord is what an operation of a transaction does.
func microWord(v *value) string {
	if v.kind != kindVector || len(v.list) == 0 {
		return ""
	}
	w, _ := v.list[0].word()
	return w
}

// translator translates operations of one history.
type translator struct {
	nilUnknown bool
	initial    *value // what is there at first; nil: nothing
	silent     int
}

// errSilent says of an operation that it says nothing, and is left out.
var errSilent = fmt.Errorf("says nothing")

// answered says whether an operation was answered.
func (c *call) answered() bool { return c.outcome == history.OK }

// endLine is the line that tells how a call ended, or that of the call.
func (c *call) endLine() int {
	if c.end != nil {
		return int(c.end.line)
	}
	return int(c.begin.line)
}

// asked is the value that an operation was called with; where that is nil, the one that it
// was answered with. lacks says what there should have been.
func (c *call) asked(lacks string) (*value, error) {
	v := c.in
	if (v == nil || v.isNil()) && c.answered() {
		v = c.out
	}
	if v == nil || v.isNil() {
		if c.outcome == history.Fail {
			return &value{kind: kindSymbol, text: "?"}, nil // it had no effect, whatever it was
		}
		return nil, damaged(int(c.begin.line), "a %s without %s", plain.Excerpt([]byte(c.begin.f)), lacks)
	}
	if c.answered() && c.out != nil && !c.out.isNil() && c.out.String() != v.String() {
		return nil, damaged(c.endLine(), "a %s of %s ends as one of %s", plain.Excerpt([]byte(c.begin.f)), plain.Excerpt([]byte(v.String())), plain.Excerpt([]byte(c.out.String())))
	}
	return v, nil
}

// found is what a read was answered; nil where it was not answered.
func (t *translator) found(c *call) (*value, error) {
	switch {
	case !c.answered():
		return nil, nil
	case c.out == nil:
		return nil, damaged(c.endLine(), "a %s that was answered without its value", plain.Excerpt([]byte(c.begin.f)))
	case c.out.isNil() && t.nilUnknown:
		t.silent++
		return nil, errSilent
	}
	return c.out, nil
}

// misfit says that a value is none that an operation can have.
func misfit(line int, c *call, v *value, want string) error {
	return damaged(line, "a %s of %s, and it takes %s", plain.Excerpt([]byte(c.begin.f)), plain.Excerpt([]byte(show(v))), want)
}
