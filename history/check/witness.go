package check

import (
	"cmp"
	"slices"

	"squall/history"
)

// WitnessMost is how many operations of a witness are kept: more show nobody anything.
const WitnessMost = 100

// AsWitness is an operation for results.json.
func AsWitness(op *history.Op, in *Input) WitnessOp {
	return WitnessOp{
		Process: op.Process,
		Node:    op.Node,
		Text:    Describe(in.Functions, op),
		Outcome: string(op.Outcome),
		Call:    op.Call - in.Mono,
		Return:  op.Return - in.Mono,
		CallS:   float64(op.Call-in.Mono) / 1e9,
	}
}

// WitnessOps are operations for results.json, by call, those beside marked.
func WitnessOps(ops, beside []*history.Op, in *Input) []WitnessOp {
	var out []WitnessOp
	for _, op := range ops {
		out = append(out, AsWitness(op, in))
	}
	for _, op := range beside {
		row := AsWitness(op, in)
		row.Beside = true
		out = append(out, row)
	}
	slices.SortStableFunc(out, func(a, b WitnessOp) int { return cmp.Compare(a.Call, b.Call) })
	return out
}

// Distinct are the operations that are not among others, each once.
func Distinct(ops, others []*history.Op) (out []*history.Op) {
	for _, op := range ops {
		if !slices.Contains(others, op) && !slices.Contains(out, op) {
			out = append(out, op)
		}
	}
	return out
}
