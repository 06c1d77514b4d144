package orchestrator

import "bytes"

// lineCutter cuts a stream, which comes in pieces that end anywhere, into lines.
// It copies nothing but the part of a line whose end has not come yet.
type lineCutter struct {
	max  int    // bytes of a line, without its end
	part []byte // of a line whose end has not come yet
}

// take calls line with each whole line, without its end, until line returns false.
// long reports that a line is longer than max, whether its end has come or not: it
// and all that came after it are thrown away. The lines are only valid during the
// call.
func (c *lineCutter) take(data []byte, line func([]byte) bool) (long bool) {
	for {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			end = len(data)
		}
		if len(c.part)+end > c.max {
			c.part = nil
			return true
		}
		if end == len(data) {
			c.part = append(c.part, data...)
			return false
		}
		whole := data[:end]
		if len(c.part) > 0 {
			c.part = append(c.part, whole...)
			whole = c.part
		}
		more := line(whole)
		c.part, data = c.part[:0], data[end+1:]
		if !more {
			return false
		}
	}
}

// open reports whether a line was begun and not ended.
func (c *lineCutter) open() bool { return len(c.part) > 0 }

// reset forgets what was begun.
func (c *lineCutter) reset() { c.part = nil }
