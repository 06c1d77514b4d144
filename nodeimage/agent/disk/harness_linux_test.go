package disk

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"squall/internal/machinetest"
	"squall/nodeimage/agent/protocol"
)

// TestMain also is the file system that the tests mount: a process must not serve itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "disk" {
		if err := Serve(os.Args[2:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(machinetest.Main(m).Run())
}

// mounted is a file system on a directory.
type mounted struct {
	t    testing.TB
	data string // the directory
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	id   uint64

	began protocol.DiskStatus
	over  bool
}

// onto mounts the file system on a directory until the end of the test.
func onto(t testing.TB, data string, journal int64) *mounted {
	t.Helper()
	if err := Prepare(data); err != nil {
		t.Fatal(err)
	}
	device, folder, err := Mount(data)
	if err != nil {
		machinetest.Missing(t, fmt.Sprintf("a FUSE file system cannot be mounted: %v", err))
	}
	defer device.Close()
	defer folder.Close()
	m := &mounted{t: t, data: data}
	m.cmd = exec.Command("/proc/self/exe", append([]string{"disk"}, Args(fmt.Sprintf("/proc/self/fd/%d", FolderFD), os.Getuid(), journal)...)...)
	m.cmd.ExtraFiles = []*os.File{DeviceFD - 3: device, FolderFD - 3: folder}
	m.cmd.Stderr = os.Stderr
	in, err := m.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	m.in, m.out = in, bufio.NewScanner(out)
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.end)
	first := m.answer()
	if first.Error != "" {
		t.Fatal(first.Error)
	}
	m.began = *first.Status
	return m
}

// end kills the file system, as the end of the machine does, and unmounts what is left.
func (m *mounted) end() {
	if m.over {
		return
	}
	m.over = true
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait()
	if err := unix.Unmount(m.data, unix.MNT_DETACH); err != nil {
		m.t.Errorf("unmounting: %v", err)
	}
}

func (m *mounted) answer() (a Answer) {
	m.t.Helper()
	if !m.out.Scan() {
		m.t.Fatalf("the file system has gone: %v", m.out.Err())
	}
	if err := json.Unmarshal(m.out.Bytes(), &a); err != nil {
		m.t.Fatal(err)
	}
	return a
}

func (m *mounted) try(c Call) Answer {
	m.t.Helper()
	m.id++
	c.ID = m.id
	if err := json.NewEncoder(m.in).Encode(c); err != nil {
		m.t.Fatal(err)
	}
	a := m.answer()
	if a.ID != c.ID {
		m.t.Fatalf("answer %d to call %d", a.ID, c.ID)
	}
	return a
}

func (m *mounted) call(c Call) Answer {
	m.t.Helper()
	a := m.try(c)
	if a.Error != "" {
		m.t.Fatal(a.Error)
	}
	return a
}

func (m *mounted) status() protocol.DiskStatus {
	m.t.Helper()
	return *m.call(Call{}).Status
}

// at is a path in the directory.
func (m *mounted) at(name string) string { return filepath.Join(m.data, name) }

// below is a path in the folder of the file system. Only once it has ended is it to be seen.
func (m *mounted) below(name string) string { return filepath.Join(m.data, Folder, name) }

// reads waits until a file has these bytes there: the kernel is told to forget its pages meanwhile.
func (m *mounted) reads(name string, at int, want []byte) {
	m.t.Helper()
	for until := time.Now().Add(time.Minute); ; {
		all, err := os.ReadFile(m.at(name))
		must(m.t, err)
		if len(all) >= at+len(want) && bytes.Equal(all[at:at+len(want)], want) {
			return
		}
		if time.Now().After(until) {
			m.t.Fatalf("%s has %.40q at %d, want %.40q", name, all[min(at, len(all)):], at, want)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
