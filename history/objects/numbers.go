package objects

import "squall/history"

// Functions of what hands out numbers.
const (
	Generate history.Func = "generate"
	Increase history.Func = "increase"
)

// IDFunctions are the functions of the check "unique-ids": a generate is answered an id, a
// string or a number.
func IDFunctions() history.Functions {
	return history.Functions{{Name: Generate, Text: "generate({key})", Answer: " → {out}"}}
}

// MonotonicFunctions are the functions of the check "monotonic": an increase makes a number
// grow and is answered it, a read is answered it.
func MonotonicFunctions() history.Functions {
	return history.Functions{
		{Name: Increase, Text: "increase({key})", Answer: " → {out}"},
		{Name: history.Read, Reads: true, Text: "read({key})", Answer: " → {out}"},
	}
}
