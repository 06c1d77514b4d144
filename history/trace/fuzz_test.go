package trace

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// FuzzReader: whatever the bytes, there are events and then the end or damage, and what
// was read can be written and read again, as binary and as text.
func FuzzReader(f *testing.F) {
	f.Add(encode(f, everything()))
	for _, e := range everything() {
		f.Add(encode(f, []Event{{Kind: Start, Node: 1, Members: []NodeID{1, 2, 3}}, e}))
	}
	f.Add(new(Encoder).AppendBoot([]byte(Magic), 2))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, file := range []bool{false, true} {
			r := NewReader(bytes.NewReader(data))
			r.dec.File = file
			readFuzzed(t, r, len(data))
		}
	})
}

func readFuzzed(t *testing.T, r *Reader, size int) {
	var enc Encoder
	again, boot := []byte(Magic), 0
	events := 0
	for {
		e, err := r.Next()
		var damage *Damage
		if errors.As(err, &damage) && damage.Offset <= int64(size) || err == io.EOF {
			break
		}
		must(t, err)
		if e.Boot != boot {
			boot = e.Boot
			again = enc.AppendBoot(again, boot)
		}
		again, err = enc.Append(again, e)
		must(t, err)
		events++
		parsed, err := ParseText(e.String())
		must(t, err)
		if parsed.String() != e.String() {
			t.Fatalf("%s was read as %s", e, parsed)
		}
	}
	got, err := readAll(NewFileReader(bytes.NewReader(again)))
	must(t, err)
	if len(got) != events {
		t.Fatalf("%d events, and %d once they were written again", events, len(got))
	}
}

// FuzzText: a line is refused, or means what the text made of it means.
func FuzzText(f *testing.F) {
	for _, e := range everything() {
		f.Add(e.String())
	}
	f.Add("n1 grant term=2 peer=n1 mark=0/0")
	f.Fuzz(func(t *testing.T, line string) {
		e, err := ParseText(line)
		if err != nil {
			return
		}
		again, err := ParseText(e.String())
		must(t, err)
		same(t, []Event{*again}, []Event{*e})
	})
}
