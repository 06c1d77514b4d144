package kv

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"sync/atomic"
)

// Bounds of what is kept for clients' sessions.
const (
	// MaxSessions is how many sessions there are at most, if the configuration does
	// not say less. Beyond it the one is ended whose last command is furthest back in
	// the log.
	MaxSessions = 1024
	// MaxAnswers is how many answers are kept of a session. Beyond it that to
	// the lowest number is dropped.
	MaxAnswers = 64
	// MaxSessionBytes is how many bytes the kept answers of a session have.
	// Beyond it answers are dropped as by MaxAnswers.
	MaxSessionBytes = 8 << 20
	// MaxAnswerBytes is how many bytes all kept answers have. Beyond it sessions
	// are ended as by MaxSessions.
	MaxAnswerBytes = 64 << 20
)

// remembered is what is kept of one session, to tell a command that comes again.
type remembered struct {
	id   uint64 // the index in the log at which it was registered
	used uint64 // the index of its last command
	// dropped is the highest number whose answer is not kept any more, or never
	// was: it cannot be told whether a command up to here was applied.
	dropped uint64
	answers []answer // by number
	bytes   int      // of the answers
	sum     uint64   // of the answers' hashes
	epoch   uint64   // of the table when it was made: earlier, a snapshot reads it
}

// answer is the recorded answer to a command.
type answer struct {
	number uint64
	resp   response
	hash   uint64
}

func (a *answer) size() int { return len(a.resp.value.Data) + len(a.resp.text) + answerOverhead }

// answerOverhead stands for what an answer takes beside its data.
const answerOverhead = 64

// sessionTable is what is kept of all sessions.
type sessionTable struct {
	all   map[uint64]*remembered
	epoch uint64 // the number of snapshots taken
	bytes int    // of all answers
	sum   uint64 // of the sessions' hashes
	most  int    // sessions that are kept
	count atomic.Int64
}

// register begins a session. Its id is the index of the command that did.
func (t *sessionTable) register(index uint64) response {
	s := &remembered{id: index, used: index, epoch: t.epoch}
	t.add(s)
	t.evict()
	return response{status: statusOK, value: Some(string(appendID(nil, index)))}
}

// once carries a command of a session out, unless that was done before: then it
// returns what came of it.
func (m *Machine) once(index uint64, c *command) response {
	t := &m.sessions
	s := t.take(c.rest.session)
	if s == nil {
		return noEffect(CodeNoSession, fmt.Sprintf("session %d", c.rest.session))
	}
	defer func() {
		t.add(s)
		t.evict()
	}()
	s.used = index
	s.settle(c.rest.answered)
	number := c.rest.number
	at, found := s.find(number)
	if found {
		return s.answers[at].resp
	}
	if number <= s.dropped {
		return noEffect(CodeForgotten, fmt.Sprintf("command %d of session %d", number, s.id))
	}
	r := m.apply(index, c)
	s.keep(at, number, r)
	return r
}

// take takes a session out of the table, as one that may be changed; add puts it
// back.
func (t *sessionTable) take(id uint64) *remembered {
	s := t.all[id]
	if s == nil {
		return nil
	}
	delete(t.all, id)
	t.bytes -= s.bytes
	t.sum -= s.hash()
	if s.epoch != t.epoch { // a snapshot reads the old one
		fresh := *s
		fresh.answers = slices.Clone(s.answers)
		fresh.epoch = t.epoch
		s = &fresh
	}
	return s
}

func (t *sessionTable) add(s *remembered) {
	t.all[s.id] = s
	t.bytes += s.bytes
	t.sum += s.hash()
	t.count.Store(int64(len(t.all)))
}

// evict ends sessions until the rest is within the bounds. The last one to be
// used is never among them.
func (t *sessionTable) evict() {
	for len(t.all) > t.most || t.bytes > MaxAnswerBytes {
		var oldest *remembered
		for _, s := range t.all {
			if oldest == nil || s.used < oldest.used {
				oldest = s
			}
		}
		t.take(oldest.id)
	}
	t.count.Store(int64(len(t.all)))
}

func (s *remembered) find(number uint64) (at int, found bool) {
	return slices.BinarySearchFunc(s.answers, number, func(a answer, n uint64) int { return cmp.Compare(a.number, n) })
}

// settle drops the answers below a number: they have arrived.
func (s *remembered) settle(answered uint64) {
	s.dropped = max(s.dropped, answered-1)
	for len(s.answers) > 0 && s.answers[0].number <= s.dropped {
		s.dropFirst()
	}
}

func (s *remembered) dropFirst() {
	a := &s.answers[0]
	s.dropped = max(s.dropped, a.number)
	s.bytes -= a.size()
	s.sum -= a.hash
	s.answers[0] = answer{} // its data may go
	s.answers = s.answers[1:]
}

// keep records an answer at its place.
func (s *remembered) keep(at int, number uint64, r response) {
	a := answer{number: number, resp: r}
	a.hash = answerHash(s.id, &a)
	s.answers = slices.Insert(s.answers, at, a)
	s.bytes += a.size()
	s.sum += a.hash
	for len(s.answers) > MaxAnswers || s.bytes > MaxSessionBytes {
		s.dropFirst()
	}
}

func answerHash(session uint64, a *answer) uint64 {
	return hashBytes(mix(sessionSeed, session, a.number), appendResponse(nil, &a.resp))
}

func (s *remembered) hash() uint64 { return mix(sessionSeed, s.id, s.used, s.dropped) + s.sum }

const sessionSeed = 0x6A09E667F3BCC909

// mix is a hash of some numbers.
func mix(seed uint64, words ...uint64) uint64 {
	for _, w := range words {
		seed = finish(seed*prime1 ^ w)
	}
	return seed
}

// appendID appends a session's id, as the answer to its registration.
func appendID(buf []byte, id uint64) []byte { return binary.BigEndian.AppendUint64(buf, id) }
