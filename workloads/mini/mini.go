// Package mini is the workload "mini": transactions that read and write at most two
// registers, each of which they read before they write it. Every value is unique in the test. Such
// transactions show all that larger ones would (MTC, ICDE 2025), and whether an order of all of them
// explains their answers is found out in little more than linear time.
package mini

import (
	"squall/history/check"
	"squall/history/check/transactions"
	"squall/history/objects"
	"squall/internal/declare"
	"squall/workloads"
	"squall/workloads/rw"
)

// Workload is the workload "mini".
func Workload() workloads.Workload {
	return workloads.Workload{
		Name: "mini",
		Doc:  "transactions that read two registers at most and replace what they read; one order must explain every answer",
		Params: append(rw.Params("5", "200"), declare.Params{
			{Name: "both", Kind: declare.Share, Default: "60%", Min: "0%", Max: "100%", Doc: "how many transactions use two registers"},
			{Name: "writes", Kind: declare.Share, Default: "50%", Min: "1%", Max: "99%", Doc: "how many of the registers that are read are written as well"},
		}...),
		Functions: objects.RegistersFunctions(),
		New:       newLoad,
		Do:        rw.Do(),
		Checkers:  func() []check.Checker { return []check.Checker{transactions.Mini()} },
	}
}

func newLoad(l workloads.Load) workloads.Generator {
	both, writes := l.Args.Float("both"), l.Args.Float("writes")
	return rw.NewLoad(l, "m", 2, func(t *rw.Txn, readOnly bool) {
		slots := []int{t.IntN(t.Keys())}
		if t.Float64() < both {
			slots = append(slots, (slots[0]+1+t.IntN(t.Keys()-1))%t.Keys())
		}
		var keys [2]string
		for i, slot := range slots {
			keys[i] = t.Key(slot)
			t.Read(keys[i])
		}
		for i := range slots {
			if !readOnly && t.Float64() < writes {
				t.Write(keys[i])
			}
		}
	})
}
