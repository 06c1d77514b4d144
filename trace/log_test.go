package trace

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

func fd(f *os.File) string { return strconv.Itoa(int(f.Fd())) }

// testLog is a log of which entries up to gone are not to be had any more.
type testLog struct {
	entries []Entry // of index 1 on
	gone    uint64
	reads   int
}

func newTestLog(n int) *testLog {
	l := &testLog{}
	for i := range n {
		l.entries = append(l.entries, Entry{Term: uint64(1 + i/100), Kind: uint64(i % 3), Content: fmt.Appendf(nil, "entry %d", i)})
	}
	return l
}

func (l *testLog) read(i uint64) (Entry, error) {
	l.reads++
	if i <= l.gone || i > uint64(len(l.entries)) {
		return Entry{}, errors.New("gone")
	}
	return l.entries[i-1], nil
}

// hashes are those that a node reports which commits in batches of up to batch entries.
func hashes(l *testLog, from uint64, batch int, seed uint64) map[uint64]uint64 {
	rng := rand.New(rand.NewPCG(seed, 0))
	var log Log
	found := map[uint64]uint64{}
	for last := uint64(len(l.entries)); from <= last; {
		to := min(last, from+uint64(rng.IntN(batch)))
		for _, e := range log.Committed(nil, 9, from, to, l.read) {
			found[e.Index] = e.Hash
		}
		from = to + 1
	}
	return found
}

func agree(t *testing.T, a, b map[uint64]uint64) (compared int, differ []uint64) {
	t.Helper()
	for i, h := range a {
		if o, ok := b[i]; ok && h != 0 && o != 0 {
			compared++
			if o != h {
				differ = append(differ, i)
			}
		}
	}
	return compared, differ
}

func TestBatchesDoNotMatter(t *testing.T) {
	l := newTestLog(1000)
	one := hashes(l, 1, 1, 0)
	if len(one) != 1000 {
		t.Fatalf("%d reports of 1000 single entries", len(one))
	}
	for seed := range uint64(20) {
		got := hashes(l, 1, 150, seed)
		for i := uint64(Every); i <= 1000; i += Every {
			if got[i] == 0 {
				t.Errorf("seed %d: no report at %d", seed, i)
			}
		}
		if n, bad := agree(t, one, got); n != len(got) || bad != nil {
			t.Errorf("seed %d: %d of %d compared, %v differ", seed, n, len(got), bad)
		}
	}
}

// TestEveryDifferenceIsSeen changes one entry anywhere.
func TestEveryDifferenceIsSeen(t *testing.T) {
	l := newTestLog(400)
	right := hashes(l, 1, 50, 1)
	changes := map[string]func(*Entry){
		"content": func(e *Entry) { e.Content = append([]byte{}, e.Content...); e.Content[0] ^= 1 },
		"term":    func(e *Entry) { e.Term++ },
		"kind":    func(e *Entry) { e.Kind++ },
	}
	for name, change := range changes {
		for i := range 384 { // the last block that every node reports
			other := newTestLog(400)
			change(&other.entries[i])
			_, bad := agree(t, right, hashes(other, 1, 50, 2))
			block := uint64(i)/Every + 1
			for _, b := range bad {
				if (b-1)/Every+1 != block {
					t.Errorf("%s of entry %d: a hash of another block differs, at %d", name, i+1, b)
				}
			}
			if len(bad) == 0 {
				t.Errorf("%s of entry %d: no hash differs", name, i+1)
			}
		}
	}
	swapped := newTestLog(400)
	swapped.entries[10].Content, swapped.entries[11].Content = swapped.entries[11].Content, swapped.entries[10].Content
	if _, bad := agree(t, right, hashes(swapped, 1, 50, 3)); len(bad) == 0 {
		t.Error("two entries swapped: no hash differs")
	}
}

func TestANodeThatContinuesReadsWhatItNeeds(t *testing.T) {
	l := newTestLog(400)
	right := hashes(l, 1, 1, 0)
	for from := uint64(2); from <= 300; from += 7 {
		got := hashes(l, from, 1, 0)
		if n, bad := agree(t, right, got); n != 400-int(from)+1 || bad != nil {
			t.Errorf("from %d: %d compared, %v differ", from, n, bad)
		}
		short := newTestLog(400)
		short.gone = from - 1
		got = hashes(short, from, 1, 0)
		known := (from-2)/Every*Every + Every + 1 // the first of the next block
		if from%Every == 1 {
			known = from
		}
		if n, bad := agree(t, right, got); n != 400-int(known)+1 || bad != nil || len(got) != 400-int(from)+1 {
			t.Errorf("from %d behind a snapshot: %d of %d reports compared, want those from %d; %v differ", from, n, len(got), known, bad)
		}
		if short.reads > 2*400 {
			t.Errorf("from %d behind a snapshot: %d reads", from, short.reads)
		}
	}
}

func TestSumDependsOnPartsAndBytes(t *testing.T) {
	seen := map[uint64]string{}
	for _, parts := range [][][]byte{nil, {nil}, {nil, nil}, {[]byte("a")}, {[]byte("a"), nil}, {nil, []byte("a")}, {[]byte("ab")},
		{[]byte("a"), []byte("b")}, {[]byte("12345678")}, {[]byte("12345678\x00")}, {make([]byte, 8)}, {make([]byte, 9)}, {make([]byte, 16)}} {
		h, text := Sum(parts...), fmt.Sprintf("%q", parts)
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s have the same sum", text, other)
		}
		seen[h] = text
	}
}
