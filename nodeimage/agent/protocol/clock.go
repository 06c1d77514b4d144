package protocol

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// Names of the methods that have to do with a server's clock.
const (
	MethodClockBend = "clock-bend"
	MethodClockRead = "clock-read"
)

// Bounds of a ClockBend.
const (
	MaxClockOffset = 24 * time.Hour
	MinClockRate   = 0.001
	MaxClockRate   = 1000
)

// Why a server's clock cannot be bent or read; ask for them with errors.Is.
var (
	// ErrClockOffset: a ClockBend's offset is beyond MaxClockOffset.
	ErrClockOffset = errors.New("clock offset out of bounds")
	// ErrClockRate: a ClockBend's rate is not from MinClockRate to MaxClockRate.
	ErrClockRate = errors.New("clock rate out of bounds")
	// ErrNoClock: the server that runs was started without StartSpec.Clock.
	ErrNoClock = errors.New("the server has no clock that could be bent")
	// ErrClockSilent: the server does not answer for its clock; most likely it
	// is paused.
	ErrClockSilent = errors.New("the server's clock does not answer")
)

// ClockBend is how a machine's server sees time: virtual = true time bent. It
// replaces the bend before. The zero value is no bend, and so is a Rate of 1
// with nothing else.
//
// Where T is the true time at which the agent is told, virtual(T) = T + Offset,
// and from there virtual time passes Rate times as fast as the true one. A
// frozen clock stands still at what it showed at T, plus what Offset changed
// by. So a change may well make the clock jump, forward or back: each Offset is
// measured from true time, and not from what the clock showed. Nothing but the
// end of Frozen sets a frozen clock going.
type ClockBend struct {
	Offset time.Duration `json:"offset,omitempty"` // ns; at most MaxClockOffset either way
	Rate   float64       `json:"rate,omitempty"`   // 0 means 1, unless Frozen
	Frozen bool          `json:"frozen,omitempty"`
}

// rate is the rate that counts.
func (b ClockBend) rate() float64 {
	switch {
	case b.Frozen:
		return 0
	case b.Rate == 0:
		return 1
	default:
		return b.Rate
	}
}

// None reports whether it is no bend at all.
func (b ClockBend) None() bool { return b.Offset == 0 && b.rate() == 1 }

// Validate is ErrClockOffset or ErrClockRate, with the bound that was broken.
func (b ClockBend) Validate() error {
	if b.Offset > MaxClockOffset || b.Offset < -MaxClockOffset {
		return fmt.Errorf("%w: %v is more than %v from true time", ErrClockOffset, b.Offset, MaxClockOffset)
	}
	// The comparison is this way round because of NaN.
	if b.Rate != 0 && !(b.Rate >= MinClockRate && b.Rate <= MaxClockRate) {
		return fmt.Errorf("%w: %v is not from %v to %v (to stop a clock, freeze it)", ErrClockRate, b.Rate, MinClockRate, MaxClockRate)
	}
	return nil
}

// ClockLine is virtual time as a function of true time: at Mono it is Clock,
// and from there Rate times as fast. All times are in ns; Mono is
// CLOCK_MONOTONIC.
type ClockLine struct {
	Mono, Clock int64
	Rate        float64
}

// TrueClock is the line of a clock that is not bent.
var TrueClock = ClockLine{Rate: 1}

// At is the virtual time at mono.
func (l ClockLine) At(mono int64) int64 {
	if l.Rate == 1 {
		return mono + (l.Clock - l.Mono) // to the nanosecond
	}
	const most = 1 << 62
	gain := l.Rate * float64(mono-l.Mono)
	return l.Clock + int64(math.Min(math.Max(gain, -most), most))
}

// Line is what virtual time becomes when b takes the place of the bend before,
// with its line, at mono.
func (b ClockBend) Line(before ClockBend, line ClockLine, mono int64) ClockLine {
	switch {
	case b.None():
		return TrueClock
	case b.Frozen:
		return ClockLine{Mono: mono, Clock: line.At(mono) + int64(b.Offset-before.Offset)}
	default:
		return ClockLine{Mono: mono, Clock: mono + int64(b.Offset), Rate: b.rate()}
	}
}

// ClockReading is a look at a server's clock.
type ClockReading struct {
	Mono   int64 `json:"mono"`   // true time, CLOCK_MONOTONIC in ns: the middle between question and answer
	Server int64 `json:"server"` // what the server's clock showed, ns
	// Error is half of the time between question and answer, ns: Server was
	// shown at some moment at most that far from Mono.
	Error int64 `json:"error"`
}

// BendClock bends the clock of the machine's server. When it returns, the
// server goes by it, with two exceptions. Where none runs, the next one begins
// with it. A paused one goes by it as soon as it continues. The bend is the
// machine's: it outlives the server, and virtual time goes on without a break
// from one server to the next; it ends with the agent.
//
// A server without such a clock is ErrNoClock, one that runs and yet says
// nothing for seconds is ErrClockSilent: then it is not known whether it goes
// by the bend.
func (c *Client) BendClock(ctx context.Context, b ClockBend) error {
	if err := b.Validate(); err != nil {
		return fmt.Errorf("agent: %s: %w", MethodClockBend, err)
	}
	return c.call(ctx, MethodClockBend, b, nil)
}

// ReadClock asks the server what its clock shows. When none runs it is
// ErrNotRunning, ErrNoClock for one without such a clock, and ErrClockSilent
// for one that is paused or does not answer.
func (c *Client) ReadClock(ctx context.Context) (ClockReading, error) {
	var r ClockReading
	err := c.call(ctx, MethodClockRead, nil, &r)
	return r, err
}
