//go:build unix

package files

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"squall/internal/machinetest"
)

func TestAPipeIsRefused(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	wantError(t, Check([]File{{Path: "/a", Source: pipe}}, "amd64"), "a named pipe: name a file")
}

func TestAFileOfOthersIsRefused(t *testing.T) {
	if os.Geteuid() == 0 {
		machinetest.Skip(t, "root may read every file")
	}
	wantError(t, Check([]File{{Path: "/a", Source: source(t, []byte("1"), 0)}}, "amd64"), "it cannot be read: permission denied: chmod +r ")
}
