package kv

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestBentClockKnowsTrueTime(t *testing.T) {
	c, err := NewClock()
	if err != nil {
		t.Fatal(err)
	}
	c.bendBy(time.Hour, 1)
	before, _ := monotonic()
	now, late := c.True(), c.Now()-c.True()
	after, _ := monotonic()
	const slack = time.Millisecond // the two are read through different calls
	if now < before-slack || now > after+slack {
		t.Errorf("true time is %v, the machine's between %v and %v", now, before, after)
	}
	if late > time.Hour || late < time.Hour-time.Second {
		t.Errorf("set forward by an hour, the clock is %v ahead", late)
	}
}

// expiries notes when timers expired, in true time since the clock's start.
type expiries struct {
	c       *Clock
	mu      sync.Mutex
	expired []string
}

func (r *expiries) set(name string, d time.Duration) {
	r.c.AfterFunc(d, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.expired = append(r.expired, fmt.Sprintf("%s at %v", name, r.c.True()))
	})
}

// names are the timers that expired so far, by name.
func (r *expiries) names() []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(slices.Values(r.expired))
}

// bendBy sets the clock to true time plus offset, now.
func (c *Clock) bendBy(offset time.Duration, rate float64) {
	now := c.True()
	c.Bend(now, now+offset, rate)
}

func (c *Clock) heal() { c.Bend(0, 0, 1) }

// TestTimersFollowTheClock, in virtual time, so that it is to the nanosecond.
func TestTimersFollowTheClock(t *testing.T) {
	const s = time.Second
	for name, c := range map[string]struct {
		do   func(c *Clock)
		want string // of a timer for 10 s and one for 60 s
	}{
		"never bent":            {func(c *Clock) {}, "a at 10s, b at 1m0s"},
		"forward":               {func(c *Clock) { c.bendBy(30*s, 1) }, "a at 4s, b at 30s"},
		"forward beyond both":   {func(c *Clock) { c.bendBy(time.Hour, 1) }, "a at 4s, b at 4s"},
		"back":                  {func(c *Clock) { c.bendBy(-30*s, 1) }, "a at 40s, b at 1m30s"},
		"half as fast":          {func(c *Clock) { c.bendBy(0, 0.5) }, "a at 16s, b at 1m56s"},
		"twice as fast":         {func(c *Clock) { c.bendBy(0, 2) }, "a at 7s, b at 32s"},
		"ten times slower":      {func(c *Clock) { c.bendBy(0, 0.1) }, "a at 1m4s, b at 9m24s"},
		"forward and slow":      {func(c *Clock) { c.bendBy(4*s, 0.5) }, "a at 8s, b at 1m48s"},
		"frozen":                {func(c *Clock) { c.bendBy(0, 0) }, ""},
		"frozen ahead of one":   {func(c *Clock) { c.bendBy(20*s, 0) }, "a at 4s"},
		"frozen, then right":    {func(c *Clock) { c.bendBy(0, 0); time.Sleep(16 * s); c.heal() }, "a at 20s, b at 1m0s"},
		"slow, then right":      {func(c *Clock) { c.bendBy(0, 0.5); time.Sleep(4 * s); c.heal() }, "a at 10s, b at 1m0s"},
		"fast, then right":      {func(c *Clock) { c.bendBy(0, 3); time.Sleep(s); c.heal() }, "a at 10s, b at 1m0s"},
		"back, then right":      {func(c *Clock) { c.bendBy(-time.Hour, 1); time.Sleep(s); c.heal() }, "a at 10s, b at 1m0s"},
		"back twice":            {func(c *Clock) { c.bendBy(-s, 1); time.Sleep(s); c.bendBy(-2*s, 1) }, "a at 12s, b at 1m2s"},
		"slow, then frozen, on": {func(c *Clock) { c.bendBy(0, 0.5); time.Sleep(2 * s); c.Bend(c.True(), c.Now(), 0) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &expiries{c: newPlainClock()}
				r.set("a", 10*s)
				r.set("b", 60*s)
				time.Sleep(4 * s)
				c.do(r.c)
				time.Sleep(24 * time.Hour)
				if got := strings.Join(r.names(), ", "); got != c.want {
					t.Errorf("expired: %q, want %q", got, c.want)
				}
			})
		})
	}
}

// TestTimersDoNotOutliveTheBend: they were set by a clock that was far ahead,
// and the clock went back in two steps.
func TestTimersDoNotOutliveTheBend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &expiries{c: newPlainClock()}
		r.c.bendBy(time.Hour, 1)
		r.set("a", 10*time.Second)
		time.Sleep(time.Second)
		r.c.bendBy(time.Minute, 1)
		r.set("b", 10*time.Second)
		time.Sleep(30 * time.Second)
		if expired := r.names(); len(expired) != 1 {
			t.Errorf("before the clock is right again %q expired, want b alone: with a real clock a would not expire for an hour", expired)
		}
		r.c.heal()
		time.Sleep(24 * time.Hour)
		want := []string{"a at 41s", "b at 11s"}
		if expired := r.names(); !slices.Equal(expired, want) {
			t.Errorf("expired: %q, want %q", expired, want)
		}
	})
}

func TestStoppedTimersDoNotRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newPlainClock()
		var expired atomic.Bool
		timer := c.AfterFunc(time.Second, func() { expired.Store(true) })
		c.bendBy(0, 0)
		if !timer.Stop() || timer.Stop() {
			t.Error("a pending timer is stopped once")
		}
		c.bendBy(time.Hour, 1)
		frozen := c.AfterFunc(0, func() {})
		time.Sleep(time.Hour)
		if expired.Load() || frozen.Stop() || len(c.timers) != 0 {
			t.Errorf("a stopped timer expired: %v; %d timers pending", expired.Load(), len(c.timers))
		}
	})
}

// clockStep is one thing that is done to a clock.
type clockStep struct {
	sleep, offset time.Duration
	rate          float64
	timer         time.Duration // how long the timer set then waits
}

// TestTimersExpireWhenDue: whatever is done to the clock, a timer expires once and
// not before the clock shows its time; and at the first moment at which it does.
func TestTimersExpireWhenDue(t *testing.T) {
	duration := func(most time.Duration) *rapid.Generator[time.Duration] {
		return rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.Int64Range(int64(-most), int64(most)).Draw(t, "ns"))
		})
	}
	steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) clockStep {
		return clockStep{
			sleep:  duration(time.Minute).Draw(t, "sleep"),
			offset: duration(time.Hour).Draw(t, "offset"),
			rate:   rapid.SampledFrom([]float64{0, 0.001, 0.5, 1, 1.05, 20, 1000}).Draw(t, "rate"),
			timer:  duration(time.Minute).Draw(t, "timer"),
		}
	}), 1, 12)
	rapid.Check(t, func(rt *rapid.T) {
		plan := steps.Draw(rt, "steps")
		wrong := ""
		synctest.Test(t, func(*testing.T) { wrong = expiresWhenDue(plan) })
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

func expiresWhenDue(plan []clockStep) (wrong string) {
	c := newPlainClock()
	type set struct {
		asked, due time.Duration
		expired    int
	}
	var timers []*set
	var mu sync.Mutex
	overdue := func(when string) {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		for i, s := range timers {
			// Rounding is by some nanoseconds of the clock's.
			if s.expired == 0 && c.Now() >= s.due+1000 {
				wrong = fmt.Sprintf("%s: timer %d of %+v is %v overdue", when, i, plan, c.Now()-s.due)
			}
		}
	}
	healing := func() { // from here on nobody waits for more than was asked
		mu.Lock()
		defer mu.Unlock()
		for _, s := range timers {
			s.due = min(s.due, c.True()+s.asked)
		}
	}
	for _, step := range plan {
		s := &set{asked: step.timer, due: c.Now() + step.timer}
		timers = append(timers, s)
		c.AfterFunc(step.timer, func() {
			mu.Lock()
			defer mu.Unlock()
			s.expired++
			if c.Now() < s.due || s.expired > 1 {
				wrong = fmt.Sprintf("%+v: expired %v early, %d times", plan, s.due-c.Now(), s.expired)
			}
		})
		overdue("before a sleep")
		time.Sleep(step.sleep)
		overdue("after a sleep")
		if step.offset == 0 && step.rate == 1 {
			healing()
		}
		c.bendBy(step.offset, step.rate)
		overdue("after a bend")
	}
	healing()
	c.heal()
	time.Sleep(time.Minute + time.Second)
	overdue("in the end")
	return wrong
}

func TestClockLink(t *testing.T) {
	here, there := net.Pipe()
	c, err := NewClock()
	if err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewScanner(there)
	ask := func(line string) string {
		io.WriteString(there, line+"\n")
		if !answers.Scan() {
			t.Fatalf("no answer to %q: %v", line, answers.Err())
		}
		return answers.Text()
	}
	first := make(chan string)
	go func() { first <- ask("bend 1 0 0 0") }()
	done, err := obey(here, c.carryOut)
	if err != nil {
		t.Fatal(err)
	}
	if got := <-first; got != "ok 1 0" {
		t.Errorf("the first bend, frozen at 0: answered %q", got)
	}
	for _, q := range []struct{ ask, want string }{
		{"read 2", "ok 2 0"},
		{"bend 3 5000 -7000000000 0", "ok 3 -7000000000"},
		{"bend 4 0 0 -1", `error 4 "bend 4 0 0 -1": a rate is from 0 to`},
		{"bend 5 0 0 NaN", "error 5 "},
		{"bend 6 x 0 1", "error 6 "},
		{"read", "error 0 "},
		{"set 7", "error 7 "},
		{"", "error 0 "},
		{"read 8", "ok 8 -7000000000"},
	} {
		if got := ask(q.ask); !strings.HasPrefix(got, q.want) {
			t.Errorf("%q was answered %q, want %q", q.ask, got, q.want)
		}
	}
	if got := ask("bend 9 77 77 1"); !strings.HasPrefix(got, "ok 9 ") || c.bent.Load() != nil {
		t.Errorf("healed: %q", got)
	}
	there.Close()
	<-done
}

func TestClockLinkNeedsAFirstWord(t *testing.T) {
	here, there := net.Pipe()
	there.Close()
	if _, err := obey(here, newPlainClock().carryOut); err == nil || !strings.Contains(err.Error(), "does not say how it begins") {
		t.Errorf("an agent that says nothing: %v", err)
	}
	for _, value := range []string{"five", "-1", "987"} {
		t.Setenv(ClockEnv, value)
		if _, _, err := InheritedClock(); err == nil || !strings.Contains(err.Error(), ClockEnv) {
			t.Errorf("%s=%s: %v", ClockEnv, value, err)
		}
	}
}

func TestBendUntil(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := &bend{
			mono:  time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "mono")),
			clock: time.Duration(rapid.Int64Range(-1e15, 1e15).Draw(t, "clock")),
			rate:  rapid.Float64Range(0.001, 1000).Draw(t, "rate"),
		}
		now := b.mono + time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "now"))
		left := time.Duration(rapid.Int64Range(1, 1e12).Draw(t, "left"))
		wait, never := b.until(b.at(now)+left, now)
		if want := float64(left) / b.rate; never || math.Abs(float64(wait)-want) > 2/b.rate+2 {
			t.Fatalf("%v of a clock at rate %v are %v, never: %v; want %v", left, b.rate, wait, never, time.Duration(want))
		}
	})
}

var sink time.Duration

func BenchmarkClock(b *testing.B) {
	plain, err := NewClock()
	if err != nil {
		b.Fatal(err)
	}
	bent, err := NewClock()
	if err != nil {
		b.Fatal(err)
	}
	bent.bendBy(time.Hour, 1.05)
	for name, c := range map[string]*Clock{"not bent": plain, "bent": bent} {
		b.Run("now/"+name, func(b *testing.B) {
			for b.Loop() {
				sink = c.Now()
			}
		})
		b.Run("timer/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.AfterFunc(time.Minute, func() {}).Stop()
			}
		})
	}
	b.Run("now/Go's", func(b *testing.B) { // what the node's clock was before it could be bent
		for b.Loop() {
			sink = plain.base + time.Since(plain.start)
		}
	})
	b.Run("timer/Go's", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			time.AfterFunc(time.Minute, func() {}).Stop()
		}
	})
}
