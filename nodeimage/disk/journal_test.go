package disk

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// anyOp draws an operation of any kind, which need not fit any tree.
func anyOp(t *rapid.T, at int64) Op {
	op := Op{Kind: Kind(rapid.IntRange(1, int(kinds)-1).Draw(t, "kind")), At: at}
	has := op.Kind.fields()
	number := rapid.Int64Range(0, MaxLength)
	name := rapid.StringMatching(`[^/\x00.]{1,40}`)
	if has&hasNode != 0 {
		op.Node = Ino(rapid.Int64Range(1, 1<<40).Draw(t, "node"))
	}
	if has&hasDir != 0 {
		op.Dir, op.Name = Ino(rapid.Int64Range(1, 1<<40).Draw(t, "dir")), name.Draw(t, "name")
	}
	if has&hasNew != 0 {
		op.NewDir, op.NewName = Ino(rapid.Int64Range(1, 9).Draw(t, "to")), name.Draw(t, "new name")
	}
	if has&hasTarget != 0 {
		op.Target = name.Draw(t, "target")
	}
	if has&hasMode != 0 {
		op.Mode = rapid.Uint32().Draw(t, "mode")
	}
	if has&hasOffset != 0 {
		op.Offset = number.Draw(t, "offset")
	}
	if has&hasLength != 0 {
		op.Length = number.Draw(t, "length")
	}
	if has&hasData != 0 {
		op.Data = rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "data")
	}
	if has&hasSynced != 0 {
		op.Synced = rapid.Bool().Draw(t, "synced")
	}
	if has&hasUpto != 0 {
		op.Upto = rapid.Uint64Range(0, 1<<62).Draw(t, "upto")
	}
	return op
}

func readAll(r io.Reader) (ops []Op, err error) {
	for j := NewReader(r); ; {
		op, err := j.Next()
		if err != nil {
			return ops, err
		}
		ops = append(ops, op)
	}
}

func write(t rapid.TB, ops []Op) []byte {
	var b bytes.Buffer
	w := NewWriter(&b)
	for i := range ops {
		if err := w.Write(&ops[i]); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func someOps(t *rapid.T) (ops []Op) {
	at := int64(0)
	for range rapid.IntRange(1, 20).Draw(t, "how many") {
		at += rapid.Int64Range(0, 1e12).Draw(t, "later")
		ops = append(ops, anyOp(t, at))
	}
	return ops
}

func TestAJournalIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := someOps(t)
		got, err := readAll(bytes.NewReader(write(t, ops)))
		if err != io.EOF {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ops, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestAJournalThatIsCutIsReadUpToThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := someOps(t)
		text := write(t, ops)
		at := rapid.IntRange(0, len(text)).Draw(t, "cut")
		got, err := readAll(bytes.NewReader(text[:at]))
		if err != io.EOF && !errors.Is(err, ErrCut) {
			t.Fatal(err)
		}
		if diff := cmp.Diff(append([]Op(nil), ops[:len(got)]...), got); diff != "" {
			t.Fatal(diff)
		}
		whole := write(t, ops[:len(got)])
		atTheHead := at == len(journalMagic) // nothing was done yet
		if (err == io.EOF) != (len(whole) == at || atTheHead) {
			t.Fatalf("cut at %d of %d, where %d operations take %d bytes: %v", at, len(text), len(got), len(whole), err)
		}
	})
}

func TestAJournalThatIsDamagedIsRefusedWithItsPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := someOps(t)
		text := write(t, ops)
		at := rapid.IntRange(0, len(text)-1).Draw(t, "where")
		text[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		got, err := readAll(bytes.NewReader(text))
		var bad *ReadError
		if !errors.As(err, &bad) {
			t.Fatalf("a flipped bit at byte %d was read: %v", at, err)
		}
		if len(got) > 0 && bad.Op != uint64(len(got))+1 || bad.Offset > int64(at) {
			t.Fatalf("%d operations were read and byte %d is damaged: %v", len(got), at, err)
		}
		if diff := cmp.Diff(append([]Op(nil), ops[:len(got)]...), got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestOperationsThatCannotBeAreNotWritten(t *testing.T) {
	for name, op := range map[string]Op{
		"no kind":       {},
		"a slash":       {Kind: Unlink, Dir: Root, Name: "a/b"},
		"the parent":    {Kind: Create, Node: 2, Dir: Root, Name: ".."},
		"no name":       {Kind: Mkdir, Node: 2, Dir: Root},
		"no node":       {Kind: Write},
		"beyond limits": {Kind: Truncate, Node: 2, Length: MaxLength + 1},
		"no target":     {Kind: Symlink, Node: 2, Dir: Root, Name: "a"},
	} {
		if err := NewWriter(io.Discard).Write(&op); err == nil {
			t.Errorf("%s: it was written", name)
		}
	}
	w := NewWriter(io.Discard)
	if err := w.Write(&Op{Kind: SyncAll, At: 2}); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(&Op{Kind: SyncAll, At: 1}); err == nil {
		t.Error("time went backwards")
	}
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte(journalMagic))
	f.Add(write(f, []Op{{Kind: Mount, At: 5}, {Kind: Create, At: 6, Node: 2, Dir: Root, Name: "a"},
		{Kind: Write, At: 7, Node: 2, Data: []byte("abc")}, {Kind: Sync, At: 8, Node: 2, Upto: 3}}))
	f.Fuzz(func(t *testing.T, text []byte) {
		ops, err := readAll(bytes.NewReader(text))
		if err != io.EOF {
			var bad *ReadError
			if !errors.As(err, &bad) {
				t.Fatal(err)
			}
		}
		m := NewModel(Options{Whole: true})
		for i := range ops {
			if ops[i].Length > 1<<20 || ops[i].Offset > 1<<20 || m.Apply(&ops[i]) != nil {
				return
			}
		}
		for _, how := range Hows() {
			c, _ := m.Choose(how, rng(1))
			img, err := m.Image(c)
			if err != nil {
				t.Fatal(err)
			}
			img.Digest()
		}
	})
}
