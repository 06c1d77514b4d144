package orchestrator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestBoundedLog: a log keeps its beginning and its end, says what is missing, and
// takes no more room than it may, in pieces of any size.
func TestBoundedLog(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "log")
		told := 0
		l, err := newBoundedLog(path, func() { told++ })
		if err != nil {
			t.Fatal(err)
		}
		l.head, l.tail = 100, 40
		var all []byte
		for i := range rapid.IntRange(0, 60).Draw(t, "pieces") {
			piece := bytes.Repeat([]byte{byte('a' + i%26)}, rapid.IntRange(0, 90).Draw(t, "size"))
			all = append(all, piece...)
			if n, err := l.Write(piece); n != len(piece) || err != nil {
				t.Fatalf("wrote %d of %d: %v", n, len(piece), err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := string(all)
		if len(all) > 100 {
			want = string(all[:100]) + "\n[squall: the log is longer than 0 MiB; of what follows only the end is kept]\n"
			if left := len(all) - 140; left > 0 {
				want += fmt.Sprintf("[squall: %d bytes of log left out]\n", left)
			}
			want += string(all[max(100, len(all)-40):])
		}
		if string(text) != want || (told > 0) != (len(all) > 100) || told > 1 {
			t.Fatalf("of %d bytes the log is %q, want %q; told %d times", len(all), text, want, told)
		}
	})
}

// TestAFloodOfLogIsBounded: however much a server prints, the file stays small.
func TestAFloodOfLogIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := newBoundedLog(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.head = 1 << 20
	chunk := []byte(strings.Repeat("flood ", 10_000))
	for range 2000 { // 120 MB
		if _, err := l.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Write([]byte("the last words\n")); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 3<<20 || !bytes.HasSuffix(text, []byte("the last words\n")) {
		t.Errorf("%d bytes, ending %q", len(text), text[max(0, len(text)-40):])
	}
}

// TestAShortenedLogIsTold: in env.json, for the report, and once for each machine.
func TestAShortenedLogIsTold(t *testing.T) {
	r, _ := recordedRun(t)
	defer func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
		for _, log := range r.logs {
			if err := log.Close(); err != nil {
				t.Error(err)
			}
		}
	}()
	for _, machine := range []string{"n1", "n2", "n3"} {
		log, err := r.openLog(machine)
		if err != nil {
			t.Fatal(err)
		}
		log.head = 10
		for range map[string]int{"n1": 1, "n2": 0, "n3": 5}[machine] {
			if _, err := log.Write([]byte("more than ten bytes")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.env.write(r.dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(r.dir, EnvFile))
	var env environment
	if err != nil || json.Unmarshal(text, &env) != nil || !slices.Equal(env.LogsShortened, []string{"n1", "n3"}) {
		t.Errorf("%s, %v", text, err)
	}
}
