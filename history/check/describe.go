package check

import "squall/history"

// describe says in one line what an operation did: "write(k) ← 17".
func describe(does history.Functions, op *history.Op) string {
	text := does.Tell(op)
	switch op.Outcome {
	case history.Fail:
		return text + ": failed"
	case history.Info:
		return text + ": outcome unknown"
	}
	return text
}

// showValue gives a register's value for people.
func showValue(v history.Value) string { return v.AsData().Show() }

// show gives a name for people.
func show(s string) string { return history.Show(s) }
