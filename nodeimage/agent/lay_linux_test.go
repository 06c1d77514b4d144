package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"squall/nodeimage/agent/protocol"
)

func TestLay(t *testing.T) {
	dir := t.TempDir()
	entries := []protocol.LayEntry{
		{Path: "wal", Dir: true, Perm: 0o500},
		{Path: "wal/0.log", Perm: 0o644, Size: 6000, Pieces: []protocol.LayPiece{{At: 0, Data: []byte("begin")}, {At: 4096, Data: []byte("middle")}}},
		{Path: "wal/0.log", Again: true, Pieces: []protocol.LayPiece{{At: 5997, Data: []byte("end")}}},
		{Path: "other", Same: "wal/0.log"},
		{Path: "empty", Perm: 0o400},
		{Path: "last", Target: "wal/0.log"},
	}
	if err := layIn(dir, entries); err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 6000)
	copy(want, "begin")
	copy(want[4096:], "middle")
	copy(want[5997:], "end")
	for _, name := range []string{"wal/0.log", "other", "last"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); string(got) != string(want) || err != nil {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	for name, mode := range map[string]os.FileMode{"wal": os.ModeDir | 0o700, "wal/0.log": 0o644, "empty": 0o600, "last": os.ModeSymlink} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode(); name != "last" && got != mode || got.Type() != mode.Type() {
			t.Errorf("%s is %v, want %v", name, got, mode)
		}
	}
}

// TestLayStaysInside: neither paths nor links that were laid lead out of the directory, and
// nothing is replaced.
func TestLayStaysInside(t *testing.T) {
	outside := t.TempDir()
	for name, entries := range map[string][]protocol.LayEntry{
		"a path":       {{Path: "../file"}},
		"a link":       {{Path: "out", Target: outside}, {Path: "out/file"}},
		"a further":    {{Path: "out", Same: "../../etc/passwd"}},
		"what exists":  {{Path: "file"}, {Path: "file"}},
		"what is none": {{Path: "file", Again: true}},
	} {
		if err := layIn(t.TempDir(), entries); err == nil {
			t.Errorf("%s: it was laid", name)
		}
	}
	if left, err := os.ReadDir(outside); len(left) > 0 || err != nil {
		t.Errorf("outside are %v, %v", left, err)
	}
}

func TestLayNeedsADirectory(t *testing.T) {
	if err := new(supervisor).lay(protocol.LayParams{}); err == nil || !strings.Contains(err.Error(), "has none") {
		t.Error(err)
	}
}
