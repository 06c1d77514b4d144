package history

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"time"
)

// Follower reads a history while it is being recorded. It keeps no operations
// and remembers only how far it came.
type Follower struct {
	file   *os.File
	frames *frameReader
	parser *parser
	valid  *validator
	header Header
	begun  bool   // the header was read
	line   int64  // lines read so far
	lines  []byte // what is left of the frame at hand
	at     int64  // where that frame begins in the file
	err    error
}

// Follow follows the history that is open in f, from its beginning. Close
// closes f.
func Follow(f *os.File) (*Follower, error) {
	frames, err := newFrameReader(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Follower{file: f, frames: frames, parser: newParser()}, nil
}

// Close releases the file.
func (f *Follower) Close() error {
	f.frames.close()
	return f.file.Close()
}

// Header is the history's header; false until a Poll has read it.
func (f *Follower) Header() (Header, bool) { return f.header, f.begun }

// Bytes is how much of the file was read, in whole frames.
func (f *Follower) Bytes() int64 { return f.frames.offset }

// Poll gives take what was recorded since the last Poll: operations, faults, node events
// and marks; open says that an operation was still under way. It stops at a frame that is not whole yet, and
// goes on from there the next time; more says that it stopped because it had
// worked for as long as budget. What is damaged, or what no recorder writes, is a
// *DamageError, now and for ever; but that each process runs one operation at a
// time is not looked at: see Load.
func (f *Follower) Poll(budget time.Duration, take func(rec Record, open bool)) (more bool, err error) {
	if f.err != nil {
		return false, f.err
	}
	deadline := time.Now().Add(budget)
	at := f.frames.offset
	// A reader that has seen the end, or half a frame, begins anew.
	f.frames.r = bufio.NewReaderSize(io.NewSectionReader(f.file, at, math.MaxInt64-at), 256<<10)
	for {
		if len(f.lines) == 0 {
			f.at = f.frames.offset
			if !f.nextFrame() {
				return false, f.err
			}
		}
		for n := 0; n < linesAtOnce && len(f.lines) > 0; n++ {
			f.line++
			if err := f.next(take); err != nil {
				f.err = err
				if version := new(VersionError); !errors.As(err, &version) {
					f.err = &DamageError{Path: f.file.Name(), Line: f.line, Frame: f.frames.frames - 1, Byte: f.at, Err: err}
				}
				return false, f.err
			}
		}
		if time.Now().After(deadline) {
			return true, nil
		}
	}
}

// linesAtOnce is how many lines are read between two looks at the clock.
const linesAtOnce = 256

// nextFrame is false when there is no whole frame yet, or f.err.
func (f *Follower) nextFrame() bool {
	lines, err := f.frames.next()
	if err != nil {
		if err != io.EOF && !errors.Is(err, errCut) {
			f.err = &DamageError{Path: f.file.Name(), Frame: f.frames.frames, Byte: f.frames.offset, Err: err}
		}
		return false
	}
	f.lines = lines
	return true
}

// next takes one line.
func (f *Follower) next(take func(rec Record, open bool)) (err error) {
	if !f.begun {
		f.header, f.valid, f.lines, err = beginHistory(f.frames, f.lines)
		if f.begun = err == nil; f.begun {
			f.parser.begin(f.header)
		}
		return err
	}
	line, rest, whole := bytes.Cut(f.lines, []byte{'\n'})
	if !whole {
		return errors.New("the frame does not end with a complete line")
	}
	f.lines = rest
	if len(line) > maxLine {
		return errLongLine
	}
	rec, open, err := f.parser.line(line)
	if err == nil {
		err = f.valid.record(rec, open)
	}
	if err == nil {
		take(rec, open)
	}
	return err
}
