package transactions

import (
	"math"

	"squall/history"
)

// none stands for a version, a transaction or an access that there is none of.
const none int32 = -1

// past is what is known of what happened: which transactions took effect, which versions
// of which objects they read and wrote, and which version replaced which. Registers and
// lists are alike here: the versions of a list are what it held between transactions.
//
// Where it is not known what a version replaced, it begins a chain of those that
// replaced each other. An object's first chain begins with what it held at first; in
// which order the others follow is open.
type past struct {
	txns     []txn
	accesses []access
	objects  []object
	versions []version
	words    words
}

// txn is a transaction that took effect. Its accesses stand together.
type txn struct {
	op       *history.Op
	ret      int64 // when it was answered, ns; math.MaxInt64: it was not
	from, to int32 // its accesses
}

// access is what a transaction did with one object: at most one version read, and one written.
type access struct {
	txn, object   int32
	reads, writes int32 // versions
	next          int32 // access that read the same version
}

// object is one register or list.
type object struct {
	key   history.Data
	first int32   // the version that it had at first
	heads []int32 // versions of which it is not known what they replaced
}

// version is what an object held after a transaction.
type version struct {
	object  int32
	by      int32 // the access that wrote it
	before  int32 // the version that it replaced
	after   int32 // the version that replaced it
	readers int32 // the first access that read it
	// begin and end are what was written: of a register its value, of a list the first and
	// the last element that were appended.
	begin, end history.Data
}

// object makes one, with its first version.
func (p *past) object(key history.Data) int32 {
	id := int32(len(p.objects))
	p.objects = append(p.objects, object{key: key})
	p.objects[id].first = p.version(id)
	return id
}

// version makes one of an object, which nobody has written or read yet.
func (p *past) version(object int32) int32 {
	p.versions = append(p.versions, version{object: object, by: none, before: none, after: none, readers: none})
	return int32(len(p.versions) - 1)
}

// begin begins a transaction. Its accesses must follow.
func (p *past) begin(op *history.Op) {
	t := txn{op: op, ret: math.MaxInt64, from: int32(len(p.accesses)), to: int32(len(p.accesses))}
	if op.Outcome == history.OK {
		t.ret = op.Return
	}
	p.txns = append(p.txns, t)
}

// touch adds an access of the transaction that was begun last.
func (p *past) touch(a access) {
	at := int32(len(p.accesses))
	a.txn, a.next = int32(len(p.txns)-1), none
	if a.reads != none {
		v := &p.versions[a.reads]
		a.next, v.readers = v.readers, at
	}
	if a.writes != none {
		p.versions[a.writes].by = at
	}
	p.accesses = append(p.accesses, a)
	p.txns[a.txn].to++
}

// replaces says that a version replaced another.
func (p *past) replaces(old, by int32) {
	p.versions[old].after, p.versions[by].before = by, old
}

// heads lists the versions that begin chains, once all is known.
func (p *past) heads() {
	for i := range p.versions {
		if v := &p.versions[i]; v.before == none && v.by != none {
			o := &p.objects[v.object]
			o.heads = append(o.heads, int32(i))
		}
	}
}

// writer is the transaction that wrote a version; none: it was there at first.
func (p *past) writer(version int32) int32 {
	if by := p.versions[version].by; by != none {
		return p.accesses[by].txn
	}
	return none
}

// of are the accesses of a transaction.
func (p *past) of(t int32) []access { return p.accesses[p.txns[t].from:p.txns[t].to] }

// tail is the last version of a chain. Versions that replaced each other in a circle have
// no head, so no chain is endless.
func (p *past) tail(head int32) int32 {
	for p.versions[head].after != none {
		head = p.versions[head].after
	}
	return head
}

// zone is when a chain was there, by the answers: it began before first, when the first
// transaction that read or wrote a version of it had been answered, and it was not over before last,
// when the last such transaction was called. So a chain comes before all whose last is later than its first.
type zone struct {
	first, last     int64
	firstBy, lastBy int32 // the transactions
}

// zone is that of the chain of a head.
func (p *past) zone(head int32) zone {
	z := zone{math.MaxInt64, math.MinInt64, none, none}
	for v := head; v != none; v = p.versions[v].after {
		z.add(p, p.writer(v))
		for a := p.versions[v].readers; a != none; a = p.accesses[a].next {
			z.add(p, p.accesses[a].txn)
		}
	}
	return z
}

func (z *zone) add(p *past, t int32) {
	if t == none {
		return
	}
	if x := &p.txns[t]; x.ret < z.first {
		z.first, z.firstBy = x.ret, t
	}
	if call := p.txns[t].op.Call; call > z.last {
		z.last, z.lastBy = call, t
	}
}

// known is when it was known that a transaction had been carried out: when it was answered,
// or when somebody was who read what it wrote.
func (p *past) known(t int32) int64 {
	at := p.txns[t].ret
	for _, a := range p.of(t) {
		if a.writes == none {
			continue
		}
		for r := p.versions[a.writes].readers; r != none; r = p.accesses[r].next {
			at = min(at, p.txns[p.accesses[r].txn].ret)
		}
	}
	return at
}
