package rw

import (
	"strconv"

	"squall/history"
	"squall/history/objects"
	"squall/workloads"
)

// Groups of registers: what one operation reads at one moment, for the workloads whose
// transactions stay within a group.

// ReadGroup reads some registers of a group, by their numbers from 0 on.
func ReadGroup(group string, registers []int) workloads.Intent {
	ops := make([]history.Data, len(registers))
	for i, r := range registers {
		ops[i] = inGroup(group, r).Data()
	}
	return workloads.Intent{Func: history.Read, Key: group, In: history.List(ops...)}
}

// ReadWhole reads a group of n registers.
func ReadWhole(group string, n int) workloads.Intent {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return ReadGroup(group, all)
}

// WriteGroup writes the i-th register of a group, from 0 on.
func WriteGroup(group string, i int, value string) workloads.Intent {
	o := inGroup(group, i)
	o.Writes, o.Value = true, history.Text(value)
	return workloads.Intent{Func: objects.Txn, Key: group, In: history.List(o.Data())}
}

func inGroup(group string, i int) objects.RegisterOp {
	return objects.RegisterOp{Key: history.Text(group + "/" + strconv.Itoa(i))}
}
