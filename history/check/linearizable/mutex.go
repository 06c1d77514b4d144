package linearizable

import (
	"squall/history"
	"squall/history/objects"
)

// MutexModel is a lock that knows no owners and gives no tokens, free at first: what
// Knossos calls a mutex. Whoever releases it, it must be held.
func MutexModel() Model {
	return Spec[bool, bool]{
		Name: "mutex",
		Doc:  "acquire and release without owners or tokens; never held by two",
		Functions: history.Functions{
			{Name: objects.Acquire, Text: "acquire({key})"},
			{Name: objects.Release, Text: "release({key})"},
		},
		Parse: func(op *history.Op) (acquires bool, err error) {
			return op.Func == objects.Acquire, objects.NoData(op, false, false)
		},
		Step: func(held, acquires bool) []bool {
			if held == acquires {
				return nil
			}
			return []bool{acquires}
		},
		Text: func(held bool) string {
			if held {
				return "held"
			}
			return "free"
		},
	}.Model()
}
