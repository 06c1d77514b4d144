package check

import "squall/history"

// Describe says in one line what an operation did: "write(k) ← 17".
func Describe(does history.Functions, op *history.Op) string {
	text := does.Tell(op)
	switch op.Outcome {
	case history.Fail:
		return text + ": failed"
	case history.Info:
		return text + ": outcome unknown"
	}
	return text
}

// Briefly is what an operation did, for a sentence: of a long list that it was answered, only
// how it begins.
func Briefly(does history.Functions, op *history.Op) string {
	const most = 6
	var first []history.Data
	for e := range op.Out.Elements() {
		if len(first) == most {
			short := *op
			short.Out = history.List(append(first, history.Text("…"))...)
			return does.Tell(&short)
		}
		first = append(first, e)
	}
	return does.Tell(op)
}

// show gives a name for people.
func show(s string) string { return history.Show(s) }
