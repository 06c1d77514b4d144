package raft

import (
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

// trialRun is a trial under way.
type trialRun struct {
	Trial
	index     uint64 // of its entry; 0: it waits for the followers to catch up
	broadcast bool
	timer     Timer // nil before the broadcast
}

// Try begins a trial. What comes of it is in the trace.
func (n *Node) Try(t Trial) { n.queue.put(&trial{t}) }

func (c *core) refuseTrial(why string) {
	c.trace(Event{Kind: EventTrial, Reason: reasonRefused + why})
}

func (l *leader) beginTrial(t Trial) {
	c := l.c
	for _, id := range t.Behind {
		if id == c.id || !slices.Contains(c.cfg.Members, id) {
			c.refuseTrial(fmt.Sprintf("%d is not a follower", id))
			return
		}
	}
	if 2*len(t.Behind) >= len(c.cfg.Members) {
		c.refuseTrial(fmt.Sprintf("with %d of %d members behind, nothing is committed", len(t.Behind), len(c.cfg.Members)))
		return
	}
	if l.trial != nil {
		c.refuseTrial("another one is under way")
		return
	}
	l.trial = &trialRun{Trial: t}
	l.advanceTrial()
}

// withholds says whether this follower gets no new entries.
func (l *leader) withholds(id NodeID) bool {
	return l.trial != nil && l.trial.index > 0 && slices.Contains(l.trial.Behind, id)
}

// advanceTrial takes the next step of a trial if its time has come.
func (l *leader) advanceTrial() {
	t, c := l.trial, l.c
	switch {
	case t == nil || t.broadcast:
	case t.index == 0:
		if l.committedInTerm() && l.allHold(c.log.last()) {
			t.index = c.log.append(Entry{Term: c.term, Kind: EntryNoop})
			c.trace(Event{Kind: EventTrial, Index: t.index, Members: t.Behind, Reason: reasonProposed})
		}
	case t.Crash < 0:
		if l.allHold(t.index) {
			c.trace(Event{Kind: EventTrial, Index: t.index, Reason: reasonAnswered})
			l.trial = nil
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
func (l *leader) endTrial() {
	if t := l.trial; t != nil && t.broadcast {
		l.c.trace(Event{Kind: EventTrial, Index: t.index, Reason: reasonCrash})
		t.Die()
	}
}

// dropTrial gives a trial up whose leader leads no more.
func (l *leader) dropTrial() {
	t := l.trial
	if t == nil {
		return
	}
	if t.timer != nil {
		t.timer.Stop()
	}
	l.trial = nil
	l.c.refuseTrial("the leadership was lost")
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
