package raft

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sim is a cluster in virtual time: one goroutine, one seed, the same course
// every time. After each task it checks the invariants of Raft.
type sim struct {
	rng           *rand.Rand
	now           time.Duration
	events        simEvents
	order         uint64
	members       []NodeID
	nodes         map[NodeID]*simNode
	cut           map[[2]NodeID]bool // from, to
	loss          float64
	snapshotEvery uint64
	electionMax   time.Duration
	alter         func(m *Message) *Message // test-only: a faulty transport
	bends         bool                      // clocks run wrong, too
	configure     func(*Config)             // nil: as it is
	watch         func(*simNode, Event)     // sees every event; nil: nobody
	watchSteps    func(*simNode, *Step)     // sees every step, while it is called; nil: nobody

	failure string
	invariants
	clients
}

type simEvent struct {
	at    time.Duration
	order uint64
	f     func()
}

type simEvents []simEvent

func (h simEvents) Len() int { return len(h) }
func (h simEvents) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].order < h[j].order
}
func (h simEvents) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *simEvents) Push(x any)   { *h = append(*h, x.(simEvent)) }
func (h *simEvents) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

func newSim(seed uint64, size int, prepare func(*sim)) *sim {
	s := &sim{
		rng:   rand.New(rand.NewPCG(seed, 7)),
		nodes: map[NodeID]*simNode{}, cut: map[[2]NodeID]bool{}, snapshotEvery: 40, electionMax: 300 * time.Millisecond,
		invariants: newInvariants(), clients: clients{issued: map[uint64]*simOp{}},
	}
	for i := 1; i <= size; i++ {
		s.members = append(s.members, NodeID(i))
	}
	for _, id := range s.members {
		s.nodes[id] = &simNode{s: s, id: id, storage: newMemStorage(), clock: &simClock{s: s, rate: 1}}
	}
	if prepare != nil {
		prepare(s)
	}
	for _, id := range s.members {
		s.nodes[id].start()
	}
	return s
}

func (s *sim) fail(format string, args ...any) {
	if s.failure == "" {
		s.failure = fmt.Sprintf("at %v: %s", s.now, fmt.Sprintf(format, args...))
	}
}

func (s *sim) after(d time.Duration, f func()) {
	s.order++
	heap.Push(&s.events, simEvent{s.now + d, s.order, f})
}

func (s *sim) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(s.rng.Int64N(int64(hi-lo)+1))
}

// diskTime is mostly short and sometimes very long.
func (s *sim) diskTime() time.Duration {
	if s.rng.IntN(20) == 0 {
		return s.between(0, 100*time.Millisecond)
	}
	return s.between(100*time.Microsecond, 3*time.Millisecond)
}

func (s *sim) run(until time.Duration) {
	for len(s.events) > 0 && s.events[0].at <= until && s.failure == "" {
		ev := heap.Pop(&s.events).(simEvent)
		s.now = ev.at
		ev.f()
	}
	s.now = max(s.now, until)
}

// send carries a message through its wire form, loses, delays, reorders and
// duplicates it.
func (s *sim) send(from, to NodeID, m *Message) {
	if s.alter != nil {
		copied := *m
		if m = s.alter(&copied); m == nil {
			return
		}
	}
	wire := AppendMessage(nil, m)
	copies := 1
	if s.loss > 0 && s.rng.IntN(20) == 0 {
		copies = 2
	}
	for range copies {
		if s.rng.Float64() < s.loss {
			continue
		}
		delay := s.between(200*time.Microsecond, 4*time.Millisecond)
		if s.loss > 0 && s.rng.IntN(10) == 0 {
			delay = s.between(0, 150*time.Millisecond)
		}
		s.after(delay, func() {
			n := s.nodes[to]
			if s.cut[[2]NodeID{from, to}] || !n.up {
				return
			}
			got, err := DecodeMessage(wire)
			if err != nil {
				s.fail("decode: %v", err)
				return
			}
			n.task(n.boot, receive{got})
		})
	}
}

// storm injects faults and client operations until the given time.
func (s *sim) storm(until time.Duration) {
	var fault, op func()
	fault = func() {
		if s.now >= until {
			return
		}
		s.injectFault()
		s.after(s.between(50*time.Millisecond, 900*time.Millisecond), fault)
	}
	op = func() {
		if s.now >= until {
			return
		}
		s.clientOp()
		s.after(s.between(0, 12*time.Millisecond), op)
	}
	s.after(300*time.Millisecond, fault)
	s.after(0, op)
	s.run(until)
}

func (s *sim) injectFault() {
	pick := s.nodes[s.members[s.rng.IntN(len(s.members))]]
	if s.bends && s.rng.IntN(2) == 0 {
		pick.clock.bendSomehow()
		return
	}
	if s.rng.IntN(3) == 0 { // rather hurt a leader
		if lead := s.leading(); lead != nil {
			pick = lead
		}
	}
	switch s.rng.IntN(8) {
	case 0, 1:
		if pick.up {
			pick.crash()
			s.after(s.between(0, 800*time.Millisecond), func() {
				if !pick.up {
					pick.start()
				}
			})
		}
	case 2: // halves
		clear(s.cut)
		side := map[NodeID]bool{}
		for _, id := range s.members {
			side[id] = s.rng.IntN(2) == 0
		}
		for _, a := range s.members {
			for _, b := range s.members {
				s.cut[[2]NodeID{a, b}] = side[a] != side[b]
			}
		}
	case 3: // isolate, perhaps one way
		way := s.rng.IntN(3)
		for _, id := range s.members {
			s.cut[[2]NodeID{pick.id, id}] = way != 1
			s.cut[[2]NodeID{id, pick.id}] = way != 0
		}
	case 4: // single links
		for range 3 {
			a, b := s.members[s.rng.IntN(len(s.members))], s.members[s.rng.IntN(len(s.members))]
			s.cut[[2]NodeID{a, b}] = true
		}
	case 5:
		s.loss = []float64{0, 0.02, 0.1, 0.3}[s.rng.IntN(4)]
	default:
		clear(s.cut)
	}
}

// leading is the last of the nodes that lead; nil: none does.
func (s *sim) leading() (lead *simNode) {
	for _, id := range s.members {
		if n := s.nodes[id]; n.up && n.core.role.kind() == Leader {
			lead = n
		}
	}
	return lead
}

// heal ends every fault and lets the cluster come to rest.
func (s *sim) heal() {
	clear(s.cut)
	s.loss = 0
	for _, id := range s.members {
		s.nodes[id].clock.heal()
		if n := s.nodes[id]; !n.up {
			n.start()
		}
	}
	s.run(s.now + 3*time.Second)
}

// settle checks that the healed cluster works, and what became of every write.
func (s *sim) settle() {
	s.heal()
	if s.failure != "" {
		return
	}
	for range 5 {
		s.clientOp()
		s.run(s.now + 100*time.Millisecond)
	}
	lead := s.leading()
	if lead == nil {
		s.fail("liveness: no leader after the healing")
		return
	}
	answered := false
	id := s.nextID()
	lead.pending.Add(1)
	lead.task(lead.boot, &propose{command: binary.LittleEndian.AppendUint64(nil, id), done: func(_ any, err error) {
		answered = err == nil
	}})
	s.run(s.now + time.Second)
	if s.failure != "" {
		return
	}
	if !answered {
		s.fail("liveness: the healed cluster accepts no write: %v", lead)
	}
	for _, m := range s.members {
		n := s.nodes[m]
		if p := n.pending.Load(); p != 0 {
			s.fail("node %d still counts %d operations as pending", n.id, p)
		}
		if n.applier.at != lead.applier.at {
			s.fail("liveness: after the healing %v, but %v", n, lead)
		} else if n.machine.Hash() != lead.machine.Hash() {
			s.fail("state machine safety: nodes %d and %d differ at %d", n.id, lead.id, lead.applier.at.Index)
		}
	}
	s.checkWrites(lead.machine.ids)
}

func runSeed(seed uint64, size int, prepare func(*sim)) *sim {
	s := newSim(seed, size, prepare)
	s.storm(15 * time.Second)
	if s.failure == "" {
		s.settle()
	}
	return s
}

// envSeeds lets a longer search be asked for: RAFT_SEEDS=5000.
func envSeeds(def int) int {
	if n, err := strconv.Atoi(os.Getenv("RAFT_SEEDS")); err == nil && n > 0 {
		return n
	}
	return def
}

func TestSimulation(t *testing.T) {
	seeds := envSeeds(18)
	for _, size := range []int{1, 2, 3, 4, 5} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			n := seeds
			if size != 3 && size != 5 {
				n = seeds / 6
			}
			acked, reads, installs, leaders := 0, 0, 0, 0
			for seed := range uint64(n) {
				s := runSeed(seed, size, nil)
				if s.failure != "" {
					t.Fatalf("seed %d: %s", seed, s.failure)
				}
				acked, reads, installs, leaders = acked+s.acked, reads+s.readsDone, installs+s.installs, leaders+len(s.leaders)
			}
			t.Logf("%d seeds: %d writes acknowledged, %d reads, %d leaders, %d snapshots installed", n, acked, reads, leaders, installs)
			if acked < 100*n || reads < 50*n || size > 2 && (installs == 0 || leaders < 3*n) {
				t.Errorf("the storm was too quiet to mean anything")
			}
		})
	}
}

func TestSimulationIsDeterministic(t *testing.T) {
	a, b := runSeed(3, 3, nil), runSeed(3, 3, nil)
	if a.acked != b.acked || a.order != b.order || a.readsDone != b.readsDone {
		t.Fatalf("two runs of one seed differ: %d/%d/%d and %d/%d/%d", a.acked, a.order, a.readsDone, b.acked, b.order, b.readsDone)
	}
}

// TestSimulationCatches plants one defect each, outside of the node, and demands
// that the simulation's checks see its effect.
func TestSimulationCatches(t *testing.T) {
	defects := map[string]func(*sim){
		"a disk that forgets the vote": func(s *sim) {
			// Elections that collide, and voters that crash right afterwards.
			s.electionMax = 153 * time.Millisecond
			for _, n := range s.nodes {
				n.storage.forgetVote = true
			}
			s.alter = func(m *Message) *Message {
				if n := s.nodes[m.From]; m.Type == MsgVoteReply && n.up {
					s.after(0, func() { n.crash() })
					s.after(time.Millisecond, func() {
						if !n.up {
							n.start()
						}
					})
				}
				return m
			}
		},
		"a disk that ignores fsync": func(s *sim) {
			for _, n := range s.nodes {
				n.storage.loseSaves = true
			}
		},
		"every vote granted": func(s *sim) {
			s.alter = func(m *Message) *Message {
				if m.Type == MsgVoteReply || m.Type == MsgPreVoteReply {
					m.Reject = false
				}
				return m
			}
		},
		"logs of candidates look long": func(s *sim) {
			s.alter = func(m *Message) *Message {
				if m.Type == MsgVote || m.Type == MsgPreVote {
					m.LogTerm += 100
				}
				return m
			}
		},
		"acknowledgement of what was not stored": func(s *sim) {
			s.alter = func(m *Message) *Message {
				if m.Type == MsgAppendReply && !m.Reject {
					m.Index += 3
				}
				return m
			}
		},
		"appends match whatever is before": func(s *sim) {
			s.alter = func(m *Message) *Message {
				if m.Type == MsgAppendReply && m.Reject && m.Index > 0 {
					m.Reject, m.LogTerm, m.Hint = false, 0, 0
				}
				return m
			}
		},
		"the leader commits too early": func(s *sim) {
			s.alter = func(m *Message) *Message {
				if m.Type == MsgAppend {
					m.Commit = m.Index + uint64(len(m.Entries))
				}
				return m
			}
		},
		"a network that answers heartbeats by itself": func(s *sim) {
			s.alter = func(m *Message) *Message {
				if m.Type == MsgHeartbeat {
					n, boot := s.nodes[m.From], s.nodes[m.From].boot
					reply := &Message{Type: MsgHeartbeatReply, From: m.To, To: m.From, Term: m.Term, Context: m.Context}
					s.after(time.Millisecond, func() { n.task(boot, receive{reply}) })
				}
				return m
			}
		},
		"a changed command": func(s *sim) {
			s.alter = func(m *Message) *Message {
				if m.Type == MsgAppend && len(m.Entries) > 0 && m.To == 2 && s.rng.IntN(50) == 0 {
					entries := append([]Entry(nil), m.Entries...)
					if e := &entries[0]; e.Kind == EntryCommand {
						e.Command = binary.LittleEndian.AppendUint64(nil, 1<<40+e.Index)
					}
					m.Entries = entries
				}
				return m
			}
		},
	}
	for name, plant := range defects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(40) {
				s := runSeed(seed, 3+2*int(seed%2), plant)
				if s.failure != "" && !strings.Contains(s.failure, "liveness") {
					t.Logf("seed %d: %s", seed, s.failure)
					return
				}
			}
			t.Error("no seed of 40 noticed")
		})
	}
}
