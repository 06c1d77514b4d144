package trace

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Magic is how a trace begins.
const Magic = "squall-trace 2\n"

// The bounds of what a trace may hold. A frame that exceeds one is damage.
const (
	MaxFrame   = 64 << 10 // bytes of a frame, its length not counted
	MaxRuns    = 16 << 10 // of one event
	MaxMembers = 1 << 10
	MaxReason  = 256 // bytes
)

// kindBoot is the number of a frame that only the files of a run have: it holds the
// number of the boot whose frames follow.
const kindBoot = 0xff

// Encoder writes one boot's events. Its zero value is ready for the first, which
// must follow [Magic] and be a Start.
type Encoder struct {
	time int64 // of the event before
}

// Append appends the frame of an event to buf. On an error, which is that of an event
// that exceeds a bound or has a kind, type or role that there is not, buf is returned as
// it was.
//
// A frame is its length (uvarint) and then: the kind (1 byte); the time since the event
// before, in ns (varint); the term (uvarint); the fields of the kind, in the order of
// docs/trace.md. Boot is in none, and Node only in that of Start.
func (c *Encoder) Append(buf []byte, e *Event) ([]byte, error) {
	if e.Kind == 0 || e.Kind > lastKind {
		return buf, fmt.Errorf("trace: encode an event of kind %d: there is no such kind", e.Kind)
	}
	start := len(buf)
	out := append(buf, 0, byte(e.Kind)) // a byte for the length: more are made room for
	out = binary.AppendVarint(out, e.Time-c.time)
	out = binary.AppendUvarint(out, e.Term)
	out, err := appendFields(out, e)
	if err == nil && len(out)-start-1 > MaxFrame {
		err = fmt.Errorf("%d bytes, more than %d", len(out)-start-1, MaxFrame)
	}
	if err != nil {
		return buf, fmt.Errorf("trace: encode %v: %w", e.Kind, err)
	}
	c.time = e.Time
	return closeFrame(out, start), nil
}

// AppendBoot appends the frame which says that those of a server's start number boot
// follow, beginning with its Start.
func (c *Encoder) AppendBoot(buf []byte, boot int) []byte {
	start := len(buf)
	c.time = 0
	return closeFrame(binary.AppendUvarint(append(buf, 0, kindBoot), uint64(boot)), start)
}

// closeFrame writes the length of the frame that begins at start with a byte for it.
func closeFrame(buf []byte, start int) []byte {
	size := len(buf) - start - 1
	if size < 0x80 {
		buf[start] = byte(size)
		return buf
	}
	var prefix [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(prefix[:], uint64(size))
	return slices.Replace(buf, start, start+1, prefix[:n]...)
}

func appendFields(buf []byte, e *Event) ([]byte, error) {
	buf, err := appendAll(buf, e, layouts[e.Kind])
	if err != nil || !aboutMessage(e.Kind) {
		return buf, err
	}
	return appendAll(buf, e, messageLayouts[e.Message.Type])
}

func appendAll(buf []byte, e *Event, layout []field) (_ []byte, err error) {
	if aboutMessage(e.Kind) && (e.Message == nil || e.Message.Type == 0 || e.Message.Type > lastMessageType) {
		return buf, fmt.Errorf("its message has no type")
	}
	for i := range layout {
		if buf, err = appendValue(buf, layout[i].of(e)); err != nil {
			return buf, fmt.Errorf("%s: %w", layout[i].name, err)
		}
	}
	return buf, nil
}

// appendValue appends one field: numbers as uvarints, hashes as 8 bytes (little endian),
// yes and no, roles and types as a byte, lists and texts after their length.
func appendValue(buf []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case *uint64:
		return binary.AppendUvarint(buf, *v), nil
	case *NodeID:
		return binary.AppendUvarint(buf, uint64(*v)), nil
	case *Mark:
		return appendMark(buf, *v), nil
	case *[]Run:
		return appendRuns(buf, *v)
	case *bool:
		if *v {
			return append(buf, 1), nil
		}
		return append(buf, 0), nil
	case *MessageType:
		return append(buf, byte(*v)), nil
	case *string:
		if len(*v) > MaxReason {
			return buf, fmt.Errorf("%d bytes, more than %d", len(*v), MaxReason)
		}
		return append(binary.AppendUvarint(buf, uint64(len(*v))), *v...), nil
	case *hash:
		return binary.LittleEndian.AppendUint64(buf, uint64(*v)), nil
	case *Role:
		if *v == 0 || *v > Stopped {
			return buf, fmt.Errorf("there is no role %d", *v)
		}
		return append(buf, byte(*v)), nil
	case *[]NodeID:
		return appendNodes(buf, *v)
	case *Lacks:
		return binary.AppendUvarint(buf, uint64(*v)), nil
	}
	return buf, fmt.Errorf("a field of type %T", value)
}

func appendMark(buf []byte, m Mark) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(buf, m.Index), m.Term)
}

// valid says whether r is entries that a log may hold.
func (r Run) valid() bool { return r.First > 0 && r.Count > 0 && r.First+r.Count > r.First }

// appendRuns appends, for each run, by how much it begins elsewhere than right after the
// one before (the first: after 0), how many entries it has, and their term.
func appendRuns(buf []byte, runs []Run) ([]byte, error) {
	if len(runs) > MaxRuns {
		return buf, fmt.Errorf("%d, more than %d", len(runs), MaxRuns)
	}
	buf = binary.AppendUvarint(buf, uint64(len(runs)))
	next := uint64(0)
	for _, r := range runs {
		if !r.valid() {
			return buf, fmt.Errorf("a run of %d entries from %d on", r.Count, r.First)
		}
		buf = binary.AppendVarint(buf, int64(r.First-next))
		buf = binary.AppendUvarint(buf, r.Count)
		buf = binary.AppendUvarint(buf, r.Term)
		next = r.First + r.Count
	}
	return buf, nil
}

func appendNodes(buf []byte, nodes []NodeID) ([]byte, error) {
	if len(nodes) > MaxMembers {
		return buf, fmt.Errorf("%d, more than %d", len(nodes), MaxMembers)
	}
	buf = binary.AppendUvarint(buf, uint64(len(nodes)))
	for _, id := range nodes {
		buf = binary.AppendUvarint(buf, uint64(id))
	}
	return buf, nil
}

// AppendSilent appends the frame which says that nothing is known of a server from the
// time at on, behind what d has read.
func (d *Decoder) AppendSilent(buf []byte, at int64, reason string) []byte {
	at = max(at, d.time)
	enc := Encoder{time: d.time}
	buf, err := enc.Append(buf, &Event{Kind: Silent, Time: at, Reason: reason[:min(len(reason), MaxReason)]})
	if err == nil {
		d.time = at
	}
	return buf
}

// AppendBoot appends the frame which says that those of a server's start number boot
// follow, and makes d ready for them: what that server writes begins anew.
func (d *Decoder) AppendBoot(buf []byte, boot int) []byte {
	*d = Decoder{reasons: d.reasons}
	return new(Encoder).AppendBoot(buf, boot)
}
