// Package longfork is the workload of groups of registers that are written once each, as
// Jepsen's long-fork: clients write single registers, and read several of a group at one
// moment. Two reads that see two writes in opposite orders are what isolation of snapshots
// forbids, and weaker isolation allows.
//
// Two registers of a group are written right after each other, by whichever clients come, so
// that reads find one without the other.
package longfork

import (
	"math/rand/v2"
	"strconv"

	"squall/history"
	"squall/history/check"
	"squall/history/check/transactions"
	"squall/history/objects"
	"squall/internal/declare"
	"squall/workloads"
	"squall/workloads/rw"
)

// Workload is the workload "long-fork".
func Workload() workloads.Workload {
	return workloads.Workload{
		Name: "long-fork",
		Doc:  "write registers once each and read several at once; no two reads may see two writes in opposite orders",
		Params: declare.Params{
			{Name: "groups", Kind: declare.Count, Default: "3", Min: "1", Max: "1000", Unit: "groups",
				Doc: "groups in use at a time; the fewer, the more clients meet on one group"},
			{Name: "pairs", Kind: declare.Count, Default: "3", Min: "1", Max: "16", Unit: "pairs of registers",
				Doc: "pairs of registers of a group; those of a pair are written right after each other"},
			{Name: "reads", Kind: declare.Count, Default: "8", Min: "1", Max: "100", Unit: "reads",
				Doc: "reads of a group after each pair of writes"},
			{Name: "look-back", Kind: declare.Share, Default: "3%", Min: "0%", Max: "50%",
				Doc: "how many operations read a group that was replaced lately, to find writes that were lost"},
		},
		Functions: objects.RegistersFunctions(),
		New:       newLoad,
		Do:        rw.Do(),
		Checkers:  func() []check.Checker { return []check.Checker{transactions.LongFork(), transactions.RW()} },
	}
}

// load is the part of the load that all clients share: which groups are in use.
type load struct {
	seed         uint64
	clients      int
	groups       *workloads.Rotation
	pairs, reads int
	lookBack     float64
}

var (
	_ workloads.Generator = (*load)(nil)
	_ workloads.Scanner   = (*load)(nil)
)

func newLoad(l workloads.Load) workloads.Generator {
	pairs, reads := l.Args.Int("pairs"), l.Args.Int("reads")
	return &load{
		seed:     l.Seed,
		clients:  l.Clients,
		groups:   workloads.NewRotation("g", l.Args.Int("groups"), pairs*(2+reads)),
		pairs:    pairs,
		reads:    reads,
		lookBack: l.Args.Float("look-back"),
	}
}

// Observe has nothing to note: what is done does not depend on what was read.
func (l *load) Observe(*history.Op) {}

// Finals read every group: see workloads.Rotation.
func (l *load) Finals() []workloads.Final { return l.groups.Finals(l.readAll) }

// Scan reads every group that was ever used.
func (l *load) Scan() []workloads.Intent { return l.groups.Scan(l.readAll) }

// Recovery writes a register of a group of the node's own, another one each time, and reads
// the group.
func (l *load) Recovery(node string, attempt int) []workloads.Intent {
	group, number := "recovery-"+node, strconv.Itoa(attempt+1)
	return []workloads.Intent{rw.WriteGroup(group+"-"+number, 0, node+"-"+number), l.readAll(group + "-" + number)}
}

func (l *load) readAll(group string) workloads.Intent { return rw.ReadWhole(group, 2*l.pairs) }

// Client is the stream of client i.
func (l *load) Client(i int) workloads.Stream {
	return &stream{l, rand.New(rand.NewPCG(l.seed, 0x666f726b^uint64(i))), workloads.NewUnique(i, l.clients)}
}

// stream is one client's share of the load.
type stream struct {
	*load
	rng    *rand.Rand
	values workloads.Unique
}

// Next draws the next operation. Which turn of a group it is says whether a register is
// written, and which one, so none is written twice.
func (s *stream) Next(readOnly bool) workloads.Intent {
	if group := s.groups.LookBack(s.rng, s.lookBack); group != "" {
		return s.readAll(group)
	}
	turn := s.groups.Take(s.rng.IntN(s.groups.Keys()))
	pair, nth := (turn.Nth-1)/(2+s.reads), (turn.Nth-1)%(2+s.reads)
	if nth < 2 && !readOnly {
		return rw.WriteGroup(turn.Key, 2*pair+nth, strconv.FormatInt(s.values.Next(), 10))
	}
	// The pair that was written last, and some others.
	registers := []int{2 * pair, 2*pair + 1}
	for _, r := range s.rng.Perm(2 * s.pairs)[:s.rng.IntN(2*s.pairs)] {
		if r/2 != pair {
			registers = append(registers, r)
		}
	}
	return rw.ReadGroup(turn.Key, registers)
}
