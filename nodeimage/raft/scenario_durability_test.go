package raft

import (
	"testing"

	"squall/nodeimage/mutants/scenario"
)

var _ = scenarios.Add(scenario.Set{
	"ack-before-fsync": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 1})
		s.want("answer before the write is durable", show(s.append(LogMark{}, 0, 1)), "")
		s.want("after", show(s.sync()), "append reply>2 t1 i1")
	},

	"reapply-after-restart": func(t *testing.T) {
		s := newScript(t, 3, HardState{})
		snapshot, _ := snapshotOf(4, 1, 4)
		var err error
		s.c, err = newCore(s.c.cfg, &State{Hard: HardState{Term: 2}, Snapshot: &snapshot,
			Base: LogMark{2, 1}, Entries: entriesOf(2, 1, 1, 2, 2)}, s, func(task) {}, &s.pending)
		if err != nil {
			t.Fatal(err)
		}
		s.h = s.c
		s.step(&Message{Type: MsgHeartbeat, From: 2, Term: 2, Commit: 6})
		s.want("jobs for the state machine", len(s.applies), 1)
		s.want("the first entry to be applied", s.applies[0].(*applyEntries).entries[0].Index, 5)
	},

	"log-cut-early": func(t *testing.T) {
		s := newScript(t, 3, HardState{Term: 1})
		s.append(LogMark{}, 4, 1, 1, 1, 1)
		s.sync()
		meta, data := snapshotOf(4, 1, 4)
		s.do(snapshotReady{meta: meta, write: writeBytes(data)})
		s.sync()
		s.want("the log begins after, while the snapshot is being written", s.c.log.base.Index, 0)
		s.store()
		s.sync()
		s.want("when it is stored", s.c.log.base.Index, 4)
	},

	"leader-ack-before-disk": func(t *testing.T) {
		s := newScript(t, 1, HardState{})
		s.electionTimeout()
		s.sync()
		s.want("role", s.c.role.kind(), Leader)
		s.sync()
		s.want("committed", s.c.log.commit, 1)
		s.propose(1)
		s.want("committed before the write is durable", s.c.log.commit, 1)
		s.sync()
		s.want("committed after it", s.c.log.commit, 2)
	},
})
