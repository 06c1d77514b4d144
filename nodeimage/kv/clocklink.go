package kv

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// ClockEnv names the environment variable in which squall's agent says
	// which file descriptor is the line to the server's clock.
	// docs/clock-bending.md says what is spoken on it.
	ClockEnv = "SQUALL_CLOCK_FD"
	// clockHello is how long the agent's first word may take. It was sent
	// before the server started.
	clockHello = 5 * time.Second
	// maxClockLine bounds a line of the agent's, in bytes.
	maxClockLine = 4 << 10
)

// InheritedClock is the machine's clock. When squall's agent handed down a line
// to bend it by, it is bent as the agent says, from the start and until release
// is called; release waits for the end of that.
func InheritedClock() (clock *Clock, release func(), err error) {
	if clock, err = NewClock(); err != nil {
		return nil, nil, err
	}
	number, handed := os.LookupEnv(ClockEnv)
	if !handed {
		return clock, func() {}, nil
	}
	fd, err := strconv.Atoi(number)
	if err != nil {
		return nil, nil, fmt.Errorf("%s is %q, which is not a file descriptor", ClockEnv, number)
	}
	conn, err := inherit(fd, "clock")
	if err != nil {
		return nil, nil, fmt.Errorf("%s is %d: %w", ClockEnv, fd, err)
	}
	done, err := clock.obey(conn)
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("%s is %d: %w", ClockEnv, fd, err)
	}
	return clock, func() { conn.Close(); <-done }, nil
}

// lineConn is a connection whose reading can be given up, such as an *os.File.
type lineConn interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
}

// obey lets the other end of conn bend and read the clock. It returns when the
// first bend is in effect; done is closed when conn has ended.
func (c *Clock) obey(conn lineConn) (done <-chan struct{}, err error) {
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, maxClockLine)
	err = conn.SetReadDeadline(time.Now().Add(clockHello))
	if err == nil && !lines.Scan() {
		err = cmp.Or(lines.Err(), io.ErrUnexpectedEOF)
	}
	if err != nil {
		return nil, fmt.Errorf("the agent does not say how the clock is bent: %w", err)
	}
	if _, err := io.WriteString(conn, c.carryOut(lines.Text())); err != nil {
		return nil, err
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines.Scan() {
			// Who asked is gone when the answer cannot be written; the clock
			// stays as it is.
			if _, err := io.WriteString(conn, c.carryOut(lines.Text())); err != nil {
				return
			}
		}
	}()
	return ended, nil
}

// carryOut does what a line asks for and returns the line that answers it.
func (c *Clock) carryOut(line string) string {
	words := strings.Fields(line)
	id := "0"
	if len(words) > 1 {
		id = words[1]
	}
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
