package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"squall/trace/etcdraft"
)

// electionTicks is the shortest election timeout, in ticks; the longest is twice that.
const electionTicks = 10

// node is a member of the cluster.
type node struct {
	config
	raft      raft.Node
	wal       *wal
	store     *store
	transport *transport
	tracer    *etcdraft.Tracer
	steps     *etcdraft.Steps

	boot string // makes the IDs of this start's requests unlike any other's
	next atomic.Uint64

	incoming  chan *raftpb.Message // of other nodes
	forwarded chan struct{}        // commands of other nodes that wait for a leader

	mu      sync.Mutex
	waiting map[string]chan outcome // for commands to be applied
	reading map[string]chan uint64  // for the index of a read
	applied uint64                  // the last entry that was applied
	until   []chan struct{}         // are told when more was applied

	snapshotted uint64 // the entry of the last snapshot
}

// startNode makes a node of what is on its disk.
func startNode(c config) (*node, error) {
	n := &node{config: c, store: &store{}, boot: rand.Text(), transport: newTransport(c), incoming: make(chan *raftpb.Message), forwarded: make(chan struct{}, maxForwarded),
		waiting: map[string]chan outcome{}, reading: map[string]chan uint64{}}
	var err error
	if n.wal, err = openWAL(c.data, slices.Sorted(maps.Keys(c.peers))); err != nil {
		return nil, err
	}
	snapshot, err := n.wal.Snapshot()
	if err != nil {
		return nil, err
	}
	if err := n.restore(snapshot); err != nil {
		return nil, err
	}
	if n.tracer, err = newTracer(n.wal); err != nil {
		return nil, err
	}
	if n.steps, err = newSteps(n.wal, c.id); err != nil {
		return nil, err
	}
	n.raft = raft.RestartNode(&raft.Config{ID: c.id, ElectionTick: electionTicks, HeartbeatTick: 1, Storage: n.wal, Applied: n.applied,
		MaxSizePerMsg: 1 << 20, MaxCommittedSizePerReady: 4 << 20, MaxInflightMsgs: 256, CheckQuorum: true, PreVote: true, TraceLogger: newTLATrace()})
	return n, nil
}

// run handles what raft has ready, until something fails.
func (n *node) run() error {
	n.transport.start(n.peers, n.sent, n.lost)
	ticks := time.NewTicker(n.tick)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			n.raft.Tick()
		case m := <-n.incoming:
			n.steps.Receive(m)
			if err := n.raft.Step(context.Background(), m); err != nil {
				log.Printf("%s of node %d was not taken: %v", m.GetType(), m.GetFrom(), err)
			}
		case rd := <-n.raft.Ready():
			if err := n.handle(rd); err != nil {
				return err
			}
			n.raft.Advance()
		}
	}
}

func (n *node) handle(rd raft.Ready) error {
	n.steps.Ready(rd)
	if err := n.wal.save(rd); err != nil {
		return fmt.Errorf("saving to the log: %w", err)
	}
	n.tracer.Ready(rd)
	n.steps.Saved(rd)
	n.steps.Sending(rd.Messages)
	n.transport.send(rd.Messages)
	if !raft.IsEmptySnap(rd.Snapshot) {
		if err := n.restore(rd.Snapshot); err != nil {
			return err
		}
	}
	for _, r := range rd.ReadStates {
		n.answerRead(string(r.RequestCtx), r.Index)
	}
	for _, e := range rd.CommittedEntries {
		if err := n.apply(e); err != nil {
			return fmt.Errorf("applying entry %d: %w", e.GetIndex(), err)
		}
		n.tracer.Applied(e.GetIndex(), n.store.state)
		n.steps.Applied(e.GetIndex(), n.store.state)
	}
	if n.applied-n.snapshotted >= n.snapshotEvery {
		return n.snapshot()
	}
	return nil
}

// restore takes the state of a snapshot.
func (n *node) restore(s *raftpb.Snapshot) error {
	if err := n.store.load(s.GetData()); err != nil {
		return fmt.Errorf("the snapshot: %w", err)
	}
	n.snapshotted = s.GetMetadata().GetIndex()
	n.progress(n.snapshotted)
	return nil
}

func (n *node) snapshot() error {
	state, err := n.store.save()
	if err != nil {
		return err
	}
	s, err := n.wal.snapshot(n.applied, state)
	if err != nil {
		return fmt.Errorf("taking a snapshot: %w", err)
	}
	n.snapshotted = n.applied
	n.tracer.SnapshotTaken(s.GetMetadata().GetIndex(), s.GetMetadata().GetTerm())
	n.steps.SnapshotTaken(s.GetMetadata().GetIndex(), s.GetMetadata().GetTerm(), s.GetMetadata().GetConfState())
	log.Printf("snapshot at entry %d", n.applied)
	return nil
}

func (n *node) apply(e *raftpb.Entry) error {
	if len(e.GetData()) > 0 { // a new leader's first entry has none
		var c command
		if err := json.Unmarshal(e.GetData(), &c); err != nil {
			return err
		}
		result := n.store.apply(c)
		n.mu.Lock()
		if waiting, ok := n.waiting[c.ID]; ok {
			waiting <- result // it has room for one
			delete(n.waiting, c.ID)
		}
		n.mu.Unlock()
	}
	n.progress(e.GetIndex())
	return nil
}

// progress tells those who wait for it that the state is that of an index.
func (n *node) progress(index uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.applied = index
	for _, c := range n.until {
		close(c)
	}
	n.until = nil
}

// maxForwarded is how many commands of other nodes may wait here for a leader.
const maxForwarded = 1000

// receive takes a message of another node. A command that was forwarded waits while this
// node knows of no leader, so it must not hold up what comes after it: the votes for one.
func (n *node) receive(m *raftpb.Message) error {
	if m.GetType() != raftpb.MsgProp {
		n.incoming <- m
		return nil
	}
	select {
	case n.forwarded <- struct{}{}:
	default:
		return errors.New("too many wait for a leader")
	}
	go func() {
		defer func() { <-n.forwarded }()
		ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
		defer cancel()
		_ = n.raft.Step(ctx, m) // whoever forwarded it waits for it to be applied
	}()
	return nil
}

func (n *node) sent(m *raftpb.Message) {
	if m.GetType() == raftpb.MsgSnap {
		n.raft.ReportSnapshot(m.GetTo(), raft.SnapshotFinish)
	}
}

func (n *node) lost(m *raftpb.Message) {
	n.raft.ReportUnreachable(m.GetTo())
	if m.GetType() == raftpb.MsgSnap {
		n.raft.ReportSnapshot(m.GetTo(), raft.SnapshotFailure)
	}
}

// errDropped: raft did not take a proposal, so it never will be applied.
var errDropped = errors.New("there is no leader")

// do has a command applied, and tells its outcome. Any other error than errDropped leaves
// open whether it was, or will be.
func (n *node) do(ctx context.Context, c command) (outcome, error) {
	c.ID = n.requestID()
	data, err := json.Marshal(c)
	if err != nil {
		return outcome{}, errDropped
	}
	waiting := make(chan outcome, 1)
	n.mu.Lock()
	n.waiting[c.ID] = waiting
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		delete(n.waiting, c.ID)
		n.mu.Unlock()
	}()
	if err := n.raft.Propose(ctx, data); errors.Is(err, raft.ErrProposalDropped) {
		return outcome{}, errDropped
	} else if err != nil {
		return outcome{}, err
	}
	select {
	case result := <-waiting:
		return result, nil
	case <-ctx.Done():
		return outcome{}, ctx.Err()
	}
}

// read returns once the state holds all that was written before it was called: it asks
// the leader, which asks a quorum whether it still leads. The question or its answer may
// be lost, so it is asked again.
func (n *node) read(ctx context.Context) error {
	again := time.NewTicker(electionTicks * n.tick)
	defer again.Stop()
	at := make(chan uint64, 1)
	for {
		id := n.requestID()
		n.mu.Lock()
		n.reading[id] = at
		n.mu.Unlock()
		defer func() {
			n.mu.Lock()
			delete(n.reading, id)
			n.mu.Unlock()
		}()
		if err := n.raft.ReadIndex(ctx, []byte(id)); err != nil {
			return err
		}
		select {
		case index := <-at:
			return n.wait(ctx, index)
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (n *node) answerRead(id string, index uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if at, ok := n.reading[id]; ok {
		delete(n.reading, id)
		select {
		case at <- index:
		default: // another question for the same read was answered
		}
	}
}

// wait waits until an entry is applied.
func (n *node) wait(ctx context.Context, index uint64) error {
	for {
		n.mu.Lock()
		if n.applied >= index {
			n.mu.Unlock()
			return nil
		}
		more := make(chan struct{})
		n.until = append(n.until, more)
		n.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// requestID is unlike that of any other request to any node: raft must not take the
// answer to one read for that to another.
func (n *node) requestID() string { return fmt.Sprintf("%s-%d", n.boot, n.next.Add(1)) }
