package wal

import (
	"testing"

	"squall/nodeimage/mutants/scenario"
	"squall/nodeimage/raft"
)

var _ = scenarios.Add(scenario.Set{
	"missing-term": func(t *testing.T) {
		dir := t.TempDir()
		hard := raft.HardState{Term: 5, Vote: 2}
		l, _ := open(t, dir, Options{sync: noSync})
		save(t, l, raft.Batch{Hard: &hard})
		save(t, l, raft.Batch{Entries: entries(0, 5)}) // says nothing of the term
		closeLog(t, l)
		l, found := open(t, dir, Options{sync: noSync})
		defer closeLog(t, l)
		if found.Hard != hard {
			t.Errorf("after a restart it has %+v, want %+v", found.Hard, hard)
		}
	},
})
