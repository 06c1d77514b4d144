package orchestrator

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestOneClock(t *testing.T) {
	agree := []reading{{100e9, 100e9 + 50, 100e9 + 100}, {200e9, 200e9 + 10, 200e9 + 30}}
	if c := newClock(true, agree); c != (clock{}) {
		t.Errorf("one clock: %+v", c)
	}
	if c := newClock(false, agree); c.bound == 0 {
		t.Errorf("clocks of two kernels that happen to agree: %+v, want a bound", c)
	}
	// A clock of the same kernel, in a time namespace of its own.
	if c := newClock(true, []reading{{100e9, 7e9, 100e9 + 100}}); c.offset != 7e9-100e9-50 || c.bound != 50 {
		t.Errorf("a shifted clock: %+v", c)
	}
}

// Whatever the ways to and fro take, the true offset is within the bound.
func TestClockBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		offset := rapid.Int64Range(-1e15, 1e15).Draw(t, "offset")
		delay := rapid.Int64Range(0, int64(time.Second))
		var readings []reading
		quickest := int64(time.Hour)
		for range rapid.IntRange(1, 20).Draw(t, "readings") {
			before := rapid.Int64Range(0, 1e15).Draw(t, "before")
			to, fro := delay.Draw(t, "to"), delay.Draw(t, "fro")
			readings = append(readings, reading{before, before + to + offset, before + to + fro})
			quickest = min(quickest, to+fro)
		}
		c := newClock(false, readings)
		if wrong := c.offset - offset; max(wrong, -wrong) > c.bound {
			t.Fatalf("the offset %d is %d off, more than the bound %d", c.offset, wrong, c.bound)
		}
		if c.bound > max(1, (quickest+1)/2) {
			t.Fatalf("the bound %d is more than half of the quickest answer, %d", c.bound, quickest)
		}
	})
}
