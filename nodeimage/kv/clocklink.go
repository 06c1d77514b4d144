package kv

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ClockEnv names the environment variable in which squall's agent says which
// file descriptor is the line to the server's clock. docs/clock-bending.md says
// what is spoken on it.
const ClockEnv = "SQUALL_CLOCK_FD"

// InheritedClock is the machine's clock. When squall's agent handed down a line
// to bend it by, it is bent as the agent says, from the start and until release
// is called; release waits for the end of that.
func InheritedClock() (clock *Clock, release func(), err error) {
	if clock, err = NewClock(); err != nil {
		return nil, nil, err
	}
	conn, err := inheritedLine(ClockEnv, "clock")
	if err != nil {
		return nil, nil, err
	}
	if conn == nil {
		return clock, func() {}, nil
	}
	done, err := obey(conn, clock.carryOut)
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("%s: %w", ClockEnv, err)
	}
	return clock, func() { conn.Close(); <-done }, nil
}

// carryOut does what a line asks for and returns the line that answers it.
func (c *Clock) carryOut(line string) string {
	words := strings.Fields(line)
	id := lineID(words)
	if err := c.carryOutWords(words); err != nil {
		return fmt.Sprintf("error %s %q: %v\n", id, line, err)
	}
	return fmt.Sprintf("ok %s %d\n", id, int64(c.Now()))
}

func (c *Clock) carryOutWords(words []string) error {
	switch {
	case len(words) == 2 && words[0] == "read":
		return nil
	case len(words) == 5 && words[0] == "bend":
		mono, monoErr := strconv.ParseInt(words[2], 10, 64)
		shown, shownErr := strconv.ParseInt(words[3], 10, 64)
		rate, err := strconv.ParseFloat(words[4], 64)
		if err := errors.Join(monoErr, shownErr, err); err != nil {
			return err
		}
		if !(rate >= 0 && rate <= maxRate) { // this way round because of NaN
			return fmt.Errorf("a rate is from 0 to %d", maxRate)
		}
		c.Bend(time.Duration(mono), time.Duration(shown), rate)
		return nil
	}
	return errors.New("this is neither bend ID MONO CLOCK RATE nor read ID")
}

// maxRate is how fast a clock may be made.
const maxRate = 1_000_000
