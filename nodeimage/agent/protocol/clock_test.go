package protocol

import (
	"errors"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestClockBendBounds(t *testing.T) {
	for _, c := range []struct {
		bend ClockBend
		want error
	}{
		{ClockBend{}, nil},
		{ClockBend{Frozen: true}, nil},
		{ClockBend{Offset: MaxClockOffset, Rate: MaxClockRate}, nil},
		{ClockBend{Offset: -MaxClockOffset, Rate: MinClockRate}, nil},
		{ClockBend{Offset: MaxClockOffset + 1}, ErrClockOffset},
		{ClockBend{Offset: -MaxClockOffset - 1}, ErrClockOffset},
		{ClockBend{Offset: math.MinInt64}, ErrClockOffset},
		{ClockBend{Rate: MaxClockRate * 1.01}, ErrClockRate},
		{ClockBend{Rate: MinClockRate / 1.01}, ErrClockRate},
		{ClockBend{Rate: -1}, ErrClockRate},
		{ClockBend{Rate: math.NaN()}, ErrClockRate},
		{ClockBend{Rate: math.Inf(1), Frozen: true}, ErrClockRate},
	} {
		if err := c.bend.Validate(); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.bend, err, c.want)
		}
	}
	// A bend that is out of bounds is refused before anything is sent.
	var c *Client
	if err := c.BendClock(t.Context(), ClockBend{Rate: 2000}); !errors.Is(err, ErrClockRate) {
		t.Errorf("bend: %v, want ErrClockRate", err)
	}
}

func TestClockLine(t *testing.T) {
	const s = int64(time.Second)
	line, bend := TrueClock, ClockBend{}
	for _, step := range []struct {
		at   int64 // the bend comes then
		bend ClockBend
		from int64 // virtual time then, and a second later
		then int64
	}{
		{100 * s, ClockBend{Offset: time.Hour}, 3700 * s, 3701 * s},
		{200 * s, ClockBend{Offset: time.Hour, Rate: 0.5}, 3800 * s, 3800*s + s/2},
		{300 * s, ClockBend{Offset: time.Hour, Frozen: true}, 3850 * s, 3850 * s},
		{310 * s, ClockBend{Offset: time.Hour + time.Minute, Frozen: true}, 3910 * s, 3910 * s},
		{320 * s, ClockBend{Offset: -time.Minute, Frozen: true}, 190 * s, 190 * s},
		{330 * s, ClockBend{Rate: 3}, 330 * s, 333 * s},
		{340 * s, ClockBend{Rate: 1}, 340 * s, 341 * s},
		{350 * s, ClockBend{Frozen: true, Rate: 7}, 350 * s, 350 * s},
		{360 * s, ClockBend{}, 360 * s, 361 * s},
	} {
		line = step.bend.Line(bend, line, step.at)
		bend = step.bend
		if from, then := line.At(step.at), line.At(step.at+s); from != step.from || then != step.then {
			t.Errorf("%+v at %d s: shows %d and a second later %d, want %d and %d", bend, step.at/s, from, then, step.from, step.then)
		}
	}
	if line != TrueClock {
		t.Errorf("in the end %+v", line)
	}
}

// Whatever came before: a running clock starts at its offset from true time, a
// frozen one where it was, and no bend is true time; and time never runs back
// but for a jump.
func TestClockLineProperties(t *testing.T) {
	bends := rapid.Custom(func(t *rapid.T) ClockBend {
		return ClockBend{
			Offset: time.Duration(rapid.Int64Range(int64(-MaxClockOffset), int64(MaxClockOffset)).Draw(t, "offset")),
			Rate:   rapid.OneOf(rapid.Just(0.0), rapid.Just(1.0), rapid.Float64Range(MinClockRate, MaxClockRate)).Draw(t, "rate"),
			Frozen: rapid.Bool().Draw(t, "frozen"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		line, bend, now := TrueClock, ClockBend{}, rapid.Int64Range(0, 1e18).Draw(t, "begin")
		for range rapid.IntRange(1, 8).Draw(t, "bends") {
			now += rapid.Int64Range(0, int64(10*time.Hour)).Draw(t, "later")
			next := bends.Draw(t, "bend")
			if err := next.Validate(); err != nil {
				t.Fatal(err)
			}
			showed := line.At(now)
			line = next.Line(bend, line, now)
			want := now + int64(next.Offset)
			if next.Frozen {
				want = showed + int64(next.Offset-bend.Offset)
			}
			if got := line.At(now); got != want {
				t.Fatalf("%+v after %+v: shows %d, want %d", next, bend, got, want)
			}
			later := rapid.Int64Range(0, int64(time.Hour)).Draw(t, "pass")
			passed := float64(line.At(now+later) - line.At(now))
			if off := math.Abs(passed - next.rate()*float64(later)); off > 1 {
				t.Fatalf("%+v: %v passed in %v, which is %v ns off", next, time.Duration(passed), time.Duration(later), off)
			}
			if next.None() && line.At(now+later) != now+later {
				t.Fatalf("no bend is not true time")
			}
			bend = next
		}
		if healed := (ClockBend{}).Line(bend, line, now); healed != TrueClock {
			t.Fatalf("healed: %+v", healed)
		}
	})
}
