// Package checkbench has the histories on which checks are measured, and measures them,
// beside porcupine where that can judge the same.
package checkbench

import (
	"fmt"

	"squall/history"
	"squall/history/check"
	"squall/history/check/linearizable"
	"squall/history/check/sets"
	"squall/history/check/transactions"
)

// Case is a history of some length and the check that judges it. The history is right: what
// was recorded of clients of an object in memory, so the check must pass.
type Case struct {
	Name string // "register-c10-p1"
	Doc  string // for the table
	Ops  int    // at scale 1
	// Aim is what the check is to take at most, seconds and MB; 0: no aim.
	AimSeconds, AimMB float64

	check check.Checker
	// model is what porcupine judges the same by; nil where it has none.
	model *linearizable.Model
	shape shape
	store func() store
}

const million = 1_000_000

// Cases are all, in the order of the table. A further check is measured by a line here, and
// the object that its operations act on (objects.go).
func Cases() []Case {
	register, set, lock := linearizable.RegisterModel(), linearizable.SetModel(), linearizable.LockModel()
	var cases []Case
	for _, clients := range []int{10, 20, 50} {
		for _, pending := range []int{0, 1, 5} {
			cases = append(cases, Case{Name: fmt.Sprintf("register-c%d-p%d", clients, pending),
				Doc: fmt.Sprintf("register, unique values, %d clients, %d %% of unknown outcome", clients, pending), Ops: million,
				check: linearizable.Checker(register), model: &register, shape: shape{clients, pending}, store: newRegister(0)})
		}
	}
	queue := linearizable.FIFOQueueModel()
	return append(cases,
		Case{Name: "general", Doc: "register, 5 values, so that it is searched, 10 clients", Ops: 10_000, AimSeconds: 0.1, AimMB: 50,
			check: linearizable.Checker(register), model: &register, shape: shape{10, 0}, store: newRegister(5)},
		Case{Name: "set", Doc: "sets of 200 elements (`set`), 10 clients, 1 % of unknown outcome", Ops: million, AimSeconds: 3, AimMB: 400,
			check: sets.Checker(), model: &set, shape: shape{10, 1}, store: newSets},
		Case{Name: "lock", Doc: "lock, 10 clients", Ops: million, AimSeconds: 3, AimMB: 400,
			check: linearizable.Checker(lock), model: &lock, shape: shape{10, 0}, store: newLock},
		Case{Name: "fifo-queue", Doc: "FIFO queue, 10 clients", Ops: million, AimSeconds: 3, AimMB: 400,
			check: linearizable.Checker(queue), model: &queue, shape: shape{10, 0}, store: newQueue},
		Case{Name: "append", Doc: "transactions on lists (`append`), 10 clients, 1 % of unknown outcome", Ops: 100_000, AimSeconds: 1.5,
			check: transactions.Append(), shape: shape{10, 1}, store: newLists},
	)
}

// History makes the case's history, of so many times its operations.
func (c Case) History(scale float64) *history.History {
	s := c.store()
	return &history.History{Header: history.Header{Nodes: []string{"n1"}, Functions: s.functions()}, Ops: simulate(s, c.shape, max(1, int(float64(c.Ops)*scale)))}
}

// Rival reports whether porcupine can judge the case.
func (c Case) Rival() bool { return c.model != nil }
