package raft

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// script drives one core by hand. What it sends, writes and hands to the state
// machine is collected; nothing is answered unless the test says so.
type script struct {
	t       *testing.T
	c       *core
	h       handler
	now     time.Duration
	sent    []*Message
	writes  []writeJob
	applies []applyJob
	stores  []storeJob
	events  []Event
	pending atomic.Int64
}

func (s *script) write(j writeJob)                      { s.writes = append(s.writes, j) }
func (s *script) apply(j applyJob)                      { s.applies = append(s.applies, j) }
func (s *script) archive(j storeJob)                    { s.stores = append(s.stores, j) }
func (s *script) Send(_ NodeID, m *Message)             { s.sent = append(s.sent, m) }
func (s *script) Trace(ev Event)                        { s.events = append(s.events, ev) }
func (s *script) Now() time.Duration                    { return s.now }
func (s *script) Stop() bool                            { return true }
func (s *script) AfterFunc(time.Duration, func()) Timer { return s }

// newScript makes node 1 of three (or as many as size says) with this log.
func newScript(t *testing.T, size int, hard HardState, terms ...uint64) *script {
	storage := newMemStorage()
	storage.hard, storage.entries = hard, entriesOf(0, terms...)
	s := &script{t: t, now: time.Hour}
	s.boot(size, storage)
	return s
}

// boot starts the node with what the storage holds.
func (s *script) boot(size int, storage *memStorage) {
	s.t.Helper()
	members := []NodeID{}
	for i := 1; i <= size; i++ {
		members = append(members, NodeID(i))
	}
	cfg, err := Config{
		ID: 1, Members: members, ElectionMin: 100 * time.Millisecond, ElectionMax: 200 * time.Millisecond,
		Heartbeat: 20 * time.Millisecond, MaxPending: 10, Clock: s, Rand: rand.New(rand.NewPCG(1, 1)), Transport: s,
		Storage: storage, StateMachine: &register{}, Tracer: s,
	}.withDefaults()
	if err != nil {
		s.t.Fatal(err)
	}
	st, err := storage.Load()
	if err != nil {
		s.t.Fatal(err)
	}
	if s.c, err = newCore(cfg, &st, s, func(task) {}, &s.pending); err != nil {
		s.t.Fatal(err)
	}
	s.h = handlerOf(s.c)
	s.h.start()
}

// restart ends the node, and starts it with what is durable by then.
func (s *script) restart() {
	s.t.Helper()
	storage := s.c.cfg.Storage.(*memStorage)
	for _, w := range s.writes {
		if w.seq > s.c.durable {
			break
		}
		if err := storage.Save(w.batch); err != nil {
			s.t.Fatal(err)
		}
	}
	s.sent, s.writes, s.applies, s.stores, s.events = nil, nil, nil, nil, nil
	s.boot(len(s.c.cfg.Members), storage)
}

// entriesOf makes entries of these terms after index prev.
func entriesOf(prev uint64, terms ...uint64) (entries []Entry) {
	for i, term := range terms {
		entries = append(entries, Entry{Index: prev + 1 + uint64(i), Term: term, Command: fmt.Appendf(nil, "term %3d", term)})
	}
	return entries
}

// step hands over messages to node 1 and returns what it sends in answer.
func (s *script) step(ms ...*Message) []*Message {
	tasks := []task{}
	for _, m := range ms {
		m.To = 1
		tasks = append(tasks, receive{m})
	}
	return s.do(tasks...)
}

func (s *script) do(tasks ...task) []*Message {
	s.sent = nil
	for _, t := range tasks {
		s.h.handle(t)
	}
	s.h.flush()
	return s.sent
}

// sync lets every write so far become durable.
func (s *script) sync() []*Message { return s.do(persisted{s.c.seq}) }

func (s *script) expire(t *loopTimer, made func(uint64) task) []*Message {
	s.now = max(s.now, t.deadline)
	return s.do(made(t.gen))
}

func (s *script) electionTimeout() []*Message {
	return s.expire(&s.c.election, func(g uint64) task { return electionTimeout{g} })
}

func (s *script) heartbeat() []*Message {
	return s.expire(&s.c.heartbeat, func(g uint64) task { return heartbeatTimeout{g} })
}

// campaign makes node 1 a candidate of the next term, with its own vote durable.
func (s *script) campaign() {
	s.t.Helper()
	s.electionTimeout()
	s.granted(MsgPreVoteReply, s.c.term+1)
	s.sync()
	s.want("role", s.c.role.kind(), Candidate)
}

// lead makes node 1 the leader of the next term.
func (s *script) lead() {
	s.t.Helper()
	s.campaign()
	s.granted(MsgVoteReply, s.c.term)
	s.want("role", s.c.role.kind(), Leader)
}

// granted hands over the grants of as many others as are needed.
func (s *script) granted(kind MessageType, term uint64) {
	for from := 2; from <= s.c.quorum; from++ {
		s.step(&Message{Type: kind, From: NodeID(from), Term: term})
	}
}

// ack acknowledges the log up to index in the name of a follower.
func (s *script) ack(from NodeID, index uint64) []*Message {
	return s.step(&Message{Type: MsgAppendReply, From: from, Term: s.c.term, Index: index})
}

func (s *script) want(what string, got, want any) {
	s.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func (s *script) terms() (terms []uint64) {
	for _, e := range s.c.log.entries {
		terms = append(terms, e.Term)
	}
	return terms
}

// show tells messages in short: type>to, "!" for a rejection, index.
func show(ms []*Message) string {
	var words []string
	for _, m := range ms {
		reject := ""
		if m.Reject {
			reject = "!"
		}
		words = append(words, fmt.Sprintf("%v%s>%d t%d i%d", m.Type, reject, m.To, m.Term, m.Index))
	}
	return strings.Join(words, ", ")
}
