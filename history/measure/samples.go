package measure

import (
	"cmp"
	"slices"
	"sort"

	"squall/history"
)

// sample is what the figures need of an operation. A million of them take 32 MB,
// where the operations themselves take 190.
type sample struct {
	call, ret int64 // ns of the machine's clock
	process   int64
	fn        uint16 // index in samples.funcs
	outcome   byte
	final     bool
}

// What became of an operation. An outcome that this version does not know is
// info: not known to have succeeded, not known to have failed.
const (
	isOK byte = iota
	isFail
	isInfo
)

// samples are the operations of a history in the order in which they returned,
// and what every figure asks for: they are gathered once.
type samples struct {
	list  []sample
	funcs []string // by sample.fn
	mono  int64    // of the header
	load  Window
	end   int64 // of the test; ns since the start

	scratch []int64 // for latencies that are needed for a moment
}

func newSamples(in *history.History) *samples {
	s := &samples{list: make([]sample, len(in.Ops)), mono: in.Header.Mono, load: LoadWindow(in), end: TestEnd(in)}
	for i := range in.Ops {
		op := &in.Ops[i]
		s.list[i] = sample{call: op.Call, ret: op.Return, process: op.Process,
			fn: s.index(string(op.Func)), outcome: outcomeOf(op), final: op.Final}
	}
	slices.SortFunc(s.list, func(a, b sample) int {
		return cmp.Or(cmp.Compare(a.ret, b.ret), cmp.Compare(a.call, b.call), cmp.Compare(a.process, b.process))
	})
	return s
}

// maxFuncs bounds how many functions are told apart. A workload has a handful;
// a history with more was made to hurt, and its rest counts as the last one.
const maxFuncs = 1000

func (s *samples) index(f string) uint16 {
	i := slices.Index(s.funcs, f)
	if i < 0 && len(s.funcs) < maxFuncs {
		i = len(s.funcs)
		s.funcs = append(s.funcs, f)
	}
	if i < 0 {
		i = maxFuncs - 1
	}
	return uint16(i)
}

func outcomeOf(op *history.Op) byte {
	switch op.Outcome {
	case history.OK:
		return isOK
	case history.Fail:
		return isFail
	}
	return isInfo
}

// called reports whether a client called it during the load.
func (s *samples) called(op *sample) bool {
	return !op.final && s.load.Holds(op.call-s.mono)
}

// returned are the operations that returned from w.Begin on and before w.End,
// final reads among them.
func (s *samples) returned(w Window) []sample {
	first := func(t int64) int {
		return sort.Search(len(s.list), func(i int) bool { return s.list[i].ret >= t+s.mono })
	}
	from := first(w.Begin)
	return s.list[from:max(from, first(w.End))]
}
