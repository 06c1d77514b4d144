package conformance

import (
	"math/bits"

	"squall/history/trace"
)

// outbox is the messages that a node sent, as fingerprints by their numbers, which begin
// with 1 in each boot.
type outbox struct {
	boots  []bootSent // the newest last
	forgot bool       // there were more boots
}

// bootSent is what a node sent in one boot.
type bootSent struct {
	boot   int
	most   uint64   // the highest number
	prints []uint64 // by number modulo keptSent; 0: none
}

const (
	keptSent  = 1 << 15 // messages that are kept of a boot
	keptBoots = 16
)

// begin begins a boot.
func (o *outbox) begin(boot int) {
	if len(o.boots) == keptBoots {
		o.boots = append(o.boots[:0], o.boots[1:]...)
		o.forgot = true
	}
	o.boots = append(o.boots, bootSent{boot: boot})
}

// put notes a message that n sent, and settles with those who received it before.
func (o *outbox) put(c *Checker, n *node, e *trace.Event) {
	m := e.Message
	if m.Number == 0 {
		return
	}
	if len(o.boots) == 0 || o.boots[len(o.boots)-1].boot != e.Boot {
		o.begin(e.Boot)
	}
	print := fingerprint(m)
	o.boots[len(o.boots)-1].put(m.Number, print)
	c.unmatched.sent(sentKey{n.id, m.Number, print})
}

func (b *bootSent) put(number, print uint64) {
	slot := int(number % keptSent)
	for len(b.prints) <= slot {
		b.prints = append(b.prints, 0)
	}
	b.prints[slot] = print
	b.most = max(b.most, number)
}

// sentState is what an outbox knows of a message.
type sentState int

const (
	sentSo      sentState = iota // it was sent as it was received
	sentTooOld                   // it is not known any more
	sentBeyond                   // no boot got that far, but the end of one may be missing
	sentNotLike                  // the number is of another message, or of none
)

// find looks for a message.
func (o *outbox) find(number, print uint64) sentState {
	state := sentNotLike
	if o.forgot {
		state = sentTooOld
	}
	for i := len(o.boots) - 1; i >= 0; i-- {
		b := &o.boots[i]
		slot := int(number % keptSent)
		switch {
		case number > b.most:
			if state == sentNotLike && number <= b.most+keptSent {
				state = sentBeyond
			}
		case slot < len(b.prints) && b.prints[slot] == print:
			return sentSo
		case b.most >= number+keptSent:
			state = sentTooOld
		}
	}
	return state
}

// fingerprint is a hash of all that a message says.
func fingerprint(m *trace.Message) uint64 {
	h := uint64(m.Type)
	for _, v := range [...]uint64{m.Number, uint64(m.From), uint64(m.To), m.Term, m.Mark.Index, m.Mark.Term, m.Commit, m.Round,
		m.Hint.Index, m.Hint.Term, m.Offset, m.Size, flags(m)} {
		h = mix(h, v)
	}
	for i := range m.Runs {
		r := &m.Runs[i]
		h = mix(mix(mix(h, r.First), r.Count), r.Term)
	}
	return h | 1 // 0 is none
}

func flags(m *trace.Message) (f uint64) {
	if m.Reject {
		f = 1
	}
	if m.Done {
		f |= 2
	}
	return f
}

// mix folds v into h: the multiplication of wyhash.
func mix(h, v uint64) uint64 {
	hi, lo := bits.Mul64(h^0x9e3779b97f4a7c15, v^0xe7037ed1a0b428db)
	return hi ^ lo
}

// sentKey names a message as its receiver saw it.
type sentKey struct {
	from          trace.NodeID
	number, print uint64
}

// receipt is a message that was received before its sender was seen to send it.
type receipt struct {
	by   trace.NodeID
	time int64
	term uint64
	kind trace.MessageType
}

// unmatched are the receipts whose other end is not there yet.
type unmatched struct {
	waiting map[sentKey][]receipt
	queue   []waiting // in the order of their coming
	head    int
}

type waiting struct {
	key  sentKey
	time int64
}

const (
	// patience is how much later, by the merged times, the sender's end of a message may
	// come, ns: far more than clocks of one test differ.
	patience = 2e9
	// mostUnmatched bounds the receipts that wait.
	mostUnmatched = 1 << 16
)

// match compares a message that was received with the sender's end of it.
func (c *Checker) match(n *node, e *trace.Event) {
	m := e.Message
	from := c.node(m.From)
	if m.Number == 0 || from == nil || m.From == n.id {
		return
	}
	print := fingerprint(m)
	if from.outbox.find(m.Number, print) == sentSo {
		return
	}
	key := sentKey{m.From, m.Number, print}
	u := &c.unmatched
	u.waiting[key] = append(u.waiting[key], receipt{n.id, e.Time, m.Term, m.Type})
	u.queue = append(u.queue, waiting{key, e.Time})
}

// sent settles the receipts of a message.
func (u *unmatched) sent(key sentKey) {
	if len(u.waiting) > 0 {
		delete(u.waiting, key)
	}
}

// expire gives up on those that have waited too long.
func (u *unmatched) expire(c *Checker) {
	for u.head < len(u.queue) && (c.now-u.queue[u.head].time > patience || len(u.queue)-u.head > mostUnmatched) {
		c.giveUp(u.queue[u.head].key)
		u.head++
	}
	if u.head == len(u.queue) {
		u.queue, u.head = u.queue[:0], 0
	} else if u.head > mostUnmatched {
		u.queue = append(u.queue[:0], u.queue[u.head:]...)
		u.head = 0
	}
}

// giveUp judges a message that its sender's trace does not tell of. Its end may be
// missing where the server ended with its machine: then nothing follows from it.
func (c *Checker) giveUp(key sentKey) {
	receipts, ok := c.unmatched.waiting[key]
	if !ok {
		return
	}
	delete(c.unmatched.waiting, key)
	r := receipts[0]
	from := c.node(key.from)
	switch {
	case from == nil || !from.told || from.unsure || from.cut:
		return // reported already, or at the end
	case from.outbox.find(key.number, key.print) != sentNotLike:
		return
	}
	c.note(Unsure{Node: key.from, Boot: from.boot, Time: r.time, Contradiction: true, Why: sprintf(
		"%s received its message %d, %v of term %d, which its own trace does not tell of like that", c.name(r.by), key.number, r.kind, r.term)})
}

// note adds a doubt about a node, unless there is one already of its kind.
func (c *Checker) note(u Unsure) {
	for i := range c.unsure {
		if o := &c.unsure[i]; o.Node == u.Node && o.Contradiction == u.Contradiction && o.Boot == u.Boot {
			return
		}
	}
	c.unsure = append(c.unsure, u)
}
