package history

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Frames are numbered and their lines counted, so that one that is doubled, missing or out of place is noticed: zstd's
// checksum speaks for one frame alone. Before each frame of lines but the
// header's stands a skippable frame, which zstd itself and older readers step
// over. It holds a tag. Another kind of tag stands at the end of a history whose
// recorder was closed, so that a missing end is noticed too.

const (
	tagMagic = skippableMagic + 0xA
	tagSize  = 24 // bytes, without magic number and length
	skipHead = 8  // bytes of a skippable frame before its contents
)

// The kinds of tags. No other tool's skippable frame begins so.
var (
	tagFrame = [4]byte{'s', 'q', 'f', '1'}
	tagEnd   = [4]byte{'s', 'q', 'e', '1'}
)

// tag is what stands before a frame, or at the end.
type tag struct {
	kind    [4]byte
	history uint32 // of the header's line: frames of other histories have another
	// number is the frame's, from 1, the header's being 0. At the end it is how
	// many frames there are without the header's.
	number uint64
	lines  uint64 // in the frame; at the end in all of them
}

// append appends the tag as a skippable frame.
func (t tag) append(buf []byte) []byte {
	buf = binary.LittleEndian.AppendUint32(buf, tagMagic)
	buf = binary.LittleEndian.AppendUint32(buf, tagSize)
	buf = append(buf, t.kind[:]...)
	buf = binary.LittleEndian.AppendUint32(buf, t.history)
	buf = binary.LittleEndian.AppendUint64(buf, t.number)
	return binary.LittleEndian.AppendUint64(buf, t.lines)
}

// parseTag reads a whole skippable frame. Another tool's is no tag.
func parseTag(frame []byte) (t tag, ok bool) {
	if len(frame) != skipHead+tagSize || binary.LittleEndian.Uint32(frame) != tagMagic {
		return tag{}, false
	}
	b := frame[skipHead:]
	copy(t.kind[:], b)
	t.history = binary.LittleEndian.Uint32(b[4:])
	t.number = binary.LittleEndian.Uint64(b[8:])
	t.lines = binary.LittleEndian.Uint64(b[16:])
	return t, t.kind == tagFrame || t.kind == tagEnd
}

// headerSum identifies a history by the line of its header.
func headerSum(line []byte) uint32 {
	return crc32.Checksum(bytes.TrimRight(line, "\r\n"), crc32.MakeTable(crc32.Castagnoli))
}

// numbering counts the frames and lines of a numbered history as they come.
type numbering struct {
	history uint32
	frames  uint64 // without the header's
	lines   uint64
	pending *tag // the tag that was read, and the frame that it speaks of was not
	ended   bool
}

// tag takes the tag that comes next.
func (n *numbering) tag(t tag) error {
	switch {
	case n.ended:
		return fmt.Errorf("data follows the end of the history, frame %d", n.frames)
	case n.pending != nil:
		return fmt.Errorf("frame %d is missing: its number is followed by the next one", n.pending.number)
	case t.history != n.history:
		return fmt.Errorf("the frame after frame %d belongs to another history", n.frames)
	case t.kind == tagEnd && (t.number != n.frames || t.lines != n.lines):
		return fmt.Errorf("frames are missing: the history ended with frame %d and %d lines, but %d frames and %d lines are here",
			t.number, t.lines, n.frames, n.lines)
	case t.kind == tagEnd:
		n.ended = true
	case t.number <= n.frames:
		return fmt.Errorf("frame %d occurs again after frame %d: it was duplicated or moved", t.number, n.frames)
	case t.number > n.frames+1:
		return fmt.Errorf("frame %d follows frame %d: what was between is missing", t.number, n.frames)
	default:
		n.pending = &t
	}
	return nil
}

// frame takes the contents of the frame that comes next.
func (n *numbering) frame(lines []byte) error {
	switch t := n.pending; {
	case n.ended:
		return fmt.Errorf("data follows the end of the history, frame %d", n.frames)
	case t == nil:
		return fmt.Errorf("the frame after frame %d has no number: it was duplicated, moved or added", n.frames)
	default:
		n.pending = nil
		if count := countLines(lines); count != t.lines {
			return fmt.Errorf("frame %d holds %d lines, but was written with %d", t.number, count, t.lines)
		}
		n.frames, n.lines = t.number, n.lines+t.lines
		return nil
	}
}

func countLines(lines []byte) uint64 { return uint64(bytes.Count(lines, []byte{'\n'})) }
