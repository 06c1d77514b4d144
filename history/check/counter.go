package check

import (
	"fmt"
	"strconv"

	"squall/history"
)

// Functions of the models besides those of a register.
const (
	Add     history.Func = "add"
	Acquire history.Func = "acquire"
	Release history.Func = "release"
)

// CounterModel is a counter, 0 at first, to which whole numbers are added.
func CounterModel() Model { return counter().Model() }

func counter() Spec[int64, counted64] {
	return Spec[int64, counted64]{
		Name: "counter",
		Doc:  "add whole numbers to a sum, and read it",
		Functions: history.Functions{
			{Name: Add, Text: "add({key}) {in}"},
			{Name: history.Read, Reads: true, Text: "read({key})", Answer: " → {out}"},
		},
		Parse:   parseCounter,
		Step:    stepCounter,
		explain: explainCounter,
	}
}

// counted64 is an operation of a counter: what it adds, or what it found.
type counted64 struct {
	adds bool
	n    int64
}

func parseCounter(op *history.Op) (o counted64, err error) {
	switch {
	case op.Func == Add:
		if o.n, err = wholeNumber(op.In); err != nil {
			return o, fmt.Errorf(`an add whose number "i" is none: %w`, err)
		}
		o.adds = true
		return o, noData(op, true, false)
	case op.Outcome == history.OK:
		if o.n, err = wholeNumber(op.Out); err != nil {
			return o, fmt.Errorf(`a read whose result "o" is none: %w`, err)
		}
	}
	return o, noData(op, false, true)
}

func stepCounter(sum int64, o counted64) []int64 {
	switch {
	case o.adds:
		return []int64{sum + o.n}
	case o.n == sum:
		return []int64{sum}
	}
	return nil
}

// mostWhole bounds whole numbers: up to it, every reader of JSON keeps them exact.
const mostWhole = 1 << 53

// wholeNumber reads a whole number of at most 2^53.
func wholeNumber(d history.Data) (int64, error) {
	n, err := strconv.ParseInt(string(d), 10, 64)
	if err != nil || n > mostWhole || n < -mostWhole {
		return 0, fmt.Errorf("%s, want a whole number of at most 2^53", brief(d))
	}
	return n, nil
}
