package schedule

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Dist is a distribution of durations.
type Dist struct {
	Lo, Hi time.Duration // uniform from Lo to Hi
	Mean   time.Duration // if not 0: exponential, cut off at a tenth and at four times of it
}

// longest bounds what a distribution may give.
const longest = time.Hour

// ParseDist reads "2s", "2s-3.5s" or "exp(2s)".
func ParseDist(text string) (Dist, error) {
	wrong := fmt.Errorf(`expected a duration such as "2s", a range such as "2s-5s", or "exp(3s)", found %q`, text)
	if inner, ok := strings.CutPrefix(text, "exp("); ok {
		mean, err := time.ParseDuration(strings.TrimSuffix(inner, ")"))
		if err != nil || !strings.HasSuffix(inner, ")") {
			return Dist{}, wrong
		}
		return Dist{Mean: mean}, inRange(mean, mean)
	}
	from, to, isRange := strings.Cut(text, "-")
	if strings.HasPrefix(text, "-") {
		return Dist{}, wrong
	}
	lo, err := time.ParseDuration(strings.TrimSpace(from))
	if err != nil {
		return Dist{}, wrong
	}
	hi := lo
	if isRange {
		if hi, err = time.ParseDuration(strings.TrimSpace(to)); err != nil {
			return Dist{}, wrong
		}
	}
	if hi < lo {
		return Dist{}, fmt.Errorf("the range %s ends before it begins", text)
	}
	return Dist{Lo: lo, Hi: hi}, inRange(lo, hi)
}

// ParseHold reads how long faults hold: a distribution of durations that leave
// time to inject and prove one.
func ParseHold(text string) (Dist, error) {
	d, err := ParseDist(text)
	if err == nil && max(d.Lo, d.Mean) < shortestHold {
		return Dist{}, fmt.Errorf("a fault must hold for %v at least, found %v", shortestHold, d)
	}
	return d, err
}

func inRange(lo, hi time.Duration) error {
	if lo < 0 || hi > longest {
		return fmt.Errorf("expected durations from 0s to %v, found %v to %v", longest, lo, hi)
	}
	return nil
}

func (d Dist) String() string {
	switch {
	case d.Mean > 0:
		return fmt.Sprintf("exp(%v)", d.Mean)
	case d.Lo == d.Hi:
		return d.Lo.String()
	}
	return fmt.Sprintf("%v-%v", d.Lo, d.Hi)
}

// draw is one duration of the distribution, in whole milliseconds.
func (d Dist) draw(rng *rand.Rand) time.Duration {
	if d.Mean > 0 {
		v := time.Duration(rng.ExpFloat64() * float64(d.Mean))
		return min(max(v, d.Mean/10), 4*d.Mean).Truncate(time.Millisecond)
	}
	if d.Hi <= d.Lo {
		return d.Lo
	}
	return d.Lo + time.Duration(rng.Int64N(int64(d.Hi-d.Lo))).Truncate(time.Millisecond)
}

// Most is the longest that it can give.
func (d Dist) Most() time.Duration {
	if d.Mean > 0 {
		return 4 * d.Mean
	}
	return d.Hi
}

// average is what it gives on average, about.
func (d Dist) average() time.Duration {
	if d.Mean > 0 {
		return d.Mean
	}
	return (d.Lo + d.Hi) / 2
}
