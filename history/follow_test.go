package history

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A history that grows by any number of bytes gives the same records as a whole
// one, each once.
func TestFollowerTakesEveryRecordOnce(t *testing.T) {
	whole := filepath.Join(t.TempDir(), FileName)
	r, err := Create(whole, Header{Test: "grows", Nodes: []string{"n1"}, Functions: RegisterFunctions()})
	if err != nil {
		t.Fatal(err)
	}
	const ops = 500
	for i := range int64(ops) {
		op := Op{Process: i, Node: "n1", Func: Write, Key: "k", In: Text(fmt.Sprint(i)), Outcome: OK, Call: i, Return: i + 1}
		if err := r.Append(Record{Op: &op}); err != nil {
			t.Fatal(err)
		}
		if i%50 == 0 {
			if err := r.Append(Record{Mark: &Mark{Name: MarkMissed, Time: i}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(whole) // in many frames: it is packed at Close only
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, step := range []int{1, 7, 100, len(text)} {
		got, header := follow(t, text, step)
		if want := ops + ops/50; len(got) != want || header.Test != "grows" {
			t.Errorf("by %d bytes: %d records of %q, want %d of \"grows\"", step, len(got), header.Test, want)
		}
		next := int64(0)
		for _, rec := range got {
			if rec.Op == nil {
				continue
			}
			if rec.Op.Process != next {
				t.Fatalf("by %d bytes: operation %d came in place of %d", step, rec.Op.Process, next)
			}
			next++
		}
	}
}

// follow has a file grow by step bytes between one Poll and the next.
func follow(t *testing.T, text []byte, step int) (got []Record, h Header) {
	t.Helper()
	path := filepath.Join(t.TempDir(), FileName)
	grown, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer grown.Close()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Follow(in)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for at := 0; at < len(text); at += step {
		if _, err := grown.Write(text[at:min(len(text), at+step)]); err != nil {
			t.Fatal(err)
		}
		for more := true; more; {
			if more, err = f.Poll(time.Second, func(rec Record, open bool) {
				if !open {
					got = append(got, rec)
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if f.Bytes() != int64(len(text)) {
		t.Errorf("read up to byte %d of %d", f.Bytes(), len(text))
	}
	h, _ = f.Header()
	return got, h
}

// With no time at all it still gets on, a little at a time.
func TestFollowerKeepsItsBudget(t *testing.T) {
	var text []byte
	path := filepath.Join(t.TempDir(), FileName)
	r, err := Create(path, Header{Nodes: []string{"n1"}, Functions: RegisterFunctions()})
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(2000) {
		text = AppendOp(text, &Op{Process: i, Node: "n1", Func: Read, Key: "k", Out: Null, Outcome: OK, Call: i, Return: i}, false)
	}
	if err := r.AppendLines(text); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Follow(in)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, polls := 0, 0
	for more := true; more; polls++ {
		if more, err = f.Poll(0, func(Record, bool) { records++ }); err != nil {
			t.Fatal(err)
		}
		if polls > 2000 {
			t.Fatalf("it came no further than %d records", records)
		}
	}
	if records != 2000 || polls < 3 {
		t.Errorf("%d records in %d polls, want 2000 in several", records, polls)
	}
}

func TestFollowerSaysWhatIsDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	if err := os.WriteFile(path, []byte("this is no history"), 0o644); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Follow(in)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 2 { // and keeps to it
		if _, err := f.Poll(time.Second, func(Record, bool) {}); err == nil {
			t.Error("no error")
		}
	}
}

func TestHoldIsSeenUntilItsRelease(t *testing.T) {
	dir := t.TempDir()
	release, err := Hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	look := func() bool {
		f, err := os.Open(filepath.Join(dir, HoldName))
		if err != nil {
			return false
		}
		defer f.Close()
		return Held(f)
	}
	if !look() || !look() {
		t.Error("a run that goes on is not seen")
	}
	release()
	if look() {
		t.Error("the run is over and still held")
	}
	// A killed run leaves the file without the lock.
	if err := os.WriteFile(filepath.Join(dir, HoldName), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if look() {
		t.Error("a file that nobody holds is taken for a run")
	}
}
