package conformance

import (
	"fmt"

	"squall/history/trace"
)

// acknowledge judges an AppendReply that accepts, as it is sent.
func (n *node) acknowledge(e *trace.Event) {
	m := e.Message
	index := m.Mark.Index
	if m.To != n.id {
		if bound := n.ackBound(m.Term); n.decide(ackMatched, index > bound) {
			n.violation(ackMatched, []*trace.Event{n.entriesEvent(), e},
				"acknowledges its log up to entry %d, and only up to %d did it match what the leader of term %d sent", index, bound, m.Term)
			return
		}
		if !n.judgeHeld(e) {
			return
		}
	}
	if index <= n.log.base.Index || index <= n.disk.snap.Index {
		return
	}
	if n.decide(ackDurable, index > n.disk.end) {
		n.violation(ackDurable, []*trace.Event{n.logEvent(), &n.last[trace.Persist], e},
			"acknowledges its log up to entry %d, of which only what goes up to %d is durable", index, n.disk.end)
	}
}

func (n *node) ackBound(term uint64) uint64 {
	if n.in.term != term {
		return n.commit
	}
	return max(n.commit, n.in.matched)
}

// judgeHeld: the log holds what the leader sent.
func (n *node) judgeHeld(e *trace.Event) bool {
	index := e.Message.Mark.Index
	own, have := n.log.term(index)
	if index < n.log.base.Index {
		return true
	}
	sent, known := n.in.view.term(index)
	known = known && n.in.term == e.Message.Term && index > n.in.view.base.Index
	if !n.decide(ackLog, !have || known && own != sent) {
		return true
	}
	how := fmt.Sprintf("which its log, that ends with %d, does not hold", n.log.last)
	if have {
		how = fmt.Sprintf("which is of term %d in its log, and of term %d in the leader's", own, sent)
	}
	n.violation(ackLog, []*trace.Event{n.logEvent(), n.entriesEvent(), e}, "acknowledges entry %d, %s", index, how)
	return false
}

// entries names the entries from first to last.
func entries(first, last uint64) string { return span("entry", "entries", first, last) }

// readsFrom names the reads from first to last.
func readsFrom(first, last uint64) string { return span("read", "reads", first, last) }

func span(one, many string, first, last uint64) string {
	if first == last {
		return fmt.Sprintf("%s %d", one, first)
	}
	return fmt.Sprintf("%s %d to %d", many, first, last)
}
