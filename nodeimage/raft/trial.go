package raft

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Trial is one trial of an experiment on elections: the leader makes some
// followers' logs shorter than the others', broadcasts, and crashes. It is what
// Figure 16 of the Raft paper was measured by.
//
// As soon as every follower holds the whole log, the leader appends one more
// entry (trial event "proposed"), which the followers in Behind are not sent;
// heartbeats they get. When it is committed the leader sends a heartbeat to
// everybody, which sets all election timers at about the same moment
// ("broadcast"), and calls Die after Crash ("crash").
//
// With a negative Crash nothing dies. The trial then measures a broadcast alone:
// from "proposed" to "answered", when every follower has the entry on its disk.
//
// A node that does not lead, or ceases to, writes a trial event whose reason
// begins with "refused: ".
type Trial struct {
	Behind []NodeID
	Crash  time.Duration
	Die    func() // must not return
}

// EventTrial is a step of a trial: Index, Members, Reason.
const EventTrial EventKind = "trial"

// Reasons in trial events.
const (
	reasonProposed  = "proposed"
	reasonAnswered  = "answered"
	reasonBroadcast = "broadcast"
	reasonCrash     = "crash"
	reasonRefused   = "refused: "
)

// withheld is the state of a follower that is sent no new entries. The leader knows
// nothing of it, and so leaves such a follower alone, but for heartbeats.
const withheld = installing + 1

// trialRun is a trial under way.
type trialRun struct {
	Trial
	leader    *leader
	index     uint64 // of its entry; 0: it waits for the followers to catch up
	broadcast bool
	timer     Timer // nil before the broadcast
}

// The tasks of a trial: its order, and the crash.
type (
	trial     struct{ Trial }
	trialOver struct{}
)

func (*trial) isTask()    {}
func (trialOver) isTask() {}

// Try begins a trial. What comes of it is in the trace. The error is that of a node
// which was started without an [Experiment].
func (n *Node) Try(t Trial) error {
	if n.cfg.Experiment == nil {
		return errors.New("raft: a trial of a node without Config.Experiment")
	}
	n.queue.put(&trial{t})
	return nil
}

func (x *experiment) refuseTrial(why string) {
	x.core.trace(Event{Kind: EventTrial, Reason: reasonRefused + why})
}

func (x *experiment) beginTrial(t Trial) {
	c := x.core
	if c.role.kind() == Stopped {
		return
	}
	l, leads := c.role.(*leader)
	if !leads {
		x.refuseTrial("not the leader")
		return
	}
	for _, id := range t.Behind {
		if id == c.id || !slices.Contains(c.cfg.Members, id) {
			x.refuseTrial(fmt.Sprintf("%d is not a follower", id))
			return
		}
	}
	if 2*len(t.Behind) >= len(c.cfg.Members) {
		x.refuseTrial(fmt.Sprintf("with %d of %d members behind, nothing is committed", len(t.Behind), len(c.cfg.Members)))
		return
	}
	if x.trial != nil {
		x.refuseTrial("another one is under way")
		return
	}
	x.trial = &trialRun{Trial: t, leader: l}
}

// advanceTrial takes the next step of a trial if its time has come, and gives it up
// if its leader leads no more.
func (x *experiment) advanceTrial() {
	t, c := x.trial, x.core
	if t == nil {
		return
	}
	l := t.leader
	switch {
	case c.role != role(l):
		x.dropTrial()
	case t.broadcast:
	case t.index == 0:
		if l.committedInTerm() && l.allHold(c.log.last()) {
			t.index = c.log.append(Entry{Term: c.term, Kind: EntryNoop})
			for _, id := range t.Behind {
				l.follower(id).state = withheld
			}
			c.trace(Event{Kind: EventTrial, Index: t.index, Members: t.Behind, Reason: reasonProposed})
		}
	case t.Crash < 0:
		if l.allHold(t.index) {
			c.trace(Event{Kind: EventTrial, Index: t.index, Reason: reasonAnswered})
			x.trial = nil
		}
	case c.log.commit >= t.index:
		t.broadcast = true
		c.heartbeat.reset(c.cfg.Heartbeat)
		l.broadcastHeartbeat()
		c.trace(Event{Kind: EventTrial, Index: t.index, Members: t.Behind, Reason: reasonBroadcast})
		t.timer = c.cfg.Clock.AfterFunc(t.Crash, func() { c.post(trialOver{}) })
	}
}

func (l *leader) allHold(index uint64) bool {
	for _, p := range l.followers {
		if p.match < index {
			return false
		}
	}
	return true
}

// endTrial is the crash.
func (x *experiment) endTrial() {
	if t := x.trial; t != nil && t.broadcast {
		x.core.trace(Event{Kind: EventTrial, Index: t.index, Reason: reasonCrash})
		t.Die()
	}
}

func (x *experiment) dropTrial() {
	if timer := x.trial.timer; timer != nil {
		timer.Stop()
	}
	x.trial = nil
	x.refuseTrial("the leadership was lost")
}

// ParseTrial reads "trial CRASH BEHIND": a duration, and the ids of those
// behind with commas between, "-" for none. Die is left to the caller.
func ParseTrial(line string) (t Trial, err error) {
	words := strings.Fields(line)
	if len(words) != 3 || words[0] != "trial" {
		return Trial{}, fmt.Errorf("%q is not: trial CRASH BEHIND", line)
	}
	if t.Crash, err = time.ParseDuration(words[1]); err != nil {
		return Trial{}, fmt.Errorf("%q: when to crash: %w", line, err)
	}
	if words[2] == "-" {
		return t, nil
	}
	for _, word := range strings.Split(words[2], ",") {
		var id NodeID
		if _, err := fmt.Sscanf(word, "%d", &id); err != nil || fmt.Sprint(id) != word {
			return Trial{}, fmt.Errorf("%q: %q is not a node id", line, word)
		}
		t.Behind = append(t.Behind, id)
	}
	return t, nil
}
