package history

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"squall/history/historytest"
)

// bundles cuts a file of frames into its header, its numbered frames (each with
// its number) and its end.
func bundles(t *testing.T, data []byte) (header []byte, frames [][]byte, end []byte) {
	t.Helper()
	f, err := newFrameReader(bytes.NewReader(data))
	must(t, err)
	defer f.close()
	var all [][]byte
	for {
		f.frame = f.frame[:0]
		if _, err := f.readFrame(); err != nil {
			break
		}
		all = append(all, bytes.Clone(f.frame))
	}
	for i := 1; i+1 < len(all); i += 2 {
		frames = append(frames, slices.Concat(all[i], all[i+1]))
	}
	return all[0], frames, all[len(all)-1]
}

// closedFile is a history of twelve frames as Close leaves it, before packing.
func closedFile(t *testing.T, seed uint64) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), FileName)
	h := testHeader()
	h.Seed = seed
	rec, err := Create(path, h)
	must(t, err)
	for i := range 12 {
		must(t, rec.AppendLines(AppendOp(AppendOp(nil, writeOp(2*i), false), writeOp(2*i+1), false)))
	}
	rec.mu.Lock()
	must(t, rec.end())
	rec.mu.Unlock()
	data, err := os.ReadFile(path)
	must(t, err)
	must(t, rec.Close())
	return data
}

func load(t *testing.T, data []byte) (*History, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), FileName)
	must(t, os.WriteFile(path, data, 0o644))
	return Load(path)
}

// Every frame that is doubled, missing, swapped with another or of another
// history is noticed, whether its number comes along or not.
func TestFramesAreNumbered(t *testing.T) {
	data := closedFile(t, 7)
	header, frames, end := bundles(t, data)
	_, others, _ := bundles(t, closedFile(t, 8))
	if len(frames) != 12 || !bytes.Equal(slices.Concat(header, slices.Concat(frames...), end), data) {
		t.Fatalf("%d frames, and they do not make the file", len(frames))
	}
	if h, err := load(t, data); err != nil || len(h.Ops) != 24 || h.Info.Truncated != "" {
		t.Fatalf("the whole file: %v, %+v", err, h)
	}
	const number = skipHead + tagSize
	tries := 0
	try := func(name string, header []byte, frames [][]byte, end []byte) {
		t.Helper()
		tries++
		_, err := load(t, slices.Concat(header, slices.Concat(frames...), end))
		var damage *DamageError
		if !errors.As(err, &damage) || !strings.Contains(err.Error(), "is damaged: ") {
			t.Errorf("%s: error %v, want damage", name, err)
		}
	}
	for i := range frames {
		try(fmt.Sprint("doubled ", i), header, slices.Insert(slices.Clone(frames), i, frames[i]), end)
		try(fmt.Sprint("doubled without its number ", i), header, slices.Insert(slices.Clone(frames), i, frames[i][number:]), end)
		try(fmt.Sprint("missing ", i), header, slices.Delete(slices.Clone(frames), i, i+1), end)
		for what, part := range map[string][]byte{"frame": frames[i][:number], "number": frames[i][number:], "other": others[i]} {
			changed := slices.Clone(frames)
			changed[i] = part
			try(fmt.Sprint(what, " missing or of another history ", i), header, changed, end)
		}
		for k := range i {
			changed := slices.Clone(frames)
			changed[i], changed[k] = changed[k], changed[i]
			try(fmt.Sprint("swapped ", k, i), header, changed, end)
		}
	}
	try("doubled header", slices.Concat(header, header), frames, end)
	try("no header", nil, frames, end)
	try("doubled end", header, frames, slices.Concat(end, end))
	try("a frame after the end", header, append(slices.Clone(frames), end), frames[11])
	if tries < 140 {
		t.Errorf("only %d tries", tries)
	}
}

// A tail that is missing is noticed even where it is cut between two frames.
func TestAMissingTailIsNoticed(t *testing.T) {
	header, frames, end := bundles(t, closedFile(t, 7))
	for n := range len(frames) + 1 {
		h, err := load(t, slices.Concat(header, slices.Concat(frames[:n]...)))
		if err != nil || len(h.Ops) != 2*n || !strings.Contains(h.Info.Truncated, fmt.Sprintf("after frame %d is missing", n)) {
			t.Errorf("%d frames: %v, %+v", n, err, h)
		}
	}
	if h, err := load(t, slices.Concat(header, slices.Concat(frames...), end[:len(end)-1])); err != nil || h.Info.Truncated == "" {
		t.Errorf("a cut end: %v, %+v", err, h)
	}
}

// A frame that unpacks to more than any of ours is refused before it takes the
// memory, and so are a line and a file that do.
func TestFramesAreBounded(t *testing.T) {
	head := `{"format":"squall-history","version":1,"nodes":["n1"]}` + "\n"
	enc, err := newEncoder(1)
	must(t, err)
	defer enc.Close()
	bomb := enc.EncodeAll(bytes.Repeat([]byte(" "), 64<<20), nil)
	// The header of a frame may promise any size.
	promise := append(binary.LittleEndian.AppendUint32(nil, frameMagic), 0xe0)
	promise = append(binary.LittleEndian.AppendUint64(promise, 1<<40), 1, 0, 0)
	// A million frames of nothing much make a bomb of another kind.
	spaces := enc.EncodeAll(append(bytes.Repeat([]byte(" "), 1<<20-1), '\n'), nil)
	mark := []byte(`{"mark":"clock","t":1,"text":"` + strings.Repeat("x", 100<<10) + `"}` + "\n")
	marks := enc.EncodeAll(bytes.Repeat(mark, 4<<20/len(mark)), nil)
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"unpacks to 64 MiB", bomb, "unpacks to more than 8 MiB"},
		{"promises a terabyte", promise, "damaged: frame 1"},
		{"a long line", enc.EncodeAll(append(bytes.Repeat([]byte(" "), maxLine+1), '\n'), nil), "line is longer than 1 MiB"},
		{"a line of spaces", spaces, "not a line of a history"},
		{"many frames", bytes.Repeat(marks, 40), "unpacks to more than 256 times its size"},
		{"a skippable frame of 4 GiB", binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, skippableMagic), 1<<32-1), "longer than 9 MiB"},
	} {
		_, err := load(t, slices.Concat(historytest.Pack(t, []byte(head)), tt.data))
		var damage *DamageError
		if !errors.As(err, &damage) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want damage with %q", tt.name, err, tt.want)
		}
	}
}

// What is recorded in one go may be larger than a frame, and comes back.
func TestLongBatchesAreCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	rec, err := Create(path, testHeader())
	must(t, err)
	var lines []byte
	n := 0
	for ; len(lines) < 12<<20; n++ {
		op := *writeOp(n)
		op.In = Text(strings.Repeat("x", 1000) + fmt.Sprint(n))
		op.Process = int64(n)
		lines = AppendOp(lines, &op, false)
	}
	must(t, rec.AppendLines(lines))
	must(t, rec.Flush())
	if h, err := Load(path); err != nil || len(h.Ops) != n {
		t.Errorf("before packing: %v", err)
	}
	must(t, rec.Close())
	if h, err := Load(path); err != nil || len(h.Ops) != n || h.Info.Truncated != "" {
		t.Errorf("packed: %v", err)
	}
	long := *writeOp(1)
	long.In = Text(strings.Repeat("x", maxLine))
	rec, err = Create(path, testHeader())
	must(t, err)
	defer rec.Close()
	if err := rec.Append(Record{Op: &long}); !errors.Is(err, errLongLine) {
		t.Errorf("a record that is too long: %v", err)
	}
}
