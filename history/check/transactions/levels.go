package transactions

import (
	"squall/history/check"
	"squall/history/cycles"
)

// anomaly is what cannot be under some isolation level, by the name that Elle and Adya
// give it.
type anomaly struct {
	name string
	kind check.Kind
	// weakest is the weakest level that it rules out, and with it all stronger ones, but for
	// those spared.
	weakest level
	spared  []level
}

// level is an isolation level, the weakest first.
type level int

const (
	readUncommitted level = iota
	readCommitted
	repeatableRead
	snapshotIsolation
	serializableLevel
	strongSession
	strictSerializable
)

func (l level) String() string {
	return [...]string{"read uncommitted", "read committed", "repeatable read", "snapshot isolation", "serializable", "strong session serializable", "strict serializable"}[l]
}

// ruledOut are the levels that an anomaly rules out. Repeatable read and snapshot
// isolation are not stronger than one another.
func (a *anomaly) ruledOut() (names []string) {
	for l := a.weakest; l <= strictSerializable; l++ {
		spared := false
		for _, s := range a.spared {
			spared = spared || s == l
		}
		if !spared {
			names = append(names, l.String())
		}
	}
	return names
}

// The anomalies that one transaction or two show, and not a cycle.
func abortedRead() anomaly {
	return anomaly{name: "G1a", kind: check.KindFailedEffect, weakest: readCommitted}
}
func intermediateRead() anomaly {
	return anomaly{name: "G1b", kind: check.KindIntermediate, weakest: readCommitted}
}
func garbageRead() anomaly {
	return anomaly{name: "garbage read", kind: check.KindPhantom, weakest: readUncommitted}
}
func internal() anomaly {
	return anomaly{name: "internal", kind: check.KindInternal, weakest: repeatableRead}
}
func lostUpdate() anomaly {
	return anomaly{name: "lost update", kind: check.KindLostUpdate, weakest: repeatableRead}
}

// dataKinds are those of edges that come from what was read and written.
const dataKinds = cycles.WW | cycles.WR | cycles.RW | cycles.Next

// data is the class of a cycle by what was read and written in it.
type data struct {
	anomaly
	kinds, once, apart cycles.Kind
}

// classes are those of cycles, the most serious first.
func classes() []data {
	return []data{
		{anomaly: anomaly{name: "G0", kind: check.KindDirtyWrite, weakest: readUncommitted}, kinds: cycles.WW},
		{anomaly: anomaly{name: "G1c", kind: check.KindCircular, weakest: readCommitted}, kinds: cycles.WW | cycles.WR},
		// Where Next is not WW, a transaction has lost what another wrote.
		{anomaly: anomaly{name: "G-single", kind: check.KindReadSkew, weakest: repeatableRead}, kinds: cycles.WW | cycles.WR | cycles.Next},
		{anomaly: anomaly{name: "G-single", kind: check.KindReadSkew, weakest: repeatableRead}, kinds: dataKinds, once: cycles.RW},
		{anomaly: anomaly{name: "G-nonadjacent", kind: check.KindLongFork, weakest: repeatableRead}, kinds: dataKinds, apart: cycles.RW},
		{anomaly: anomaly{name: "G2-item", kind: check.KindWriteSkew, weakest: repeatableRead, spared: []level{snapshotIsolation}}, kinds: dataKinds},
	}
}

// timed is an anomaly with an edge in time: of one process, or of any.
func (a anomaly) timed(extra cycles.Kind, cycle []cycles.Edge) anomaly {
	a.spared = nil
	if extra == cycles.Process {
		a.name, a.weakest = a.name+"-process", strongSession
	} else {
		a.name, a.weakest = a.name+"-realtime", strictSerializable
	}
	a.kind = check.KindAgainst
	if len(cycle) == 2 {
		switch cycle[0].Kind | cycle[1].Kind {
		case cycles.RW | extra, cycles.InferredRW | extra:
			a.kind = check.KindStaleRead
		case cycles.WR | extra:
			a.kind = check.KindEarly
		}
	}
	return a
}
