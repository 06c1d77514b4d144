package raft

// maxProbeBytes bounds the entries in a probing append: it may well be
// rejected, or sent to nobody.
const maxProbeBytes = 64 << 10

// replicate sends a follower what it lacks, as far as its state allows.
func (l *leader) replicate(p *progress) {
	cfg := &l.c.cfg
	if p.state == probing && !p.paused {
		if entries, ok := l.entriesFor(p, min(cfg.MaxBatchBytes, maxProbeBytes)); ok {
			p.paused = true
			l.sendAppend(p, entries)
		}
	}
	for p.state == streaming && p.next <= l.c.log.last() && !p.full(cfg.MaxInflight, 8*cfg.MaxBatchBytes) {
		entries, ok := l.entriesFor(p, cfg.MaxBatchBytes)
		if !ok {
			return
		}
		l.sendAppend(p, entries)
		bytes := 0
		for i := range entries {
			bytes += entries[i].size()
		}
		p.sentEntries(entries[len(entries)-1].Index, bytes)
	}
}

// entriesFor is the next batch for a follower. If the log no longer reaches
// back that far it begins to send a snapshot instead.
func (l *leader) entriesFor(p *progress, maxBytes int) (entries []Entry, ok bool) {
	if p.next-1 < l.c.log.base.Index {
		l.install(p)
		return nil, false
	}
	return l.c.log.batch(p.next, maxBytes), true
}

// install begins to send the newest snapshot.
func (l *leader) install(p *progress) {
	p.install(l.c.snap)
	l.c.steps.snapshot(&l.c.snap, SnapshotSending, p.id)
	l.readChunk(p)
}

// sendAppend sends entries, which follow the entry before p.next. It does not
// wait for this node's own disk: a leader's entry counts as stored here only
// when it is, and the others can store it meanwhile.
func (l *leader) sendAppend(p *progress, entries []Entry) {
	c := l.c
	prev := p.next - 1
	term, ok := c.log.term(prev)
	if !ok {
		p.probe(p.match + 1) // compacted meanwhile: replicate finds out what now
		return
	}
	p.sent = c.cfg.Clock.Now()
	c.send(&Message{Type: MsgAppend, To: p.id, Index: prev, LogTerm: term,
		Entries: entries, Commit: c.log.commit})
}

// readChunk fetches the next piece of the snapshot for a follower.
func (l *leader) readChunk(p *progress) {
	t := p.transfer
	if t.reading {
		return
	}
	t.reading = true
	l.c.out.archive(&readChunk{to: p.id, meta: t.meta, offset: t.offset, size: l.c.cfg.SnapshotChunk})
}

// sendChunk sends the piece that was read.
func (l *leader) sendChunk(r *chunkRead) {
	c := l.c
	p := l.follower(r.to)
	if p == nil || p.state != installing || p.transfer.meta.Index != r.meta.Index {
		return
	}
	p.transfer.reading = false
	if r.gone {
		l.install(p)
		return
	}
	if r.offset != p.transfer.offset {
		l.readChunk(p)
		return
	}
	meta := r.meta
	p.sent = c.cfg.Clock.Now()
	c.send(&Message{Type: MsgSnapshot, To: p.id, Snapshot: &meta, Offset: r.offset, Data: r.data,
		Last: r.offset+uint64(len(r.data)) == meta.Size})
}

// snapshotReply goes on where the follower wants to.
func (l *leader) snapshotReply(p *progress, m *Message) {
	if p.state != installing || p.transfer.meta.Index != m.Index || m.Offset > p.transfer.meta.Size {
		return
	}
	if m.Offset == p.transfer.offset && l.c.since(&p.sent) < l.c.cfg.Heartbeat {
		return // a duplicate; the answer to the chunk on its way is still to come
	}
	p.transfer.offset = m.Offset
	l.readChunk(p)
}
