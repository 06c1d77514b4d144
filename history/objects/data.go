// Package objects says how operations on objects look as data: what they ask for and what
// they are answered. Clients write it, and every check that looks at such operations reads
// it here. Registers are in package history, since format version 1 knew nothing else.
package objects

import (
	"fmt"
	"strconv"

	"squall/history"
)

// Brief is data for an error.
func Brief(d history.Data) string {
	if d == "" {
		return "missing"
	}
	return history.Show(string(d))
}

// NoData says of an operation that takes or answers nothing that it has data. So a
// model of such a function needs no sentence of its own for that.
func NoData(op *history.Op, in, out bool) error {
	switch {
	case !in && op.In != "":
		return fmt.Errorf(`a %s with data that it cannot have: its "i" is %s`, op.Func, Brief(op.In))
	case !out && op.Out != "" && op.Out != history.True:
		return fmt.Errorf(`a %s with data that it cannot have: its "o" is %s`, op.Func, Brief(op.Out))
	}
	return nil
}

// WholeNumber reads a whole number of at most 2^53.
func WholeNumber(d history.Data) (int64, error) {
	n, err := strconv.ParseInt(string(d), 10, 64)
	if err != nil || n > mostWhole || n < -mostWhole {
		return 0, fmt.Errorf("%s, want a whole number of at most 2^53", Brief(d))
	}
	return n, nil
}

// mostWhole bounds whole numbers: up to it, every reader of JSON keeps them exact.
const mostWhole = 1 << 53

// isText reports whether data is a string.
func isText(d history.Data) bool { return d != "" && d[0] == '"' }

// IsList reports whether data is a list.
func IsList(d history.Data) bool { return d != "" && d[0] == '[' }

// IsElement reports whether data can be in a set: a string or a number.
func IsElement(d history.Data) bool {
	return isText(d) || d != "" && (d[0] == '-' || d[0] >= '0' && d[0] <= '9')
}
