// Package multiregister is the workload of groups of registers: clients read several
// registers of a group at one moment, and write one of them. Two reads that each lack what
// the other found show what reads of single registers cannot.
//
// A group is one object, decided by a search, so it is retired after some operations.
package multiregister

import (
	"math/rand/v2"
	"strconv"

	"squall/history"
	"squall/history/check"
	"squall/history/check/linearizable"
	"squall/internal/declare"
	"squall/workloads"
	"squall/workloads/rw"
)

// Workload is the workload "multi-register".
func Workload() workloads.Workload {
	model := linearizable.MultiRegisterModel()
	return workloads.Workload{
		Name: "multi-register",
		Doc:  "read several registers of a group at once and write one of them; every group must be linearizable",
		Params: declare.Params{
			{Name: "groups", Kind: declare.Count, Default: "5", Min: "1", Max: "1000", Unit: "groups",
				Doc: "groups in use at a time; the fewer, the more clients meet on one group"},
			{Name: "registers", Kind: declare.Count, Default: "3", Min: "2", Max: "16", Unit: "registers",
				Doc: "registers of a group"},
			{Name: "ops-per-group", Kind: declare.Count, Default: "100", Min: "10", Max: "1000", Unit: "operations",
				Doc: "operations on a group before a new one replaces it"},
			{Name: "reads", Kind: declare.Share, Default: "50%", Min: "1%", Max: "99%",
				Doc: "how many operations read; each reads two registers or more"},
			{Name: "look-back", Kind: declare.Share, Default: "3%", Min: "0%", Max: "50%",
				Doc: "how many operations read a group that was replaced lately, to find writes that were lost"},
		},
		Functions: model.Functions,
		New:       newLoad,
		Do:        rw.Do(),
		Checkers:  func() []check.Checker { return []check.Checker{linearizable.Checker(model)} },
	}
}

// load is the part of the load that all clients share: which groups are in use.
type load struct {
	seed            uint64
	clients         int
	groups          *workloads.Rotation
	registers       int
	reads, lookBack float64
}

var (
	_ workloads.Generator = (*load)(nil)
	_ workloads.Scanner   = (*load)(nil)
)

func newLoad(l workloads.Load) workloads.Generator {
	return &load{
		seed:      l.Seed,
		clients:   l.Clients,
		groups:    workloads.NewRotation("g", l.Args.Int("groups"), l.Args.Int("ops-per-group")),
		registers: l.Args.Int("registers"),
		reads:     l.Args.Float("reads"),
		lookBack:  l.Args.Float("look-back"),
	}
}

// Observe has nothing to note: a write does not depend on what was read.
func (l *load) Observe(*history.Op) {}

// Finals read every group: see workloads.Rotation.
func (l *load) Finals() []workloads.Final { return l.groups.Finals(l.readAll) }

// Scan reads every group that was ever used.
func (l *load) Scan() []workloads.Intent { return l.groups.Scan(l.readAll) }

// Recovery writes a register of a group of the node's own and reads the group.
func (l *load) Recovery(node string, attempt int) []workloads.Intent {
	group := "recovery-" + node
	return []workloads.Intent{rw.WriteGroup(group, 0, node+"-"+strconv.Itoa(attempt+1)), l.readAll(group)}
}

func (l *load) readAll(group string) workloads.Intent { return rw.ReadWhole(group, l.registers) }

// Client is the stream of client i.
func (l *load) Client(i int) workloads.Stream {
	return &stream{l, rand.New(rand.NewPCG(l.seed, 0x6d756c7469^uint64(i))), workloads.NewUnique(i, l.clients)}
}

// stream is one client's share of the load.
type stream struct {
	*load
	rng    *rand.Rand
	values workloads.Unique
}

// Next draws the next operation.
func (s *stream) Next(readOnly bool) workloads.Intent {
	if group := s.groups.LookBack(s.rng, s.lookBack); group != "" {
		return s.readAll(group)
	}
	group := s.groups.Take(s.rng.IntN(s.groups.Keys())).Key
	if reads := s.rng.Float64() < s.reads; reads || readOnly {
		return rw.ReadGroup(group, s.rng.Perm(s.registers)[:2+s.rng.IntN(s.registers-1)])
	}
	return rw.WriteGroup(group, s.rng.IntN(s.registers), strconv.FormatInt(s.values.Next(), 10))
}
