package workloads

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxRate is the most operations a second that a Rate may ask for.
const MaxRate = 1e6

// Rate is how many operations a second arrive at the system in an open loop, whether or
// not it keeps up: one phase after the other. None is a closed loop, in which every
// client waits for its answer. JSON has a constant rate as a number (0: a closed loop),
// and others as ParseRate reads them.
type Rate []Phase

// Phase is a time in which the rate goes evenly from one value to another.
type Phase struct {
	From, To float64       // operations a second
	For      time.Duration // 0: to the end of the load; only the last phase has that
}

// Constant is the rate that is always the same; 0 is a closed loop.
func Constant(perSecond float64) Rate {
	if perSecond == 0 {
		return nil
	}
	return Rate{{From: perSecond, To: perSecond}}
}

// ParseRate reads "400", "100-2000", or phases: "200 for 10s, 200-2000 for 30s, 500". A
// phase of 0 is a pause; "0" alone is a closed loop.
func ParseRate(text string) (Rate, error) {
	var r Rate
	parts := strings.Split(text, ",")
	for i, part := range parts {
		phase, err := parsePhase(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		if phase.For == 0 && i < len(parts)-1 {
			return nil, fmt.Errorf("%q does not say how long it lasts, as only the last phase need not: write %q", strings.TrimSpace(part), strings.TrimSpace(part)+" for 10s")
		}
		r = append(r, phase)
	}
	if len(r) == 1 && r[0] == (Phase{}) {
		return nil, nil
	}
	if !slices.ContainsFunc(r, func(p Phase) bool { return p.From > 0 || p.To > 0 }) {
		return nil, errors.New("no phase has any operations")
	}
	return r, nil
}

func parsePhase(text string) (p Phase, err error) {
	rates, long, timed := strings.Cut(text, " for ")
	if timed {
		p.For, err = time.ParseDuration(strings.TrimSpace(long))
		if err != nil || p.For <= 0 {
			return p, fmt.Errorf("expected a duration such as 10s after \"for\", found %q", strings.TrimSpace(long))
		}
	}
	from, to, ramp := strings.Cut(rates, "-")
	if !ramp {
		to = from
	}
	if p.From, err = parsePerSecond(from); err != nil {
		return p, err
	}
	p.To, err = parsePerSecond(to)
	return p, err
}

func parsePerSecond(text string) (float64, error) {
	rate, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(rate >= 0 && rate <= MaxRate) {
		return 0, fmt.Errorf("expected a number of operations per second from 0 to %d, found %q", int(MaxRate), strings.TrimSpace(text))
	}
	return rate, nil
}

// String is what ParseRate reads.
func (r Rate) String() string {
	if len(r) == 0 {
		return "0"
	}
	phases := make([]string, len(r))
	for i, p := range r {
		phases[i] = perSecond(p.From)
		if p.To != p.From {
			phases[i] += "-" + perSecond(p.To)
		}
		if p.For > 0 {
			phases[i] += " for " + p.For.String()
		}
	}
	return strings.Join(phases, ", ")
}

func perSecond(rate float64) string { return strconv.FormatFloat(rate, 'f', -1, 64) }

// Lasts is how long the phases take that say so.
func (r Rate) Lasts() (d time.Duration) {
	for _, p := range r {
		d += p.For
	}
	return d
}

// Within is the rate in a load of that length: a last phase that says no time takes what
// is left.
func (r Rate) Within(load time.Duration) Rate {
	if len(r) == 0 || r[len(r)-1].For > 0 {
		return r
	}
	r = slices.Clone(r)
	r[len(r)-1].For = load - r.Lasts()
	return r
}

// MarshalJSON gives a number for a rate that is always the same.
func (r Rate) MarshalJSON() ([]byte, error) {
	if len(r) == 0 || len(r) == 1 && r[0].From == r[0].To && r[0].For == 0 {
		return []byte(r.String()), nil
	}
	return json.Marshal(r.String())
}

// UnmarshalJSON takes what MarshalJSON gives.
func (r *Rate) UnmarshalJSON(text []byte) (err error) {
	said := string(text)
	if strings.HasPrefix(said, `"`) {
		if err := json.Unmarshal(text, &said); err != nil {
			return err
		}
	}
	*r, err = ParseRate(said)
	return err
}

// Arrivals tells when operations are due by a Rate.
type Arrivals struct {
	phases []Phase
	begun  float64 // when the first of phases began, in seconds
	into   float64 // seconds into it
}

// Arrivals begins at the load's begin. After the last phase its rate goes on.
func (r Rate) Arrivals() *Arrivals {
	phases := slices.Clone(r)
	if last := r[len(r)-1]; last.For > 0 {
		phases = append(phases, Phase{From: last.To, To: last.To})
	} else {
		phases[len(phases)-1].To = last.From // no end is known to reach it by
	}
	return &Arrivals{phases: phases}
}

// Next is when that many operations more have come due, counted from the begin; false
// if that is never. A fraction is one: an exponentially distributed number with a mean
// of 1 makes it a Poisson process.
func (a *Arrivals) Next(operations float64) (due time.Duration, ok bool) {
	for {
		p := a.phases[0]
		long, slope := math.Inf(1), 0.0 // seconds, operations a second in a second
		if p.For > 0 {
			long = p.For.Seconds()
			slope = (p.To - p.From) / long
		}
		now := p.From + slope*a.into
		if step := takes(operations, now, slope); a.into+step <= long {
			a.into += step
			return time.Duration((a.begun + a.into) * float64(time.Second)), true
		}
		if len(a.phases) == 1 {
			return 0, false
		}
		left := long - a.into
		operations -= left * (now + slope*left/2)
		a.phases, a.begun, a.into = a.phases[1:], a.begun+long, 0
	}
}

// takes is in how many seconds that many operations come due, at a rate that begins
// with now and changes by slope a second; infinity if they never do.
func takes(operations, now, slope float64) float64 {
	inside := now*now + 2*slope*operations
	if inside < 0 || now == 0 && inside == 0 {
		return math.Inf(1)
	}
	return 2 * operations / (now + math.Sqrt(inside))
}
