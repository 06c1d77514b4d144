package disk

import (
	"bytes"
	"io"
	"testing"
)

// TestJournalIsSmall: an operation of a log takes few bytes beside its data.
func TestJournalIsSmall(t *testing.T) {
	w := NewWriter(io.Discard)
	at := int64(1e15)
	for _, op := range []Op{{Kind: Mount}, {Kind: Create, Node: 7, Dir: Root, Name: "wal"}} {
		op.At = at
		if err := w.Write(&op); err != nil {
			t.Fatal(err)
		}
	}
	before := w.Bytes()
	const rounds = 1000
	for i := range int64(rounds) {
		at += 500_000
		for _, op := range []Op{{Kind: Write, Node: 7, Offset: i << 10, Data: make([]byte, 100)}, {Kind: Sync, Node: 7, Upto: uint64(2*i) + 3}} {
			op.At = at
			if err := w.Write(&op); err != nil {
				t.Fatal(err)
			}
		}
	}
	each := float64(w.Bytes()-before-100*rounds) / (2 * rounds)
	t.Logf("%.1f bytes an operation beside its data", each)
	if each > 20 {
		t.Errorf("%.1f bytes an operation, beside its data", each)
	}
}

// TestBlocks: zeros that were written are as those that were not, for blocks and for the digest; all other bytes are there, once.
func TestBlocks(t *testing.T) {
	images := map[string]*Image{}
	for name, ops := range map[string][]Op{
		"holes":  {{Kind: Truncate, Node: 2, Length: 1 << 26}, {Kind: Write, Node: 2, Offset: 5000, Data: []byte("abc")}, {Kind: Write, Node: 2, Offset: 1<<26 - 2, Data: []byte("z")}},
		"zeros":  {{Kind: Write, Node: 2, Data: make([]byte, 3*4096)}, {Kind: Truncate, Node: 2, Length: 1 << 26}, {Kind: Write, Node: 2, Offset: 5000, Data: []byte("abc")}, {Kind: Write, Node: 2, Offset: 1<<26 - 2, Data: []byte("z\x00")}},
		"others": {{Kind: Truncate, Node: 2, Length: 1 << 26}, {Kind: Write, Node: 2, Offset: 5001, Data: []byte("abc")}, {Kind: Write, Node: 2, Offset: 1<<26 - 2, Data: []byte("z")}},
	} {
		m := NewModel(Options{Whole: true})
		for _, op := range append([]Op{{Kind: Create, Node: 2, Dir: Root, Name: "a"}}, ops...) {
			if err := m.Apply(&op); err != nil {
				t.Fatal(err)
			}
		}
		c, _ := m.Choose(Everything, nil)
		img, err := m.Image(c)
		if err != nil {
			t.Fatal(err)
		}
		images[name] = img
		want, got := make([]byte, 1<<26), make([]byte, 1<<26)
		if _, err := img.Entries[0].Open().ReadAt(want, 0); err != nil {
			t.Fatal(err)
		}
		n := 0
		_ = img.Entries[0].Blocks(4096, func(at int64, data []byte) error { n++; copy(got[at:], data); return nil })
		if n != 2 || !bytes.Equal(got, want) {
			t.Errorf("%s: %d blocks; all bytes are there: %v", name, n, bytes.Equal(got, want))
		}
	}
	if images["holes"].Digest() != images["zeros"].Digest() || images["holes"].Digest() == images["others"].Digest() {
		t.Error("the digest is not that of the bytes")
	}
}
