package elections

import (
	"container/heap"
	"math/rand/v2"
	"slices"
)

// Model is the experiment without machines: nodes that do what Raft says, links
// and disks that take what they are said to take, and nothing else. It separates
// what follows from these times from what a real machine adds, and from chance.
type Model struct {
	Survivors int
	Eligible  int // of the survivors; the others' logs are shorter
	OneWay    Spread
	// Disk is one write. A candidate makes one before it asks for votes, a voter
	// VoterWrites before it answers, a leader LeaderWrites before it is heard.
	Disk                      Spread
	VoterWrites, LeaderWrites int
	Whole                     bool // timeouts are whole milliseconds
}

// PaperModel is the model of the paper's servers. LogCabin of that time wrote to
// its disk before it asked for votes, twice before it granted one (first the
// term, then the vote), and once more before the new leader was heard; its
// timeouts were whole milliseconds. A network of one switch takes next to
// nothing. With a write of 0 to 6 ms this gives the paper's curves.
func PaperModel() Model {
	return Model{Survivors: 4, Eligible: 2, OneWay: Spread{0.1, 0.3}, Disk: Spread{0, 6},
		VoterWrites: 2, LeaderWrites: 1, Whole: true}
}

// Model is the model of what was measured: links as they were made, and a disk
// that takes what the bare broadcasts took, which is its own time and that of the
// links as they were, beside what it was slowed down by.
func (r *Record) Model() Model {
	n := len(r.Nodes) - 1
	m := Model{Survivors: n, Eligible: n, OneWay: r.Net.OneWay, VoterWrites: 1}
	if !r.Plain {
		m.Eligible = n - n/2
	}
	bare := r.Net.Bare.P50
	if r.Disk == nil {
		m.Disk = Spread{bare, bare}
		return m
	}
	m.Disk = Spread{r.Disk.Min + bare, r.Disk.Max + bare}
	m.VoterWrites, m.LeaderWrites = 2, 1
	return m
}

// Times makes n trials and returns the times without a leader, ascending. Where
// elections go on and on it makes fewer, so as to be done in a few seconds.
func (m Model) Times(r Range, n int, seed uint64) []Millis {
	rng := rand.New(rand.NewPCG(seed, 16))
	times := make([]Millis, 0, n)
	for left := modelWork; len(times) < n && left > 0; {
		times = append(times, m.trial(r, rng, &left))
	}
	slices.Sort(times)
	return times
}

const (
	// modelLimit ends a trial of the model that finds no leader, in ms.
	modelLimit Millis = 1e6
	// modelWork is how much may happen in all trials of a range, and trialWork in
	// one: some ten thousand rounds of elections, after which it counts as one that
	// finds no leader.
	modelWork = 5_000_000
	trialWork = 200_000
)

// modelEvent is something to come in the model.
type modelEvent struct {
	at   Millis
	kind int // 0: a timeout; 1: a request for a vote; 2: a vote
	node int // whom it happens to
	from int
	term int // of a timeout: which timer
}

type eventQueue []modelEvent

func (q eventQueue) Len() int           { return len(q) }
func (q eventQueue) Less(i, j int) bool { return q[i].at < q[j].at }
func (q eventQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)        { *q = append(*q, x.(modelEvent)) }
func (q *eventQueue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

// modelNode is a survivor.
type modelNode struct {
	term, timer int
	voted       bool
	candidate   bool
	votes       int
	busy        Millis // its disk is, until then
}

// modelTrial is one trial of the model.
type modelTrial struct {
	Model
	Range
	rng    *rand.Rand
	nodes  []modelNode
	events eventQueue
}

// trial makes one trial, and takes what happens in it from what is left of the work.
func (m Model) trial(r Range, rng *rand.Rand, left *int) Millis {
	p := &modelTrial{Model: m, Range: r, rng: rng, nodes: make([]modelNode, m.Survivors)}
	crash := Millis(rng.Float64()) * r.Min / 2
	for i := range p.nodes {
		p.reset(i, p.draw(m.OneWay)) // the last broadcast
	}
	for work := 0; work < trialWork && len(p.events) > 0 && p.events[0].at < modelLimit; work++ {
		*left--
		h := heap.Pop(&p.events).(modelEvent)
		n := &p.nodes[h.node]
		if n.busy > h.at {
			h.at = n.busy
			heap.Push(&p.events, h)
			continue
		}
		switch h.kind {
		case 0:
			p.timeout(h)
		case 1:
			p.request(h)
		case 2:
			if n.candidate && n.term == h.term {
				if n.votes++; n.votes > (m.Survivors+1)/2 {
					return p.heard(h.at) - crash
				}
			}
		}
	}
	return modelLimit
}

func (p *modelTrial) draw(s Spread) Millis { return s.Min + Millis(p.rng.Float64())*(s.Max-s.Min) }

func (p *modelTrial) writes(n int) (sum Millis) {
	for range n {
		sum += p.draw(p.Disk)
	}
	return sum
}

func (p *modelTrial) reset(i int, now Millis) {
	timeout := p.draw(Spread{p.Range.Min, p.Range.Max})
	if p.Whole {
		timeout = p.Range.Min + Millis(p.rng.IntN(int(p.Range.Max-p.Range.Min)+1))
	}
	p.nodes[i].timer++
	heap.Push(&p.events, modelEvent{at: now + timeout, node: i, term: p.nodes[i].timer})
}

func (p *modelTrial) timeout(h modelEvent) {
	n := &p.nodes[h.node]
	if n.timer != h.term {
		return
	}
	n.term, n.voted, n.candidate, n.votes = n.term+1, true, true, 1
	p.reset(h.node, h.at)
	n.busy = h.at + p.writes(1)
	for i := range p.nodes {
		if i != h.node {
			heap.Push(&p.events, modelEvent{at: n.busy + p.draw(p.OneWay), kind: 1, node: i, from: h.node, term: n.term})
		}
	}
}

func (p *modelTrial) request(h modelEvent) {
	n := &p.nodes[h.node]
	if h.term < n.term {
		return
	}
	wrote := 0
	if h.term > n.term {
		n.term, n.voted, n.candidate = h.term, false, false
		wrote = p.VoterWrites - 1
	}
	grants := !n.voted && (h.from < p.Eligible || h.node >= p.Eligible)
	if grants {
		n.voted = true
		wrote++
		p.reset(h.node, h.at)
	}
	n.busy = h.at + p.writes(wrote)
	if grants {
		heap.Push(&p.events, modelEvent{at: n.busy + p.draw(p.OneWay), kind: 2, node: h.from, term: h.term})
	}
}

// heard is when the first other node hears the leader of that moment.
func (p *modelTrial) heard(at Millis) Millis {
	first := p.draw(p.OneWay)
	for range len(p.nodes) - 2 {
		first = min(first, p.draw(p.OneWay))
	}
	return at + p.writes(p.LeaderWrites) + first
}
