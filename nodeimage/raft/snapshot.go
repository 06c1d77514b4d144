package raft

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// storeJob is a job of the snapshot store's: saveSnapshot, readChunk,
// storeChunk or purgeSnapshots.
type storeJob interface{ isStoreJob() }

type (
	// saveSnapshot is answered by snapshotSaved.
	saveSnapshot struct {
		meta  SnapshotMeta
		write func(io.Writer) error
	}
	// readChunk is answered by chunkRead.
	readChunk struct {
		to     NodeID
		meta   SnapshotMeta
		offset uint64
		size   int
	}
	// storeChunk is answered by chunkStored.
	storeChunk struct {
		in     *install
		offset uint64
		data   []byte
		last   bool
	}
	// purgeSnapshots is not answered.
	purgeSnapshots struct{ keep []uint64 }
)

func (*saveSnapshot) isStoreJob()   {}
func (*readChunk) isStoreJob()      {}
func (*storeChunk) isStoreJob()     {}
func (*purgeSnapshots) isStoreJob() {}

// install is a snapshot that is being received. It takes chunks of one
// snapshot from one leader only: two nodes may write the same state down as
// different bytes.
type install struct {
	meta   SnapshotMeta
	from   NodeID
	offset uint64 // what is before is stored
	busy   bool   // a chunk is being stored
}

// receiveChunk takes a piece of a snapshot from the leader.
func (c *core) receiveChunk(m *Message) {
	if m.Snapshot == nil || !slices.Equal(m.Snapshot.Members, c.cfg.Members) {
		c.cfg.Logger.Warn("raft ignores a snapshot of another cluster", "from", m.From)
		return
	}
	meta := *m.Snapshot
	if c.log.holds(LogMark{meta.Index, meta.Term}) {
		// What is in a snapshot is committed, so this log is, up to there.
		c.advanceCommit(meta.Index)
	}
	if meta.Index <= c.log.commit {
		// Nothing to install, and above all nothing to take back.
		c.install = nil
		c.sendAfter(c.nextSeq(), &Message{Type: MsgAppendReply, To: m.From, Index: c.log.commit})
		return
	}
	in := c.install
	if in == nil || in.from != m.From || !sameSnapshot(&in.meta, &meta) {
		in = &install{meta: meta, from: m.From}
		c.steps.snapshot(&meta, SnapshotReceiving, m.From)
		c.install = in
	}
	switch {
	case in.busy:
		// A duplicate of the chunk that is being stored, most likely.
	case m.Offset != in.offset:
		c.askForChunk(in)
	default:
		in.busy = true
		c.out.archive(&storeChunk{in: in, offset: m.Offset, data: m.Data, last: m.Last})
	}
}

func sameSnapshot(a, b *SnapshotMeta) bool {
	return a.Index == b.Index && a.Term == b.Term && a.Size == b.Size && a.CRC == b.CRC
}

func (c *core) askForChunk(in *install) {
	if c.leader == in.from {
		c.send(&Message{Type: MsgSnapshotReply, To: in.from, Index: in.meta.Index, Offset: in.offset})
	}
}

// onChunkStored asks for the next chunk, or completes the installation.
func (c *core) onChunkStored(t *chunkStored) {
	in := t.in
	in.busy = false
	switch {
	case t.complete:
		if c.install == in {
			c.install = nil
		}
		c.steps.arrives(in)
		c.installed(in)
		c.steps.stored()
	case c.install != in:
		// Another snapshot took its place.
	case t.mismatch:
		in.offset = 0
		c.askForChunk(in)
	default:
		in.offset = t.offset
		c.askForChunk(in)
	}
}

// installed makes a received snapshot, which is now stored, the beginning of
// the log. Should the node stop before the log is cut, the start does it.
func (c *core) installed(in *install) {
	meta := in.meta
	mark := LogMark{meta.Index, meta.Term}
	if meta.Index > c.snap.Index {
		c.snap = meta
	}
	if c.log.holds(mark) {
		c.advanceCommit(meta.Index)
	}
	if meta.Index > c.log.commit {
		c.log.reset(mark)
		c.log.commitHash = meta.Hash
		c.resetTo, c.compactTo = &mark, 0
		for _, p := range c.proposals.covered(meta.Index) {
			p.finish(c.pending, nil, ErrUnknown)
		}
		c.submitted = meta.Index
		c.applyJobs++
		c.out.apply(&restoreState{meta: meta})
		c.steps.installed()
		c.steps.committed(mark, meta.Hash)
		c.traceCommit(meta.Index, meta.Term, meta.Hash)
		c.traceSnapshot(&meta, "installed")
		c.traceMembers()
		c.purge()
	}
	if c.leader == in.from {
		c.sendAfter(c.nextSeq(), &Message{Type: MsgAppendReply, To: in.from, Index: c.log.commit})
	}
}

// onSnapshotSaved compacts the log behind a snapshot of this node's own.
func (c *core) onSnapshotSaved(t snapshotSaved) {
	c.taking = false
	if t.meta.Index <= c.snap.Index {
		return // one that was installed meanwhile is newer
	}
	c.snap = t.meta
	c.steps.snapshot(&t.meta, SnapshotTaken, 0)
	c.traceSnapshot(&t.meta, "taken")
	c.compactLog()
	c.purge()
}

// compactLog forgets what the newest snapshot covers, but for SnapshotKeep
// entries and for those that a follower needs right after its installation.
func (c *core) compactLog() {
	if c.snap.Index <= c.cfg.SnapshotKeep {
		return
	}
	to := c.snap.Index - c.cfg.SnapshotKeep
	for _, m := range c.transfers() {
		to = min(to, m.Index)
	}
	if to > c.log.base.Index {
		c.log.compact(to)
		c.compactTo = to
	}
}

// transfers are the snapshots on their way to followers that are alive.
func (c *core) transfers() (metas []SnapshotMeta) {
	l, ok := c.role.(*leader)
	if !ok {
		return nil
	}
	for _, p := range l.followers {
		if p.state == installing && c.since(&p.heard) < 10*c.cfg.ElectionMax {
			metas = append(metas, p.transfer.meta)
		}
	}
	return metas
}

// purge lets the store remove snapshots that nobody needs any more.
func (c *core) purge() {
	keep := []uint64{c.snap.Index}
	for _, m := range c.transfers() {
		keep = append(keep, m.Index)
	}
	c.out.archive(&purgeSnapshots{keep: keep})
}

// runStoreJob does a job of the snapshot store's and returns the task that
// answers it, if any.
func runStoreJob(s Storage, j storeJob) task {
	switch j := j.(type) {
	case *saveSnapshot:
		meta, err := s.SaveSnapshot(j.meta, j.write)
		if err != nil {
			return storageFailed{fmt.Errorf("raft: save the snapshot at %d: %w", j.meta.Index, err)}
		}
		return snapshotSaved{meta}
	case *readChunk:
		return j.run(s)
	case *storeChunk:
		return j.run(s)
	case *purgeSnapshots:
		if err := s.PurgeSnapshots(j.keep); err != nil {
			return storageFailed{fmt.Errorf("raft: remove old snapshots: %w", err)}
		}
	}
	return nil
}

func (j *readChunk) run(s Storage) task {
	answer := &chunkRead{to: j.to, meta: j.meta, offset: j.offset}
	f, err := s.OpenSnapshot(j.meta.Index)
	if err != nil {
		// Purged meanwhile; the leader goes on with a newer one.
		answer.gone = true
		return answer
	}
	defer f.Close()
	size := min(uint64(j.size), j.meta.Size-min(j.offset, j.meta.Size))
	answer.data = make([]byte, size)
	if _, err := f.ReadAt(answer.data, int64(j.offset)); err != nil && !errors.Is(err, io.EOF) {
		return storageFailed{fmt.Errorf("raft: read the snapshot at %d: %w", j.meta.Index, err)}
	}
	return answer
}

func (j *storeChunk) run(s Storage) task {
	answer := &chunkStored{in: j.in, offset: j.offset + uint64(len(j.data))}
	err := s.WriteChunk(j.in.meta, j.offset, j.data)
	if err == nil && j.last {
		err = s.FinishInstall(j.in.meta)
		answer.complete = err == nil
	}
	if errors.Is(err, ErrSnapshotMismatch) {
		answer.mismatch = true
		return answer
	}
	if err != nil {
		return storageFailed{fmt.Errorf("raft: store the received snapshot at %d: %w", j.in.meta.Index, err)}
	}
	return answer
}
