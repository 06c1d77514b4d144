package kv

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// replaySpread is within what time copies come again after a term has passed:
// half of them at once, when a candidate has asked nobody yet, and the others
// while answers come in or the new leader begins.
const replaySpread = 20 * time.Millisecond

// keptMessages is a sample of the messages of one type: of all that came, each
// is in it with the same probability, so that old ones stay when many more come.
type keptMessages struct {
	seen   int
	copies []*keptMessage
}

// keptMessage is a message that was delivered, and will be again.
type keptMessage struct {
	delivery
	size int
	term uint64    // of this node when it came
	due  time.Time // when its age lets it come again
	wait time.Duration
}

// keep puts a message into the sample of its type (reservoir sampling).
func (f *messageFaults) keep(rule *ruleInForce, d delivery, size int, rng *rand.Rand) {
	kept := rule.kept[d.m.Type]
	if kept == nil {
		kept = &keptMessages{}
		rule.kept[d.m.Type] = kept
	}
	kept.seen++
	k := &keptMessage{delivery: d, size: size, term: f.term, due: time.Now().Add(rule.delay)}
	if late := rng.Float64()*2 - 1; late > 0 {
		k.wait = time.Duration(late * float64(replaySpread))
	}
	if len(kept.copies) < rule.count {
		if f.room.take(size) {
			kept.copies = append(kept.copies, k)
		}
		return
	}
	if i := rng.IntN(kept.seen); i < len(kept.copies) {
		f.room.free(kept.copies[i].size)
		if !f.room.take(size) { // it is larger than the one that goes
			k = kept.copies[i]
			f.room.take(k.size)
		}
		kept.copies[i] = k
	}
}

// copies are those that a rule keeps, in an order that is always the same.
func (r *ruleInForce) copies() (all []*keptMessage) {
	for _, t := range slices.Sorted(maps.Keys(r.kept)) {
		all = append(all, r.kept[t].copies...)
	}
	return all
}

// reach notes that this node is in a term. What it was sent in the terms before
// comes again.
func (f *messageFaults) reach(term uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended || term <= f.term {
		return
	}
	f.term = term
	for _, rule := range f.rules {
		for _, k := range rule.copies() {
			if k.term < term && k.term > 0 {
				f.again(rule, k.delivery, k.wait)
			}
		}
	}
}

// again delivers a copy after a while, unless the rules have ended by then.
func (f *messageFaults) again(rule *ruleInForce, d delivery, wait time.Duration) {
	time.AfterFunc(wait, func() {
		f.mu.Lock()
		ended := f.ended
		if !ended {
			rule.hit++
		}
		f.mu.Unlock()
		if !ended {
			d.next(d.m)
		}
	})
}

// replayByAge has the copies of a rule come again each time they are that much
// older.
func (f *messageFaults) replayByAge(rule *ruleInForce) {
	every := max(rule.delay/4, time.Millisecond)
	var look func()
	look = func() {
		due, ended := f.aged(rule)
		if ended {
			return
		}
		for _, d := range due {
			d.next(d.m)
		}
		time.AfterFunc(every, look)
	}
	time.AfterFunc(every, look)
}

// aged are the copies of a rule whose age is reached.
func (f *messageFaults) aged(rule *ruleInForce) (due []delivery, ended bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return nil, true
	}
	now := time.Now()
	for _, k := range rule.copies() {
		if !k.due.After(now) {
			due = append(due, k.delivery)
			k.due = now.Add(rule.delay)
		}
	}
	rule.hit += uint64(len(due))
	return due, false
}
