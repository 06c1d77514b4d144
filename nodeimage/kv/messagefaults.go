package kv

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"squall/nodeimage/raft"
)

// Bounds of what is held back or kept in all. What comes beyond them passes as
// if there were no rule.
const (
	maxHeldMessages = 4096
	maxHeldBytes    = 16 << 20
)

// MessageFaults has Raft messages delayed, lost, duplicated, reordered and
// replayed, by rules that squall's agent sends (docs/message-faults.md). TCP
// repairs what happens to packets; this happens to the messages themselves.
//
// It stands at the receiver, between the connection and the node. There every
// message is whole, its sender is known, what it does is felt for certain (a
// sender could not know what a connection that breaks still carries), and the
// term that has to pass before an old message comes again is the receiver's
// own. While there are no rules it costs one load of a pointer for each message.
type MessageFaults struct {
	inForce atomic.Pointer[messageFaults] // nil: no rules
}

// set puts rules in the place of those before, whose messages that are still
// held back are delivered now.
func (f *MessageFaults) set(rules []messageRule) {
	var now *messageFaults
	if len(rules) > 0 {
		now = newMessageFaults(rules)
	}
	if before := f.inForce.Swap(now); before != nil {
		before.end()
	}
}

// receive hands a message on to next: now, later, twice or never.
func (f *MessageFaults) receive(m *raft.Message, size int, next func(*raft.Message)) {
	if r := f.inForce.Load(); r != nil {
		r.receive(m, size, next)
		return
	}
	next(m)
}

// sent notes what this node sends: its messages tell its term.
func (f *MessageFaults) sent(m *raft.Message) {
	if r := f.inForce.Load(); r != nil && m.Type != raft.MsgPreVote && m.Type != raft.MsgPreVoteReply {
		r.reach(m.Term)
	}
}

// messageFaults are rules in force.
type messageFaults struct {
	mu    sync.Mutex
	ended bool
	rules []*ruleInForce
	term  uint64 // of this node; 0: it has said nothing yet
	held  map[*heldMessage]struct{}
	next  uint64 // number of the next message to be held
	room  room
}

// ruleInForce is a rule with what came of it. The mutex of the rules guards it.
type ruleInForce struct {
	messageRule
	matched uint64 // messages
	hit     uint64 // of those: delivered late, again or overtaken, or lost
	kept    map[raft.MessageType]*keptMessages
}

// room is how much is held and kept.
type room struct{ messages, bytes int }

// take reports whether there is room for one message more, and takes it.
func (r *room) take(size int) bool {
	if r.messages >= maxHeldMessages || r.bytes+size > maxHeldBytes {
		return false
	}
	r.messages++
	r.bytes += size
	return true
}

func (r *room) free(size int) {
	r.messages--
	r.bytes -= size
}

// heldMessage is a message that waits to be delivered.
type heldMessage struct {
	delivery
	size      int
	number    uint64
	rule      *ruleInForce
	timer     *time.Timer
	copied    bool // the message itself has been delivered
	left      int  // how many may still overtake it
	overtaken int
}

// delivery is a message on its way to the node.
type delivery struct {
	m    *raft.Message
	next func(*raft.Message)
}

func newMessageFaults(rules []messageRule) *messageFaults {
	f := &messageFaults{held: make(map[*heldMessage]struct{})}
	for _, r := range rules {
		rule := &ruleInForce{messageRule: r, kept: make(map[raft.MessageType]*keptMessages)}
		f.rules = append(f.rules, rule)
		if r.do == replayMessage && r.delay > 0 {
			f.replayByAge(rule)
		}
	}
	return f
}

// receive delivers a message and those that it sets free, as the rules say.
func (f *messageFaults) receive(m *raft.Message, size int, next func(*raft.Message)) {
	f.mu.Lock()
	if f.ended {
		f.mu.Unlock()
		next(m)
		return
	}
	now := f.decide(delivery{m, next}, size)
	f.mu.Unlock()
	for _, d := range now {
		d.next(d.m)
	}
}

// decide says what is delivered now that a message has come. The first rule that
// is about it decides.
func (f *messageFaults) decide(d delivery, size int) (now []delivery) {
	now = append(now, d)
	i := slices.IndexFunc(f.rules, func(r *ruleInForce) bool { return r.from == d.m.From && r.types.has(d.m.Type) })
	if i >= 0 {
		now = f.apply(f.rules[i], d, size)
	}
	if len(now) == 0 {
		return nil // it has overtaken nothing yet
	}
	return append(now, f.overtake(d.m.From)...)
}

// apply is what a rule makes of a message.
func (f *messageFaults) apply(rule *ruleInForce, d delivery, size int) (now []delivery) {
	rule.matched++
	rng := rand.New(rand.NewPCG(rule.seed, rule.matched))
	pass := []delivery{d}
	if rng.Float64() >= rule.share {
		return pass
	}
	switch {
	case rule.do == loseMessage:
		rule.hit++
		return nil
	case rule.do == duplicateMessage && rule.delay == 0:
		rule.hit++
		return append(pass, d)
	case rule.do == replayMessage:
		f.keep(rule, d, size, rng)
		return pass
	case !f.room.take(size):
		return pass
	}
	h := &heldMessage{delivery: d, size: size, rule: rule}
	f.hold(h)
	switch rule.do {
	case duplicateMessage:
		h.copied = true
		return pass
	case reorderMessage:
		h.left = 1 + rng.IntN(rule.count)
	}
	return nil
}

// hold keeps a message back for as long as its rule says.
func (f *messageFaults) hold(h *heldMessage) {
	h.number = f.next
	f.next++
	f.held[h] = struct{}{}
	h.timer = time.AfterFunc(h.rule.delay, func() {
		f.mu.Lock()
		free := f.release(h)
		f.mu.Unlock()
		if free {
			h.next(h.m)
		}
	})
}

// release counts a message that is no longer held. It is false for one that was
// released before.
func (f *messageFaults) release(h *heldMessage) bool {
	if _, there := f.held[h]; !there {
		return false
	}
	delete(f.held, h)
	f.room.free(h.size)
	if h.rule.do != reorderMessage || h.overtaken > 0 {
		h.rule.hit++
	}
	return true
}

// overtake lets the messages of a peer that wait to be overtaken know that one
// was delivered before them. It returns those for which that is enough.
func (f *messageFaults) overtake(from raft.NodeID) (now []delivery) {
	for _, h := range f.waiting(func(h *heldMessage) bool { return h.left > 0 && h.m.From == from }) {
		h.overtaken++
		if h.left--; h.left == 0 {
			h.timer.Stop()
			f.release(h)
			now = append(now, h.delivery)
		}
	}
	return now
}

// waiting are the held messages of which that is true, in the order in which they came.
func (f *messageFaults) waiting(is func(*heldMessage) bool) (some []*heldMessage) {
	for h := range f.held {
		if is(h) {
			some = append(some, h)
		}
	}
	slices.SortFunc(some, func(a, b *heldMessage) int { return cmp.Compare(a.number, b.number) })
	return some
}

// end delivers what is held, in the order in which it came, but no copies: with
// the rules goes everything that they did.
func (f *messageFaults) end() {
	f.mu.Lock()
	f.ended = true
	left := f.waiting(func(h *heldMessage) bool { return !h.copied })
	for h := range f.held {
		h.timer.Stop()
	}
	clear(f.held)
	for _, rule := range f.rules {
		clear(rule.kept)
	}
	f.mu.Unlock()
	for _, h := range left {
		h.next(h.m)
	}
}
