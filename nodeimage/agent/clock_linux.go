package agent

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"

	"squall/nodeimage/agent/protocol"
)

const (
	// clockEnv tells a server which file descriptor is the line to its clock:
	// clockFD, the one after stdin, stdout, stderr and both traces
	// report, which is closed by then.
	clockEnv = "SQUALL_CLOCK_FD"
	clockFD  = 5
)

// clockKind is the line to a server's clock. docs/clock-bending.md says what is
// spoken on it.
var clockKind = lineKind{name: "clock", silent: protocol.ErrClockSilent,
	closed: errors.New("the server closed the line to its clock")}

// machineClock is how the machine's servers see time.
type machineClock struct {
	bending sync.Mutex // one bend after the other, so that servers hear the last one last

	// The supervisor's mutex guards these, so that no bend falls between a
	// server that is about to start and the one before.
	bend protocol.ClockBend
	line protocol.ClockLine
}

// linkClock makes the line to the clock of a server that is about to start, and
// its first word: how the clock is bent. theirs is the server's end.
func (c *machineClock) linkClock() (link *serverLine, theirs *os.File, err error) {
	verb, rest := bendWords(c.line)
	return newServerLine(clockKind, verb, rest)
}

// bendWords tell a server to go by a line. 'g' with -1 writes the rate exactly.
func bendWords(l protocol.ClockLine) (verb, rest string) {
	return "bend", fmt.Sprintf(" %d %d %s", l.Mono, l.Clock, strconv.FormatFloat(l.Rate, 'g', -1, 64))
}

// performClock does what has to do with the server's clock.
func (s *supervisor) performClock(req protocol.Request) (any, error) {
	if req.Method == protocol.MethodClockRead {
		return s.readClock()
	}
	bend, err := params[protocol.ClockBend](req)
	if err != nil {
		return nil, err
	}
	if err := bend.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", errBadRequest, err)
	}
	return nil, s.bendClock(bend)
}

// bendClock bends the clock of the server that runs, and of those to come.
func (s *supervisor) bendClock(bend protocol.ClockBend) error {
	c := &s.clock
	return s.tell(&c.bending, func(p *process) *serverLine { return p.clock }, protocol.ErrNoClock, func() (verb, rest string) {
		c.line = bend.Line(c.bend, c.line, mono())
		c.bend = bend
		return bendWords(c.line)
	})
}

func (s *supervisor) readClock() (protocol.ClockReading, error) {
	p, err := s.running()
	if err != nil {
		return protocol.ClockReading{}, err
	}
	if p.clock == nil {
		return protocol.ClockReading{}, protocol.ErrNoClock
	}
	asked := mono()
	a, err := p.ask(p.clock, "read", "")
	if err != nil {
		return protocol.ClockReading{}, err
	}
	shown, err := strconv.ParseInt(a.said, 10, 64)
	if err != nil {
		return protocol.ClockReading{}, clockKind.misspoke(a.said, err)
	}
	half := (a.at - asked + 1) / 2
	return protocol.ClockReading{Mono: asked + (a.at-asked)/2, Server: shown, Error: half}, nil
}
