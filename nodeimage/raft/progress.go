package raft

import "time"

// progressState is how a leader treats a follower.
type progressState uint8

const (
	// probing: it is not known where the follower's log ends. One append at a
	// time, until one is accepted.
	probing progressState = iota
	// streaming: appends follow one another without waiting for the answers.
	streaming
	// installing: the follower needs a snapshot.
	installing
)

// progress is what a leader knows of one follower. Always match < next.
type progress struct {
	id    NodeID
	state progressState
	match uint64        // the follower's durable log equals ours up to here
	next  uint64        // the next entry to send
	heard time.Duration // when the follower last said anything in this term
	sent  time.Duration // when it was last sent entries or a chunk

	paused   bool       // probing: an append is on its way
	window   []inflight // streaming: the appends on their way, oldest first
	bytes    int        // of them
	context  uint64     // the newest round of reads it has answered
	transfer *transfer  // installing
}

// inflight is an append that was not answered yet.
type inflight struct {
	last  uint64
	bytes int
}

// transfer is a snapshot on its way to a follower, one chunk at a time.
type transfer struct {
	meta    SnapshotMeta
	offset  uint64 // the follower holds what is before
	reading bool   // the next chunk is being read from disk
}

func (p *progress) probe(next uint64) {
	p.state, p.paused, p.transfer = probing, false, nil
	p.clearWindow()
	p.next = max(next, p.match+1)
}

func (p *progress) stream() {
	p.state, p.paused, p.transfer = streaming, false, nil
	p.clearWindow()
	p.next = p.match + 1
}

func (p *progress) install(meta SnapshotMeta) {
	p.state, p.paused, p.transfer = installing, false, &transfer{meta: meta}
	p.clearWindow()
}

func (p *progress) clearWindow() { p.window, p.bytes = p.window[:0], 0 }

// sentEntries notes an append with entries up to last that is now on its way.
func (p *progress) sentEntries(last uint64, bytes int) {
	p.next = last + 1
	p.window = append(p.window, inflight{last, bytes})
	p.bytes += bytes
}

// acknowledged notes that the follower's durable log equals ours up to index.
// A late acknowledgement takes nothing back.
func (p *progress) acknowledged(index uint64) {
	p.match = max(p.match, index)
	p.next = max(p.next, p.match+1)
	n := 0
	for n < len(p.window) && p.window[n].last <= p.match {
		p.bytes -= p.window[n].bytes
		n++
	}
	p.window = append(p.window[:0], p.window[n:]...)
}

// full says whether nothing more may be sent before an answer comes.
func (p *progress) full(maxCount, maxBytes int) bool {
	return len(p.window) >= maxCount || p.bytes >= maxBytes
}
