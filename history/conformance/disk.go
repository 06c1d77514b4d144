package conformance

import "squall/history/trace"

// disk is what is durable of a node.
type disk struct {
	term uint64
	vote trace.NodeID
	// end is the index up to which the current log is durable, by (index, term): what is
	// on disk of entries that were cut off since does not count, even if the same index
	// was written again, and not if it is of the same term either.
	end  uint64
	snap trace.Mark // the newest snapshot
	// past are the versions of the log that may be on the disk yet, the oldest first:
	// each was cut, and the next one kept its beginning.
	past []version
}

// version is the log as it was before it was cut.
type version struct {
	log  termLog
	kept uint64 // what of it was kept
	term uint64 // the node's when it was cut
}

// mostVersions bounds the versions that are kept.
const mostVersions = 32

// cut notes that the log was cut after the entry at kept.
func (d *disk) cut(log *termLog, kept, term uint64) {
	if len(d.past) == mostVersions {
		d.past = append(d.past[:0], d.past[1:]...)
	}
	d.past = append(d.past, version{log.clone(), kept, term})
	d.end = min(d.end, kept)
}

// stored notes that the log on disk ends with m, in term. It reports false if the log
// never did.
//
// Which version of the log that is of is told by the term: within one term a node has
// one leader, and its log is cut only where it differs from that one's. So the version
// is the oldest that holds m and was cut in a later term than the stored one; else the
// newest that holds it.
func (d *disk) stored(log *termLog, term uint64, m trace.Mark) bool {
	for i := range d.past {
		if v := &d.past[i]; v.log.holds(m) && v.term > term {
			d.confirm(i, m.Index)
			return true
		}
	}
	if log.holds(m) {
		if n := len(d.past); n > 0 && m.Index > d.past[n-1].kept {
			d.past = d.past[:0]
		}
		d.end = max(d.end, min(m.Index, d.bound(0)))
		return true
	}
	for i := len(d.past) - 1; i >= 0; i-- {
		if d.past[i].log.holds(m) {
			d.confirm(i, m.Index)
			return true
		}
	}
	return m.Index <= log.base.Index || len(d.past) == mostVersions
}

// confirm notes that the version at i is on disk up to index.
func (d *disk) confirm(i int, index uint64) {
	d.end = max(d.end, min(index, d.bound(i)))
	d.past = append(d.past[:0], d.past[i:]...)
}

// bound is how much the current log has in common with the version at i.
func (d *disk) bound(i int) uint64 {
	kept := ^uint64(0)
	for ; i < len(d.past); i++ {
		kept = min(kept, d.past[i].kept)
	}
	return kept
}

// persist takes a Persist.
func (n *node) persist(e *trace.Event) {
	d := &n.disk
	if n.decide(termMonotonic, e.Term < d.term) {
		n.violation(termMonotonic, []*trace.Event{&n.last[trace.Persist], e},
			"stored term %d, and then term %d", d.term, e.Term)
		return
	}
	if e.Term > d.term || e.Vote != 0 {
		d.vote = e.Vote
	}
	d.term = e.Term
	if n.off[logConsecutive] || e.Mark.Index == 0 {
		return
	}
	if !d.stored(&n.log, e.Term, e.Mark) {
		n.contradicts(e, "it stored a log that ends with entry %d of term %d, and never had that", e.Mark.Index, e.Mark.Term)
	}
}
