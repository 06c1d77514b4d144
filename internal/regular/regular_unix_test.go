//go:build unix

package regular

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestNothingButRegularFiles: none of these opens waits, or the test would not end.
func TestNothingButRegularFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(syscall.Mkfifo(at("pipe"), 0o600))
	must(os.Mkdir(at("folder"), 0o700))
	must(os.Symlink("loop", at("loop")))
	must(os.Symlink("pipe", at("to-pipe")))
	must(os.Symlink("/dev/zero", at("to-device")))
	must(os.WriteFile(at("file"), []byte("text"), 0o600))
	must(os.Symlink("file", at("to-file")))
	t.Chdir(dir) // the path of a socket has 100 bytes at most
	socket, err := net.Listen("unix", "socket")
	must(err)
	defer socket.Close()
	root, err := os.OpenRoot(dir)
	must(err)
	defer root.Close()

	for name, says := range map[string]string{"pipe": "a named pipe", "folder": "a folder", "to-pipe": "a named pipe", "to-device": "a device",
		"socket": "a socket", "loop": "", "absent": ""} {
		_, err := ReadFile(at(name), 100)
		if err == nil || says != "" && (!errors.Is(err, Err) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), name)) {
			t.Errorf("ReadFile %s: %v, want %q", name, err, says)
		}
		if f, err := OpenIn(root, name); err == nil {
			f.Close()
			t.Errorf("OpenIn %s opened it", name)
		}
	}
	for _, name := range []string{"file", "to-file"} {
		if text, err := ReadFile(at(name), 4); err != nil || string(text) != "text" {
			t.Errorf("ReadFile %s: %q, %v", name, text, err)
		}
		f, err := OpenIn(root, name)
		must(err)
		must(f.Close())
	}
	if _, err := ReadFile(at("file"), 3); !errors.Is(err, ErrTooLong) {
		t.Errorf("a file over its bound: %v", err)
	}
}

// TestSwappedBetween: a name that becomes a pipe after it was looked at.
func TestSwappedBetween(t *testing.T) {
	path := filepath.Join(t.TempDir(), "name")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stat := func(name string) (os.FileInfo, error) {
		info, err := os.Stat(name)
		return info, errors.Join(err, os.Remove(name), syscall.Mkfifo(name, 0o600))
	}
	if _, err := open(path, stat, os.OpenFile); !errors.Is(err, Err) {
		t.Errorf("opened what had become a pipe: %v", err)
	}
}
