package linearizable

import (
	"math"

	"squall/history"
	"squall/history/check"
)

var _ check.Streamed = linearizable{}

// Stream implements check.Streamed. Registers are judged while the history grows; of other
// objects the stream says nothing.
func (c linearizable) Stream(history.Functions) check.Stream {
	s := &registerStream{keys: make(map[string]*liveKey)}
	s.off = c.model.Name != RegisterModel().Name
	return s
}

// registerStream judges registers while their history grows, by zones (see zones), as far
// as values that are not over yet are unique. What is over for certain is forgotten: see
// liveKey.forget. So of a key it keeps the values that may still be found, and the writes
// of unknown outcome that nobody has seen.
type registerStream struct {
	keys   map[string]*liveKey
	off    bool // it has met what it cannot judge
	broken *check.Sighting
	said   history.RegisterData
}

// Event implements check.Stream.
func (*registerStream) Event(*history.NodeEvent) {}

// Broken implements check.Stream.
func (s *registerStream) Broken() *check.Sighting { return s.broken }

// Batch implements check.Stream.
func (s *registerStream) Batch(b *check.Batch) {
	for _, op := range b.Called {
		if s.off || s.broken != nil {
			return
		}
		s.called(op)
	}
	for _, op := range b.Ended {
		if s.off || s.broken != nil {
			return
		}
		if k := s.keys[op.Key]; !k.off && !s.ended(k, op) {
			s.broken = &check.Sighting{At: op.Return, Text: "no order explains " + check.Describe(history.RegisterFunctions(), op)}
			return
		}
	}
	for _, op := range b.Ended {
		if k := s.keys[op.Key]; !k.off && k.looked != b.Now {
			k.looked = b.Now
			k.forget(b.Now)
		}
	}
}

func (s *registerStream) key(name string) *liveKey {
	k := s.keys[name]
	if k == nil {
		k = &liveKey{values: make(map[history.Data]*cluster), flying: make(map[call]bool), gone: zone{math.MinInt64, math.MinInt64}}
		initial := &cluster{value: history.Null, call: math.MinInt64, last: math.MinInt64, first: forever, after: forever, certain: true}
		initial.block = &block{zone: zone{math.MinInt64, math.MinInt64}, members: []*cluster{initial}}
		k.values[history.Null], k.blocks = initial, []*block{initial.block}
		s.keys[name] = k
	}
	return k
}

// called takes the call of an operation.
func (s *registerStream) called(op *history.Op) {
	k := s.key(op.Key)
	if k.off {
		return
	}
	asked := *op
	if asked.Outcome, asked.Out = history.Info, ""; asked.AsRegister(&s.said) != nil {
		s.off = true
		return
	}
	k.flying[call{op.Process, op.Call}] = true
	c := &cluster{op: call{op.Process, op.Call}, call: op.Call, last: math.MinInt64, first: forever, after: forever}
	switch op.Func {
	case history.Write:
		c.value = s.said.Value
	case history.Delete:
		c.value = history.Null
	case history.CAS:
		c.value, c.from = s.said.Value, s.said.Expect
	}
	if c.value == c.from { // it only reads: "" is a read, and else it puts in place what it found
		return
	}
	if k.values[c.value] != nil {
		k.giveUp()
		return
	}
	k.values[c.value] = c
}

// ended takes the end of an operation; false when no order explains its answer.
func (s *registerStream) ended(k *liveKey, op *history.Op) bool {
	delete(k.flying, call{op.Process, op.Call})
	if err := op.AsRegister(&s.said); err != nil {
		s.off = true
		return true
	}
	said := &s.said
	switch {
	case op.Func == history.Read:
		return op.Outcome != history.OK || k.found(said.Result, op)
	case op.Outcome == history.Info:
		return true
	case said.Swapped && said.Expect == said.Value:
		return k.found(said.Value, op)
	}
	c := k.values[valueOf(op, said)]
	if c == nil || c.op != (call{op.Process, op.Call}) {
		c = nil // it is over, though its writer had not returned
	}
	if op.Outcome == history.Fail || op.Func == history.CAS && !said.Swapped {
		if c != nil && c.certain {
			return false // somebody has seen what never happened
		}
		if c != nil {
			delete(k.values, c.value)
		}
		return op.Outcome == history.Fail || said.Result != said.Expect && k.found(said.Result, op)
	}
	if c == nil {
		return true
	}
	if said.Replaced {
		if c.from = said.Result; c.from == c.value {
			return false // nobody else has written it
		}
	}
	return k.effect(c, op.Return, false) && k.fits(c.block)
}

// valueOf is what an operation that may change something wants to store.
func valueOf(op *history.Op, said *history.RegisterData) history.Data {
	if op.Func == history.Delete {
		return history.Null
	}
	return said.Value
}
