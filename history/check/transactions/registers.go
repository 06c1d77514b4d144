package transactions

import (
	"fmt"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// registers are all transactions on registers, as they were gathered, and what is wrong
// with them that no order is needed to see.
type registers struct {
	in     *check.Input
	budget *check.Budget
	stop   string // the limit that was reached

	objects map[history.Data]int32 // by key
	keys    []history.Data
	txns    []registerTxn
	items   []item
	writers map[written]int32 // the item that wrote a value for others to read
	between map[written]int32 // those of values that their transaction replaced itself
	worst   *finding          // the one that was certain first
}

// registerTxn is a transaction with its items. What was not answered took effect if
// somebody saw that.
type registerTxn struct {
	op       *history.Op
	from, to int32
	happened bool
}

// item is what a transaction did with one register.
type item struct {
	txn, object int32
	found       history.Data // what it held before the transaction; "" where that is not known
	wrote       history.Data // what it held after; "" where it was not written
}

// written is a value of a register.
type written struct {
	object int32
	value  history.Data
}

// gather reads all operations. An error says which of them is none of this check's, or why it
// cannot judge.
func (r *registers) gather(form func(ops []objects.RegisterOp) error) error {
	r.objects = map[history.Data]int32{}
	r.writers, r.between = make(map[written]int32, len(r.in.Ops)), map[written]int32{}
	r.txns = make([]registerTxn, 0, len(r.in.Ops))
	var ops []objects.RegisterOp
	for i := range r.in.Ops {
		if r.stop = r.budget.Spent(); r.stop != "" {
			return nil
		}
		op := &r.in.Ops[i]
		var err error
		if ops, err = objects.AppendRegisters(ops[:0], op); err != nil {
			return err
		}
		if form != nil {
			if err := form(ops); err != nil {
				return fmt.Errorf("a %s %w: %s", op.Func, err, objects.Brief(op.In))
			}
		}
		if err := r.add(op, ops); err != nil {
			return err
		}
	}
	return nil
}

// add takes one operation.
func (r *registers) add(op *history.Op, ops []objects.RegisterOp) error {
	t := int32(len(r.txns))
	r.txns = append(r.txns, registerTxn{op: op, from: int32(len(r.items)), happened: op.Outcome == history.OK})
	for i := range ops {
		o := &ops[i]
		at := r.item(t, o.Key)
		it := &r.items[at]
		switch {
		case o.Writes && it.wrote != "":
			if err := r.enter(r.between, at); err != nil {
				return err
			}
			it.wrote = o.Value
		case o.Writes:
			it.wrote = o.Value
		case o.Value == "": // not known
		case it.wrote != "" && o.Value != it.wrote:
			r.note(r.notItsOwn(at, o.Value))
		case it.wrote != "": // its own
		case it.found != "" && o.Value != it.found:
			r.note(r.readsTwo(at, o.Value))
		default:
			it.found = o.Value
		}
	}
	for at := r.txns[t].from; at < int32(len(r.items)); at++ {
		if r.items[at].wrote != "" {
			if err := r.enter(r.writers, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// item is the one of the last transaction for a register.
func (r *registers) item(t int32, key history.Data) int32 {
	object, known := r.objects[key]
	if !known {
		object = int32(len(r.keys))
		r.objects[key] = object
		r.keys = append(r.keys, key)
	}
	for at := r.txns[t].from; at < int32(len(r.items)); at++ {
		if r.items[at].object == object {
			return at
		}
	}
	r.items = append(r.items, item{txn: t, object: object})
	r.txns[t].to = int32(len(r.items))
	return int32(len(r.items) - 1)
}

// enter notes who wrote a value. What failed wrote nothing, so another may write the same.
func (r *registers) enter(into map[written]int32, at int32) error {
	it := &r.items[at]
	w := written{it.object, it.wrote}
	failed := r.op(at).Outcome == history.Fail
	for _, all := range []map[written]int32{r.writers, r.between} {
		before, is := all[w]
		if !is || r.op(before).Outcome == history.Fail {
			continue
		}
		if failed {
			return nil
		}
		return fmt.Errorf("%s is written to %s twice: this check needs values that are unique in their register", it.wrote.Show(), r.keys[it.object].Show())
	}
	into[w] = at
	return nil
}

func (r *registers) op(item int32) *history.Op { return r.txns[r.items[item].txn].op }

// observe looks who wrote what was read.
func (r *registers) observe() {
	for at := range r.items {
		if r.stop = r.budget.Spent(); r.stop != "" {
			return
		}
		it := &r.items[at]
		if it.found == "" || it.found == history.Null {
			continue
		}
		w := written{it.object, it.found}
		by, is := r.writers[w]
		if !is {
			by, is = r.between[w]
			if !is {
				r.note(r.nowhere(int32(at)))
				continue
			}
			if r.op(by).Outcome != history.Fail {
				if r.items[by].txn != it.txn {
					r.note(r.intermediate(int32(at), by))
				} else {
					r.note(r.itsOwnBefore(int32(at)))
				}
				continue
			}
		}
		switch {
		case r.op(by).Outcome == history.Fail:
			r.note(r.aborted(int32(at), by))
		case r.items[by].txn == it.txn:
			r.note(r.itsOwnBefore(int32(at)))
		default:
			r.txns[r.items[by].txn].happened = true
		}
	}
}

// past is what happened, if nothing is wrong so far. What was neither answered nor seen by
// anybody is left out: where there is an order with it, there is one without.
func (r *registers) past() *past {
	p := &past{words: registerWords, txns: make([]txn, 0, len(r.txns)), accesses: make([]access, 0, len(r.items)), versions: make([]version, 0, len(r.keys)+len(r.items)/2)}
	for _, key := range r.keys {
		p.object(key)
	}
	versions := make([]int32, len(r.items)) // that items wrote
	for i := range r.items {
		it := &r.items[i]
		if versions[i] = none; it.wrote == "" || !r.txns[it.txn].happened {
			continue
		}
		versions[i] = p.version(it.object)
		v := &p.versions[versions[i]]
		v.begin, v.end = it.wrote, it.wrote
	}
	for i := range r.txns {
		t := &r.txns[i]
		if r.stop = r.budget.Spent(); r.stop != "" {
			return nil
		}
		if !t.happened {
			continue
		}
		p.begin(t.op)
		for at := t.from; at < t.to; at++ {
			it := &r.items[at]
			a := access{object: it.object, reads: none, writes: versions[at]}
			switch {
			case it.found == "":
			case it.found == history.Null:
				a.reads = p.objects[it.object].first
			default:
				a.reads = versions[r.writers[written{it.object, it.found}]]
			}
			if a.reads != none && a.writes != none {
				if other := p.versions[a.reads].after; other != none {
					r.note(r.lostUpdate(at, p.txns[p.accesses[p.versions[other].by].txn].op))
					continue
				}
				p.replaces(a.reads, a.writes)
			}
			p.touch(a)
		}
	}
	p.heads()
	return p
}
