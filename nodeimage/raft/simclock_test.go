package raft

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// simClock is the clock of one simulated node. It can be bent as the server's
// real one can: set, made fast or slow, stopped, and set right again.
type simClock struct {
	s           *sim
	from, shown time.Duration // at the simulation's time from, it showed this
	rate        float64       // 0: it stands still
	timers      []*simTimer   // pending, in the order in which they were made
	sets        int           // how often it was bent
}

func (c *simClock) Now() time.Duration {
	return c.shown + time.Duration(c.rate*float64(c.s.now-c.from))
}

// bend sets the clock to what it shows now plus jump, and its rate.
func (c *simClock) bend(jump time.Duration, rate float64) {
	c.shown = c.Now() + jump
	c.from, c.rate = c.s.now, rate
	c.sets++
	c.armAll()
}

// heal sets the clock right. A timer then waits at most for what it was asked
// to, as a node's real clock has it.
func (c *simClock) heal() {
	c.from, c.shown, c.rate = c.s.now, c.s.now, 1
	for _, t := range c.timers {
		t.due = min(t.due, c.Now()+t.d)
	}
	c.armAll()
}

func (c *simClock) bendSomehow() {
	jump := c.s.between(-10*time.Second, 10*time.Second)
	rates := []float64{0, 0.1, 0.5, 0.95, 1.05, 2, 20}
	switch c.s.rng.IntN(4) {
	case 0:
		c.heal()
	case 1:
		c.bend(jump, 1)
	case 2:
		c.bend(0, rates[c.s.rng.IntN(len(rates))])
	default:
		c.bend(jump, rates[c.s.rng.IntN(len(rates))])
	}
}

func (c *simClock) AfterFunc(d time.Duration, f func()) Timer {
	t := &simTimer{c: c, f: f, d: d, due: c.Now() + d}
	c.timers = append(c.timers, t)
	t.arm()
	return t
}

func (c *simClock) armAll() {
	for _, t := range c.timers {
		t.arm()
	}
}

type simTimer struct {
	c      *simClock
	f      func()
	d, due time.Duration
	gen    int // of the event that counts
}

func (t *simTimer) arm() {
	t.gen++
	gen, wait := t.gen, max(t.due-t.c.Now(), 0)
	if wait > 0 {
		if t.c.rate == 0 {
			return
		}
		wait = time.Duration(math.Ceil(float64(wait) / t.c.rate))
	}
	t.c.s.after(wait, func() {
		switch {
		case gen != t.gen:
		case t.c.Now() < t.due:
			t.arm() // by a rounding error
		case t.Stop():
			t.f()
		}
	})
}

func (t *simTimer) Stop() bool {
	t.gen++
	for i, other := range t.c.timers {
		if other == t {
			t.c.timers = append(t.c.timers[:i:i], t.c.timers[i+1:]...)
			return true
		}
	}
	return false
}

// TestSimulationWithBentClocks: clocks that jump, race, crawl and stand still
// break no invariant, and once they are right again the cluster works: settle
// demands that within seconds, though the clocks were wrong by far more.
func TestSimulationWithBentClocks(t *testing.T) {
	seeds := envSeeds(10)
	for _, size := range []int{1, 3, 5} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			acked, leaders, bent := 0, 0, 0
			for seed := range uint64(seeds) {
				s := runSeed(seed, size, func(s *sim) { s.bends = true })
				if s.failure != "" {
					t.Fatalf("seed %d: %s", seed, s.failure)
				}
				acked, leaders = acked+s.acked, leaders+len(s.leaders)
				for _, n := range s.nodes {
					bent += n.clock.sets
				}
			}
			t.Logf("%d seeds: clocks bent %d times, %d writes acknowledged, %d leaders", seeds, bent, acked, leaders)
			if bent < 5*seeds || acked < 20*seeds || size > 2 && leaders < 2*seeds {
				t.Errorf("the storm was too quiet to mean anything")
			}
		})
	}
}

// TestHealedClocksElectAtOnce: every clock was far ahead, so every deadline
// and everything a node remembers lies far ahead once they are right again.
func TestHealedClocksElectAtOnce(t *testing.T) {
	for _, rate := range []float64{0, 0.01, 1, 50} {
		s := newSim(1, 3, nil)
		s.run(2 * time.Second)
		for _, n := range s.nodes {
			n.clock.bend(time.Hour, rate)
		}
		s.run(5 * time.Second)
		for _, n := range s.nodes {
			n.clock.bend(-10*time.Minute, rate) // a jump back that is no healing
		}
		s.run(6 * time.Second)
		for _, n := range s.nodes {
			n.clock.heal()
		}
		s.settle()
		if s.failure != "" {
			t.Errorf("rate %v: %s", rate, s.failure)
		}
	}
}

// TestClockSetBack: what a node remembers as just now must not
// count as just now for as long as the clock was ahead.
func TestClockSetBack(t *testing.T) {
	s := newScript(t, 3, HardState{Term: 1}, 1)
	s.step(&Message{Type: MsgHeartbeat, From: 2, Term: 1})
	s.want("hears its leader", s.c.hearsLeader(), true)
	s.now -= 30 * time.Minute
	s.want("hears its leader when the clock was set back", s.c.hearsLeader(), true)
	s.now += s.c.cfg.ElectionMin
	s.want("hears it an election timeout later", s.c.hearsLeader(), false)

	// The clock's timer expires, the deadline lies far ahead: one timeout more.
	gen := s.c.election.gen
	s.do(electionTimeout{gen})
	s.want("election begun", s.c.leader, 2)
	s.want("deadline", s.c.election.deadline <= s.now+s.c.cfg.ElectionMax, true)
	s.electionTimeout()
	s.want("leader after the timeout", s.c.leader, 0)
}
