package leases

import (
	"cmp"
	"slices"

	"squall/history"
	"squall/history/check"
	"squall/history/objects"
)

// Stream implements check.Streamed. It holds grants, writes and reads to the order of tokens,
// and leaves leases to the whole check, which knows when clocks were bent.
func (leases) Stream(does history.Functions) check.Stream {
	return &stream{does: does, locks: make(map[string]*liveLock)}
}

type stream struct {
	does   history.Functions
	locks  map[string]*liveLock
	off    bool // it has met what the check cannot judge
	broken *check.Sighting
}

// liveLock is the highest token by time: of grants, and of writes and reads.
type liveLock struct{ granted, fenced heights }

// heights are the highest number at each moment at which that grew, by time.
type heights []height

type height struct{ at, most int64 }

// Event implements check.Stream.
func (*stream) Event(*history.NodeEvent) {}

// Broken implements check.Stream.
func (s *stream) Broken() *check.Sighting { return s.broken }

// Batch implements check.Stream.
func (s *stream) Batch(b *check.Batch) {
	for _, op := range b.Ended {
		if s.off || s.broken != nil {
			return
		}
		said, err := objects.ParseLease(op)
		if err != nil {
			s.off = true
			return
		}
		if s.locks[op.Key] == nil {
			s.locks[op.Key] = &liveLock{}
		}
		if why := s.locks[op.Key].ended(op, &said); why != "" {
			s.broken = &check.Sighting{At: op.Return, Text: why + ": " + check.Briefly(s.does, op)}
		}
	}
}

// ended takes an operation that was answered; why says what is broken.
func (l *liveLock) ended(op *history.Op, said *objects.LeaseOp) (why string) {
	switch {
	case said.Granted:
		if l.granted.before(op.Call) >= said.Token {
			why = "the token of this grant had been given, or a higher one"
		}
		l.granted.note(op.Return, said.Token)
	case op.Func == history.Read && said.Answered, op.Func == history.Write && said.Yes:
		if l.fenced.before(op.Call) > said.Token {
			why = "a higher token had been seen before this"
		}
		l.fenced.note(op.Return, said.Token)
	}
	return why
}

// before is the highest number before a moment; -1 when there was none.
func (h heights) before(at int64) int64 {
	i, _ := slices.BinarySearchFunc(h, at, func(x height, at int64) int { return cmp.Compare(x.at, at) })
	if i == 0 {
		return -1
	}
	return h[i-1].most
}

// note takes a number at a moment, which need not be later than those noted.
func (h *heights) note(at, n int64) {
	i, same := slices.BinarySearchFunc(*h, at, func(x height, at int64) int { return cmp.Compare(x.at, at) })
	if i > 0 && (*h)[i-1].most >= n || same && (*h)[i].most >= n {
		return
	}
	end := i
	for end < len(*h) && (*h)[end].most <= n {
		end++
	}
	*h = slices.Replace(*h, i, end, height{at, n})
}
