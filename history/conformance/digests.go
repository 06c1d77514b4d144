package conformance

import (
	"squall/history/trace"
)

// digests are hashes by the index that they are of.
type digests struct {
	byIndex map[uint64]digest
	order   []uint64 // the indexes, as they came
	head    int
}

type digest struct {
	hash  uint64
	node  trace.NodeID
	boot  int
	time  int64
	term  uint64
	entry uint64 // the term of the entry
}

// mostDigests bounds how many are kept; the oldest go first.
const mostDigests = 1 << 17

// state takes a State.
func (n *node) state(e *trace.Event) { n.hash(&n.c.states, stateEqual, e) }

// hash compares a hash with that of others at the same index.
func (n *node) hash(d *digests, rule ruleID, e *trace.Event) {
	index := e.Mark.Index
	if e.Hash == 0 && rule == commitHash || n.off[rule] {
		return
	}
	was, known := d.byIndex[index]
	if !known {
		d.put(e)
		return
	}
	if !n.decide(rule, was.hash != e.Hash && (rule == stateEqual || was.entry == e.Mark.Term)) {
		return
	}
	first := was.event(index, e.Kind)
	if rule == stateEqual {
		n.violation(rule, []*trace.Event{&first, e}, "has the state %016x after entry %d, and %s has %016x", e.Hash, index, n.c.name(was.node), was.hash)
		return
	}
	n.violation(rule, []*trace.Event{&first, e}, "has committed another log up to entry %d than %s: the hashes are %016x and %016x",
		index, n.c.name(was.node), e.Hash, was.hash)
}

func (d *digests) put(e *trace.Event) {
	if d.byIndex == nil {
		d.byIndex = map[uint64]digest{}
	}
	if len(d.byIndex) >= mostDigests {
		delete(d.byIndex, d.order[d.head])
		d.head++
		if d.head > mostDigests {
			d.order = append(d.order[:0], d.order[d.head:]...)
			d.head = 0
		}
	}
	d.byIndex[e.Mark.Index] = digest{e.Hash, e.Node, e.Boot, e.Time, e.Term, e.Mark.Term}
	d.order = append(d.order, e.Mark.Index)
}

func (d *digest) event(index uint64, k trace.Kind) trace.Event {
	return trace.Event{Kind: k, Node: d.node, Boot: d.boot, Time: d.time, Term: d.term,
		Mark: trace.Mark{Index: index, Term: d.entry}, Hash: d.hash}
}
