package driver

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
)

// Commands.
const (
	CommandStop    = "stop"
	CommandRecover = "recover"
	CommandFinal   = "final"
	CommandScan    = "scan"
	CommandCompare = "compare"
	CommandAsk     = "ask"
	CommandQuit    = "quit"
)

// maxLine is the longest line of input, in bytes.
const maxLine = 4 << 20

// command obeys one line of input. quit means that it was the last.
func (d *driver) command(ctx context.Context, l line) (quit bool, err error) {
	if l.err != nil {
		return false, fmt.Errorf("read commands: %w", l.err)
	}
	name, rest, _ := bytes.Cut(bytes.TrimSpace(l.text), []byte{' '})
	switch name := string(name); name {
	case "":
	case CommandStop:
		d.load.stop()
	case CommandCompare:
		if !d.can.replicas {
			return false, d.complain("the system %s cannot be asked to compare its copies", d.cfg.System)
		}
		fallthrough
	case CommandRecover, CommandFinal, CommandScan:
		d.load.stop()
		d.wanted = append(d.wanted, name)
	case CommandAsk:
		return false, d.ask(ctx, rest)
	case CommandQuit:
		return true, nil
	default:
		return false, d.complain("unknown command %q; there is %s", l.text,
			strings.Join([]string{CommandStop, CommandRecover, CommandFinal, CommandScan, CommandCompare, CommandAsk, CommandQuit}, ", "))
	}
	return false, nil
}

// complain tells what is wrong with a command.
func (d *driver) complain(format string, args ...any) error {
	return d.status.emit(Event{Event: EventError, Time: d.clock.now(), Error: fmt.Sprintf(format, args...)})
}

// ask lets nodes be asked about members, and tells what came of it.
func (d *driver) ask(ctx context.Context, text []byte) error {
	a := &asker{links: d.links, clock: d.clock, timeout: d.cfg.Timeout, leader: func() string {
		if name := d.leader.Load(); name != nil {
			return *name
		}
		return ""
	}}
	ask, about, err := a.parse(text)
	if err == nil && !d.can.members {
		err = fmt.Errorf("the members of the system %s cannot be changed", d.cfg.System)
	}
	if err != nil {
		return d.complain("%s %q: %v", CommandAsk, text, err)
	}
	d.asks.Go(func() {
		answer := a.ask(ctx, ask, about)
		// When the status stream is broken, the next event of the loop ends the driver.
		_ = d.status.emit(Event{Event: EventAnswer, Time: d.clock.now(), Answer: &answer})
	})
	return nil
}

// line is one line of input, or the error that ended it.
type line struct {
	text []byte
	err  error
}

// readLines sends the lines of r until it ends, or until ctx does and another
// line comes.
func readLines(ctx context.Context, r io.Reader) <-chan line {
	lines := make(chan line)
	go func() {
		defer close(lines)
		scan := bufio.NewScanner(r)
		scan.Buffer(nil, maxLine)
		for more := true; more; {
			var l line
			if more = scan.Scan(); more {
				l.text = bytes.Clone(scan.Bytes())
			} else if l.err = scan.Err(); l.err == nil {
				return
			}
			select {
			case lines <- l:
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}
