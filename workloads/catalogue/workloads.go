package catalogue

import (
	"fmt"
	"slices"
	"strings"

	"squall/internal/declare"
	"squall/workloads"
	"squall/workloads/bank"
	"squall/workloads/counter"
	"squall/workloads/lease"
	"squall/workloads/listappend"
	"squall/workloads/lock"
	"squall/workloads/longfork"
	"squall/workloads/mini"
	"squall/workloads/monotonic"
	"squall/workloads/multiregister"
	"squall/workloads/queue"
	"squall/workloads/register"
	"squall/workloads/rw"
	"squall/workloads/set"
	"squall/workloads/setremove"
	"squall/workloads/uniqueids"
	"squall/workloads/watch"
)

// Workloads lists the workloads that squall knows, in the order in which it shows
// them. The first is the default.
func Workloads() []workloads.Workload {
	return []workloads.Workload{
		register.Workload(),
		set.Workload(),
		listappend.Workload(),
		mini.Workload(),
		rw.Workload(),
		bank.Workload(),
		lock.Workload(),
		lease.Workload(),
		setremove.Workload(),
		watch.Workload(),
		counter.Workload(),
		queue.Workload(),
		queue.FIFO(),
		uniqueids.Workload(),
		monotonic.Workload(),
		multiregister.Workload(),
		longfork.Workload(),
	}
}

// FindWorkload returns the workload of that name.
func FindWorkload(name string) (workloads.Workload, error) {
	var names []string
	for _, w := range Workloads() {
		if w.Name == name {
			return w, nil
		}
		names = append(names, w.Name)
	}
	return workloads.Workload{}, fmt.Errorf("no workload is called %q; there is: %s", name, strings.Join(names, ", "))
}

// WorkloadDeclarations are the workloads with their parameters, as they are called:
// register(keys=3).
func WorkloadDeclarations() []declare.Declaration {
	var all []declare.Declaration
	for _, w := range Workloads() {
		all = append(all, w.Declaration())
	}
	return all
}

// FunctionNames are the functions of all workloads, each once.
func FunctionNames() []string {
	var names []string
	for _, w := range Workloads() {
		for _, name := range w.Functions.Names() {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}
