package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNothingIsInherited: a file that squall's caller has left open is open in
// neither the hub nor anything in a machine.
func TestNothingIsInherited(t *testing.T) {
	r := open(t)
	s := spec(t, "n1", "n2")
	secret := filepath.Join(t.TempDir(), "secret")
	fd, err := unix.Open(secret, unix.O_CREAT|unix.O_RDWR, 0o600) // without O_CLOEXEC, as a shell opens it
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	c, err := r.Up(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Down(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	own := fmt.Sprintf("/proc/%d/", os.Getpid())
	files, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	seen := false
	for _, file := range files {
		to, err := os.Readlink(file)
		switch {
		case err != nil || to != secret:
		case strings.HasPrefix(file, own):
			seen = true
		default:
			t.Errorf("%s is %s", file, to)
		}
	}
	if !seen {
		t.Error("not even this process has the file open, so nothing was tried")
	}
}
