package trace

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Decoder takes the events of a trace off its bytes. Its zero value reads what a server
// writes, from the beginning.
type Decoder struct {
	// File reads the file of a run, which has boots and silences besides: those a
	// server may not write.
	File bool
	// Earliest and Latest bound the times of events, ns; 0: nothing does.
	Earliest, Latest int64

	begun   bool // the magic line was read
	node    NodeID
	boot    int
	time    int64
	message Message
	reasons map[string]string
}

// maxReasons bounds the reasons that are kept to be shared by events.
const maxReasons = 256

// Next decodes the event at the head of b into e, and returns how many bytes it took.
// None: b ends within a frame. e.Kind is 0 when those bytes hold no event. e's slices and
// its message are used again by the next call. The error says what is wrong with the
// frame at the head of b; there is nothing to be had after it.
func (d *Decoder) Next(b []byte, e *Event) (n int, err error) {
	e.Kind = 0
	if !d.begun {
		return d.begin(b)
	}
	length, n := binary.Uvarint(b)
	switch {
	case n < 0 || length > MaxFrame:
		return 0, fmt.Errorf("a frame of more than %d bytes", MaxFrame)
	case n == 0 || uint64(len(b)-n) < length:
		return 0, nil
	case length == 0:
		return 0, errors.New("an empty frame")
	}
	end := n + int(length)
	if err := d.frame(b[n:end], e); err != nil {
		e.Kind = 0
		return 0, err
	}
	return end, nil
}

func (d *Decoder) begin(b []byte) (int, error) {
	if len(b) < len(Magic) {
		if !bytes.HasPrefix([]byte(Magic), b) {
			return 0, errors.New("it does not begin as a trace does")
		}
		return 0, nil
	}
	if string(b[:len(Magic)]) != Magic {
		return 0, errors.New("it does not begin as a trace does")
	}
	d.begun = true
	return len(Magic), nil
}

// frame decodes what a frame holds.
func (d *Decoder) frame(body []byte, e *Event) error {
	p := taker{b: body}
	kind := Kind(p.byte())
	if kind == kindBoot && d.File {
		return d.bootFrame(&p)
	}
	if kind == 0 || kind > lastKind || kind == Silent && !d.File {
		return fmt.Errorf("an event of kind %d, which there is not", kind)
	}
	if d.node == 0 && kind != Start && kind != Silent {
		return fmt.Errorf("it begins with %v, not with start", kind)
	}
	d.clear(e)
	e.Kind = kind
	e.Time = d.time + p.varint()
	e.Term = p.uvarint()
	d.fields(&p, e)
	if err := p.close(); err != nil {
		return fmt.Errorf("%v: %w", kind, err)
	}
	return d.place(e)
}

// clear makes e empty, but keeps the memory of its slices.
func (d *Decoder) clear(e *Event) {
	*e = Event{Runs: e.Runs[:0], Members: e.Members[:0], Old: e.Old[:0]}
	d.message = Message{Runs: d.message.Runs[:0]}
}

func (d *Decoder) fields(p *taker, e *Event) {
	if aboutMessage(e.Kind) {
		e.Message = &d.message
	}
	d.takeAll(p, e, layouts[e.Kind])
	if aboutMessage(e.Kind) && p.err == nil {
		d.takeAll(p, e, messageLayouts[e.Message.Type])
	}
}

func (d *Decoder) takeAll(p *taker, e *Event, layout []field) {
	for i := range layout {
		d.take(p, layout[i].of(e))
	}
}

// place checks an event against those before it, and fills in whose it is.
func (d *Decoder) place(e *Event) error {
	if e.Time < 0 {
		return fmt.Errorf("%v: a time before the computer's start", e.Kind)
	}
	if e.Time < d.Earliest || d.Latest > 0 && e.Time > d.Latest {
		return fmt.Errorf("%v: a time outside of the test", e.Kind)
	}
	if e.Last < e.First {
		return fmt.Errorf("%v: reads %d to %d", e.Kind, e.First, e.Last)
	}
	if e.Kind == Start {
		if d.node != 0 {
			return errors.New("a second start of the same server")
		}
		if e.Node == 0 {
			return errors.New("start: of no node")
		}
		d.node = e.Node
	}
	d.time, e.Node, e.Boot = e.Time, d.node, d.boot
	switch e.Kind {
	case Send:
		e.Message.From = d.node
	case Receive:
		e.Message.To = d.node
	}
	return nil
}

// bootFrame begins another boot.
func (d *Decoder) bootFrame(p *taker) error {
	boot := p.uvarint()
	if err := p.close(); err != nil {
		return fmt.Errorf("boot: %w", err)
	}
	if boot == 0 || boot > math.MaxInt32 || int(boot) <= d.boot {
		return fmt.Errorf("boot %d after boot %d", boot, d.boot)
	}
	d.boot, d.node, d.time = int(boot), 0, 0
	return nil
}

// take decodes one field; see appendValue for their forms.
func (d *Decoder) take(p *taker, value any) {
	switch v := value.(type) {
	case *uint64:
		*v = p.uvarint()
	case *NodeID:
		*v = NodeID(p.uvarint())
	case *Mark:
		v.Index = p.uvarint()
		v.Term = p.uvarint()
	case *[]Run:
		*v = p.runs(*v)
	case *bool:
		*v = p.upTo(1, "neither yes nor no") == 1
	case *MessageType:
		if *v = MessageType(p.upTo(byte(lastMessageType), "an unknown type of message")); *v == 0 {
			p.fail(errors.New("a message without type"))
		}
	case *string:
		*v = d.reason(p.text())
	case *hash:
		*v = hash(p.uint64())
	case *Role:
		if *v = Role(p.upTo(byte(Stopped), "an unknown role")); *v == 0 {
			p.fail(errors.New("no role"))
		}
	case *[]NodeID:
		*v = p.nodes(*v)
	case *Lacks:
		if *v = Lacks(p.uvarint()); *v&^everyLack != 0 {
			p.fail(fmt.Errorf("unknown lacks %#x", uint64(*v&^everyLack)))
		}
	default:
		p.fail(fmt.Errorf("a field of type %T", value))
	}
}

// reason is b as a string that events share.
func (d *Decoder) reason(b []byte) string {
	if s, ok := d.reasons[string(b)]; ok || len(b) == 0 {
		return s
	}
	if d.reasons == nil {
		d.reasons = map[string]string{}
	}
	s := string(b)
	if len(d.reasons) < maxReasons {
		d.reasons[s] = s
	}
	return s
}
