package history

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"squall/history/historytest"
	"squall/internal/machinetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Main(m)) }

func testHeader() Header {
	return Header{Format: formatName, Version: FormatVersion, Squall: "test", Test: "t", System: "raftkv", Workload: "register",
		Functions: RegisterFunctions(), Nodes: []string{"n1", "n2", "n3"}, Seed: 7, Mono: 1000, Wall: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC), Numbered: true}
}

func writeOp(i int) *Op {
	return &Op{Process: int64(i % 10), Node: "n1", Func: Write, Key: fmt.Sprintf("r%d", i/300), In: Text(fmt.Sprint(i)),
		Outcome: OK, Call: int64(1000 + i*10), Return: int64(1000 + i*10 + 25)}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// readAll reads until Next fails, and returns that error unless it is io.EOF.
func readAll(t testing.TB, path string) ([]Record, *Reader, error) {
	t.Helper()
	r, err := Open(path)
	must(t, err)
	defer r.Close()
	var recs []Record
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return recs, r, nil
		}
		if err != nil {
			return recs, r, err
		}
		recs = append(recs, rec)
	}
}

func TestRecordAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	rec, err := Create(path, testHeader())
	must(t, err)
	must(t, rec.Append(Record{Mark: &Mark{Name: MarkLoadBegin, Time: 1000}}))
	// Operation 1 is under way while 2 completes; 3 never completes.
	op1, op2, op3 := writeOp(1), writeOp(2), writeOp(3)
	must(t, rec.AppendLines(AppendOp(AppendOp(AppendOp(nil, op1, true), op3, true), op2, false)))
	must(t, rec.Append(Record{Fault: &Fault{Name: "kill", ID: 1, Phase: Inject, Begin: 1100, End: 1200}}))
	must(t, rec.AppendLines(bytes.TrimSuffix(AppendOp(nil, op1, false), []byte("\n"))))
	must(t, rec.Append(Record{Node: &NodeEvent{Node: "n2", Boot: 1, Kind: EventStart, Time: 5000}}))
	want := *op3
	want.Outcome, want.Return, want.Error = Info, 5000, "still under way when the history ended"
	check := func(truncated string) {
		t.Helper()
		h, err := Load(path)
		must(t, err)
		if diff := cmp.Diff(testHeader(), h.Header); diff != "" {
			t.Errorf("header (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]Op{*op1, *op2, want}, h.Ops); diff != "" {
			t.Errorf("operations (-want +got):\n%s", diff)
		}
		if len(h.Faults) != 1 || len(h.Nodes) != 1 || len(h.Marks) != 1 {
			t.Errorf("got %d faults, %d node events, %d marks, want one of each", len(h.Faults), len(h.Nodes), len(h.Marks))
		}
		if h.Info.Records != 6 || !strings.HasPrefix(h.Info.Truncated, truncated) || (truncated == "") != (h.Info.Truncated == "") || h.Info.Bytes == 0 {
			t.Errorf("info: %+v", h.Info)
		}
	}
	must(t, rec.Flush())
	check("the file has no end") // what a killed process would leave
	must(t, rec.Close())
	check("") // packed
	must(t, rec.Close())
	if err := rec.Append(Record{Mark: &Mark{}}); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestBadLinesStayOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	rec, err := Create(path, testHeader())
	must(t, err)
	lines := AppendOp(nil, writeOp(1), false)
	lines = append(lines, "{\"op\":\"ok\"\n{\"mark\":\"done\",\"t\":1}\n"...)
	lines = AppendOp(lines, writeOp(2), false)
	err = rec.AppendLines(lines)
	if err == nil || !strings.Contains(err.Error(), "2 bad lines") || !strings.Contains(err.Error(), "line 2:") {
		t.Errorf("error: %v", err)
	}
	must(t, rec.Close())
	recs, _, err := readAll(t, path)
	must(t, err)
	if len(recs) != 2 || recs[0].Op == nil || recs[1].Op == nil {
		t.Errorf("records: %+v", recs)
	}
}

func TestBackgroundFlush(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	rec, err := Create(path, testHeader())
	must(t, err)
	defer rec.Close()
	must(t, rec.Append(Record{Op: writeOp(1)}))
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if recs, _, err := readAll(t, path); err == nil && len(recs) == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody called Flush, and the record never reached the file")
		}
	}
}

func TestConcurrentAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	rec, err := Create(path, testHeader())
	must(t, err)
	const workers, each = 8, 500
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				op := writeOp(w*each + i)
				var err error
				switch i % 3 {
				case 0:
					err = rec.Append(Record{Op: op})
				case 1:
					err = rec.AppendLines(AppendOp(nil, op, false))
				default:
					if err = rec.Flush(); err == nil {
						err = rec.Append(Record{Op: op})
					}
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	must(t, rec.Close())
	h, err := Load(path)
	must(t, err)
	if len(h.Ops) != workers*each {
		t.Fatalf("%d operations, want %d", len(h.Ops), workers*each)
	}
	for i := range h.Ops {
		if diff := cmp.Diff(*writeOp(i), h.Ops[i]); diff != "" {
			t.Fatalf("operation %d (-want +got):\n%s", i, diff)
		}
	}
}

// smallFile records a few operations, a frame each, and returns the file as a
// kill would leave it, with the offsets at which its frames end.
func smallFile(t *testing.T) (data []byte, ends []int64) {
	t.Helper()
	path := filepath.Join(t.TempDir(), FileName)
	rec, err := Create(path, testHeader())
	must(t, err)
	size := func() int64 {
		st, err := os.Stat(path)
		must(t, err)
		return st.Size()
	}
	ends = append(ends, size())
	for i := range 5 {
		rec.mu.Lock() // keep the background flush from splitting the frame
		rec.buf = AppendOp(AppendOp(rec.buf, writeOp(2*i), false), writeOp(2*i+1), false)
		err := rec.flush()
		rec.mu.Unlock()
		must(t, err)
		ends = append(ends, size())
	}
	data, err = os.ReadFile(path)
	must(t, err)
	must(t, rec.Close())
	return data, ends
}

func TestCutAtEveryByte(t *testing.T) {
	data, ends := smallFile(t)
	path := filepath.Join(t.TempDir(), "cut")
	for cut := range data {
		must(t, os.WriteFile(path, data[:cut], 0o644))
		if int64(cut) < ends[0] {
			if r, err := Open(path); err == nil {
				r.Close()
				t.Fatalf("cut at %d: opened without a header", cut)
			}
			continue
		}
		whole := 0 // frames after the header's that are whole
		for whole+1 < len(ends) && ends[whole+1] <= int64(cut) {
			whole++
		}
		recs, r, err := readAll(t, path)
		if err != nil || len(recs) != 2*whole {
			t.Fatalf("cut at %d: %d records, want %d; error %v", cut, len(recs), 2*whole, err)
		}
		if want := fmt.Sprintf("up to byte %d,", ends[whole]); !strings.Contains(r.Truncated(), want) {
			t.Fatalf("cut at %d: Truncated() = %q, want it to say %q", cut, r.Truncated(), want)
		}
	}
}

func TestDamageAtEveryByte(t *testing.T) {
	data, ends := smallFile(t)
	path := filepath.Join(t.TempDir(), "damaged")
	const frame = 2 // damage the third frame; two more follow it
	from, to := ends[frame-1], ends[frame]
	for at := from; at < to; at++ {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			bad := bytes.Clone(data)
			bad[at] ^= flip
			must(t, os.WriteFile(path, bad, 0o644))
			recs, _, err := readAll(t, path)
			if err == nil {
				// The frame header has bits without a meaning; then nothing is lost.
				if len(recs) == 2*(len(ends)-1) {
					continue
				}
				t.Fatalf("byte %d ^ %#x: %d records and no error", at, flip, len(recs))
			}
			if len(recs) != 2*(frame-1) {
				t.Errorf("byte %d ^ %#x: %d records before the damage, want %d", at, flip, len(recs), 2*(frame-1))
			}
			if want := fmt.Sprintf("at byte %d:", from); !strings.Contains(err.Error(), want) {
				t.Errorf("byte %d ^ %#x: error %q does not say %q", at, flip, err, want)
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	enc, err := newEncoder(1)
	must(t, err)
	defer enc.Close()
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "the file is empty"},
		{"text", []byte("hello, this is no history"), "no zstd frame begins here"},
		{"other JSON", enc.EncodeAll([]byte("{}\n"), nil), "not a history"},
		{"no line", enc.EncodeAll([]byte("{}"), nil), "no complete line"},
		{"later version", enc.EncodeAll([]byte(`{"format":"squall-history","version":99}`+"\n"), nil), "format version 99"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), FileName)
			must(t, os.WriteFile(path, tt.data, 0o644))
			_, err := Open(path)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	var version *VersionError
	if _, err := Open(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, os.ErrNotExist) || errors.As(err, &version) {
		t.Errorf("absent file: %v", err)
	}
}

func TestSkippableAndEmptyFrames(t *testing.T) {
	// Frames without numbers, as others' tools write them.
	header := `{"format":"squall-history","version":2,"functions":[{"name":"write","text":"write"}],"nodes":["n1"]}` + "\n"
	ops := string(AppendOp(AppendOp(nil, writeOp(1), false), writeOp(2), false))
	var out []byte
	out = append(out, historytest.Pack(t, []byte(header))...)
	out = append(out, 0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 'a', 'b', 'c')
	out = append(out, 0x28, 0xB5, 0x2F, 0xFD, 0x20, 0, 1, 0, 0) // a frame with nothing in it
	out = append(out, historytest.Pack(t, []byte(ops))...)
	path := filepath.Join(t.TempDir(), FileName)
	must(t, os.WriteFile(path, out, 0o644))
	recs, r, err := readAll(t, path)
	if err != nil || len(recs) != 2 || r.Truncated() != "" {
		t.Errorf("%d records, want 2; error %v, truncated %q", len(recs), err, r.Truncated())
	}
}

// Whoever looks finds no history, or one that can be read: so it is too when
// its process is killed while it begins one.
func TestAHistoryIsThereWithItsHeader(t *testing.T) {
	for range 100 {
		path := filepath.Join(t.TempDir(), FileName)
		looks, found := make(chan struct{}), make(chan error, 1)
		go func() {
			close(looks)
			for {
				r, err := Open(path)
				if err == nil {
					err = r.Close()
				}
				if !errors.Is(err, fs.ErrNotExist) {
					found <- err
					return
				}
			}
		}()
		<-looks
		rec, err := Create(path, testHeader())
		must(t, err)
		must(t, <-found)
		must(t, rec.Close())
	}
}
