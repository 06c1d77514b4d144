package linearizable

import (
	"fmt"
	"slices"

	"squall/history"
)

// Spec says how an object behaves: the states that it can be in, and what its
// operations do in each. S is a state: a number, a string, or a struct of such. O is
// what an operation asks for and was answered, as Parse reads it.
//
// It must depend on the operations' function, In, Out and outcome alone, so that
// operations alike in these can stand for each other.
type Spec[S comparable, O any] struct {
	Name string // one word, such as "queue"
	Doc  string // one line for people
	// Functions are what the operations do. Those that only read change nothing,
	// whatever they are answered.
	Functions history.Functions
	// Object names the object of an operation; nil: its key. Objects are independent of
	// each other, and each is checked by itself.
	Object func(op *history.Op) string
	// Parse reads the data of an operation, whose function is one of Functions, or says
	// what is wrong with it, naming the fields "i" and "o". Only an operation with
	// outcome OK has an Out. Of those that failed, Parse is asked, too.
	Parse func(op *history.Op) (O, error)
	// Init is the state in which each object begins.
	Init S
	// Step lists the states in which an operation may leave an object: none when it cannot
	// have been answered so in this state, several where it is not known which. One of
	// unknown outcome is given as if it took effect; that it never does is thought of.
	Step func(s S, o O) []S
	// Text shows a state to people; nil: as fmt prints it.
	Text func(s S) string

	// What follows may be left out.

	// observes says of an answered operation that it changed nothing, and that Step gives
	// no other state than s for it: what failed because it found something else, say.
	observes func(o O) bool
	// fast decides in one go, or says undecided. Entries with an answer return; others
	// may take effect at any time after their call, or never.
	fast func(list []entry[O], g *guard) answer
	// unnoticed says of an operation of unknown outcome that it makes no difference whether
	// it took effect, by what all others say: these are left out.
	unnoticed func(list []entry[O]) func(o O) bool
	// parts names what an operation adds, looks for or takes away, where an order of all
	// operations is an order of what is left of them without such a part. without is an
	// operation without some parts, and whether anything is left of it.
	parts   func(o O) []string
	without func(o O, gone map[string]bool) (O, bool)
	// explain tells what a violation shows; nil: see explainAny.
	explain func(v *violation[O]) explanation
}

// Model makes a model of the spec.
func (sp Spec[S, O]) Model() Model {
	s := &sp
	return Model{
		Name:      s.Name,
		Doc:       s.Doc,
		Functions: s.Functions,
		object:    s.Object,
		prepare: func(ops []*history.Op, g *guard) (object, error) {
			e, err := s.read(ops, g)
			if e == nil {
				return nil, err
			}
			return e, nil
		},
		explain: s.tell,
	}
}

// entry is an operation of an object, read by its spec.
type entry[O any] struct {
	op   *history.Op
	said O
	call int64
	ret  int64 // forever where it may take effect at any time, or never
	// reads says that it changes nothing.
	reads bool
	// optional: it is not shown, but it may take effect at any time, even before its
	// call, or never. So nothing is wrong only because it is not there.
	optional bool
	required *entry[O] // the optional entry as it was
	// class is the same for operations that can stand for each other; see classify.
	class int32
	// bit is its place in beginning.done, from 1 on, where it was under way when the
	// entries begin.
	bit int16
}

// entries are operations of one object. They implement object and part.
type entries[S comparable, O any] struct {
	spec *Spec[S, O]
	list []entry[O]
	// classified says that the entries have their classes.
	classified bool
	// begin is how the object may be where the entries begin in the middle, at a moment;
	// nil: it begins with Init.
	begin []beginning[S]
	at    int64
	// was lists all states that the object can have been in at that moment; nil when
	// they are many.
	was []S
}

// beginning is a state, and which operations under way had taken effect by then.
type beginning[S comparable] struct {
	state S
	done  doneBits
}

// doneBits has room for those under way where entries begin in the middle.
type doneBits [4]uint64

func (d *doneBits) set(bit int16)      { d[(bit-1)/64] |= 1 << ((bit - 1) % 64) }
func (d *doneBits) has(bit int16) bool { return bit > 0 && d[(bit-1)/64]&(1<<((bit-1)%64)) != 0 }

// bytesPerEntry is about what an entry and the notes of a walk take.
const bytesPerEntry = 160

// alike is what makes operations stand for each other.
type alike struct {
	does    history.Func
	in, out history.Data
	outcome history.Outcome
}

// read reads the operations of one object. Those that certainly had no effect, and
// reads without an answer, say nothing and are left out.
func (sp *Spec[S, O]) read(ops []*history.Op, g *guard) (*entries[S, O], error) {
	if !g.room(len(ops) * bytesPerEntry) {
		return nil, nil
	}
	e := &entries[S, O]{spec: sp, list: make([]entry[O], 0, len(ops))}
	for i, op := range ops {
		if i%guardEvery == 0 && g.stopped() {
			return nil, nil
		}
		if !sp.Functions.Have(op.Func) {
			return nil, unsupportedError{fmt.Errorf("the operation %s, which a %s does not have", history.Show(string(op.Func)), sp.Name)}
		}
		if op.Outcome != history.OK && op.Out != "" {
			return nil, unsupportedError{fmt.Errorf(`a %s with an answer "o", though its outcome is %q`, op.Func, op.Outcome)}
		}
		said, err := sp.Parse(op)
		if err != nil {
			return nil, unsupportedError{err}
		}
		n := entry[O]{op: op, said: said, call: op.Call, ret: max(op.Call, op.Return), reads: sp.Functions.Reads(op.Func)}
		if op.Outcome != history.OK {
			n.ret = forever
		} else if sp.observes != nil && sp.observes(said) {
			n.reads = true
		}
		if op.Outcome == history.Fail || n.reads && n.ret == forever {
			continue
		}
		e.list = append(e.list, n)
	}
	if sp.unnoticed != nil {
		drop := sp.unnoticed(e.list)
		e.list = slices.DeleteFunc(e.list, func(n entry[O]) bool { return n.ret == forever && drop(n.said) })
	}
	return e, nil
}

// classify gives the entries their classes. That takes longer than to decide where there is
// a fast way, so it waits until a walk needs them.
func (e *entries[S, O]) classify() {
	if e.classified {
		return
	}
	e.classified = true
	classes := make(map[alike]int32)
	for i := range e.list {
		op := e.list[i].op
		key := alike{op.Func, op.In, op.Out, op.Outcome}
		class, known := classes[key]
		if !known {
			class = int32(len(classes))
			classes[key] = class
		}
		e.list[i].class = class
	}
}

// text shows a state to people.
func (sp *Spec[S, O]) text(s S) string {
	if sp.Text != nil {
		return sp.Text(s)
	}
	return history.Show(fmt.Sprint(s))
}

// with is the entries with another list.
func (e *entries[S, O]) with(list []entry[O]) *entries[S, O] {
	out := *e
	out.list, out.classified = list, false
	return &out
}

// upTo is what was known at a moment: later calls are not there, and what was under way
// may have taken effect or not.
func (e *entries[S, O]) upTo(at int64) *entries[S, O] {
	var list []entry[O]
	for _, n := range e.list {
		switch {
		case n.call > at || n.ret > at && n.reads:
			continue
		case n.ret > at:
			n.ret = forever
		}
		list = append(list, n)
	}
	return e.with(list)
}

// start are the states in which the entries may begin.
func (e *entries[S, O]) start() []beginning[S] {
	if e.begin == nil {
		return []beginning[S]{{state: e.spec.Init}}
	}
	return e.begin
}
