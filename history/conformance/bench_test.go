package conformance

import (
	"testing"

	"squall/history/trace"
)

// BenchmarkConformance judges the trace of three nodes that serve writes and reads, as
// it comes when 64 writes share a batch: what each batch takes is 40 events or so.
func BenchmarkConformance(b *testing.B) {
	l := newLoad()
	c := New(1, 2, 3)
	for _, e := range l.begin() {
		c.Event(e)
	}
	events := 0
	b.ReportAllocs()
	for b.Loop() {
		for _, e := range l.batch() {
			c.Event(e)
			events++
		}
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
	r := c.Report()
	if len(r.Violations)+len(r.Unsure) > 0 {
		b.Fatal(r.Violations, r.Unsure)
	}
}

// TestLoadIsLegal: what the benchmark measures is a trace that comes to its rules.
func TestLoadIsLegal(t *testing.T) {
	l := newLoad()
	c := New(1, 2, 3)
	for _, e := range l.begin() {
		c.Event(e)
	}
	for range 100 {
		for _, e := range l.batch() {
			c.Event(e)
		}
	}
	r := c.Report()
	for _, v := range r.Violations {
		t.Error(v.Rule.Name, v.Text)
	}
	for _, u := range r.Unsure {
		t.Error(u.Node, u.Why)
	}
	for _, rule := range []ruleID{ackDurable, commitQuorum, commitMatched, readConfirmed, applyCommitted, heartbeatCommit} {
		if n := c.looked[rule]; n < 100 {
			t.Errorf("%s was decided %d times", rules[rule].Name, n)
		}
	}
}

// load makes the events of a cluster whose leader is n1.
type load struct {
	now                 int64
	last, commit, reads uint64
	round               uint64
	numbers             [4]uint64
	events              []trace.Event
	messages            []trace.Message
	runs                []trace.Run
	out                 []*trace.Event
}

func newLoad() *load {
	return &load{events: make([]trace.Event, 0, 128), messages: make([]trace.Message, 0, 64), runs: make([]trace.Run, 0, 64)}
}

func (l *load) reset() {
	l.events, l.messages, l.runs, l.out = l.events[:0], l.messages[:0], l.runs[:0], l.out[:0]
}

// add adds an event of a node.
func (l *load) add(node trace.NodeID, e trace.Event) {
	l.now += 1000
	e.Node, e.Boot, e.Time, e.Term = node, 1, l.now, max(e.Term, 1)
	l.events = append(l.events, e)
	l.out = append(l.out, &l.events[len(l.events)-1])
}

// carry adds both ends of a message.
func (l *load) carry(m trace.Message) {
	l.numbers[m.From]++
	m.Number, m.Term = l.numbers[m.From], 1
	l.messages = append(l.messages, m)
	at := &l.messages[len(l.messages)-1]
	l.add(m.From, trace.Event{Kind: trace.Send, Message: at})
	l.add(m.To, trace.Event{Kind: trace.Receive, Message: at})
}

func (l *load) begin() []*trace.Event {
	members := []trace.NodeID{1, 2, 3}
	for n := trace.NodeID(1); n <= 3; n++ {
		l.add(n, trace.Event{Kind: trace.Start, Term: 1, Members: members, Vote: 1})
	}
	l.events[0].Term = 0
	l.events[0].Vote = 0
	l.add(1, trace.Event{Kind: trace.Grant, Peer: 1})
	l.add(1, trace.Event{Kind: trace.RoleChange, Role: trace.Candidate})
	l.add(1, trace.Event{Kind: trace.Persist, Vote: 1})
	l.add(1, trace.Event{Kind: trace.Tally, Peer: 1})
	l.messages = append(l.messages, trace.Message{Type: trace.VoteReply, From: 2, To: 1, Term: 1})
	l.add(1, trace.Event{Kind: trace.Receive, Message: &l.messages[0]})
	l.add(1, trace.Event{Kind: trace.Tally, Peer: 2})
	l.add(1, trace.Event{Kind: trace.RoleChange, Role: trace.Leader, Peer: 1})
	return l.out
}

// batch is 64 writes and some reads, through all nodes.
func (l *load) batch() []*trace.Event {
	l.reset()
	first, prev := l.last+1, trace.Mark{Index: l.last, Term: min(l.last, 1)}
	l.last += 64
	end := trace.Mark{Index: l.last, Term: 1}
	l.runs = append(l.runs, trace.Run{First: first, Count: 64, Term: 1})
	l.add(1, trace.Event{Kind: trace.Append, Runs: l.runs})
	for to := trace.NodeID(2); to <= 3; to++ {
		l.carry(trace.Message{Type: trace.AppendEntries, From: 1, To: to, Mark: prev, Runs: l.runs, Commit: l.commit})
		l.add(to, trace.Event{Kind: trace.Append, Runs: l.runs})
		l.add(to, trace.Event{Kind: trace.Persist, Mark: end, Vote: 1})
		l.carry(trace.Message{Type: trace.AppendReply, From: to, To: 1, Mark: trace.Mark{Index: l.last}})
	}
	l.add(1, trace.Event{Kind: trace.Persist, Vote: 1, Mark: end})
	l.commit = l.last
	l.add(1, trace.Event{Kind: trace.Commit, Mark: end, Hash: l.last + 1})
	l.add(1, trace.Event{Kind: trace.Apply, Mark: end})
	l.read(end)
	for to := trace.NodeID(2); to <= 3; to++ {
		l.add(to, trace.Event{Kind: trace.Commit, Mark: end, Hash: l.last + 1})
		l.add(to, trace.Event{Kind: trace.Apply, Mark: end})
	}
	return l.out
}

func (l *load) read(at trace.Mark) {
	first := l.reads + 1
	l.reads += 8
	l.round++
	l.add(1, trace.Event{Kind: trace.ReadCame, First: first, Last: l.reads})
	l.add(1, trace.Event{Kind: trace.RoundBegun, First: first, Last: l.reads, Round: l.round, Mark: at})
	for to := trace.NodeID(2); to <= 3; to++ {
		l.carry(trace.Message{Type: trace.Heartbeat, From: 1, To: to, Commit: l.commit, Round: l.round})
		l.carry(trace.Message{Type: trace.HeartbeatReply, From: to, To: 1, Round: l.round})
	}
	l.add(1, trace.Event{Kind: trace.RoundDone, Round: l.round})
	l.add(1, trace.Event{Kind: trace.ReadServed, First: first, Last: l.reads, Mark: at})
}
