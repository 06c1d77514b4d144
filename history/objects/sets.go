package objects

import "squall/history"

// RemovableFunctions are the functions of the check "set-remove". add takes an element, a
// string or a number; remove takes one and answers whether it was there; read answers with a
// list of all elements, in any order.
func RemovableFunctions() history.Functions {
	return history.Functions{
		{Name: Add, Text: "add({key}) ← {in}"},
		{Name: Remove, Text: "remove({key}) {in}", Answer: ": {out}"},
		{Name: history.Read, Reads: true, Text: "read({key})", Answer: " → {out}"},
	}
}
