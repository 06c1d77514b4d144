package disk

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"squall/internal/machinetest"
	"squall/nodeimage/disk"

	"squall/nodeimage/agent/protocol"
)

// What servers do to files in other ways than by write and sync, and what a cut leaves of it.

// cutTo cuts the disk and gives what is left in the tree.
func (m *mounted) cutTo(how disk.How) protocol.DiskLoss {
	m.t.Helper()
	lost := *m.call(Call{Cut: &protocol.DiskCut{How: string(how)}}).Lost
	m.end()
	return lost
}

// TestMappedMemoryIsSyncedByMsync: what a server writes by mmap, as bbolt and LMDB may, is durable once it was synced by msync, and lost
// before.
func TestMappedMemoryIsSyncedByMsync(t *testing.T) {
	m := onto(t, t.TempDir(), 0)
	f, err := os.Create(m.at("a"))
	must(t, err)
	defer f.Close()
	must(t, f.Truncate(8192))
	m.call(Call{Settle: true})
	pages, err := unix.Mmap(int(f.Fd()), 0, 8192, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(t, err)
	copy(pages, "synced")
	must(t, unix.Msync(pages, unix.MS_SYNC))
	copy(pages[4096:], "not synced")
	must(t, unix.Munmap(pages))
	m.cutTo(disk.SyncedOnly)
	got, err := os.ReadFile(m.below("tree/a"))
	if err != nil || !bytes.HasPrefix(got, []byte("synced")) || bytes.Contains(got, []byte("not synced")) || len(got) != 8192 {
		t.Errorf("%d bytes, %.40q, %v", len(got), got, err)
	}
}

// TestDirectWritesAreNotDurable: O_DIRECT goes past the cache, and not past the disk's.
func TestDirectWritesAreNotDurable(t *testing.T) {
	m := onto(t, t.TempDir(), 0)
	fd, err := unix.Open(m.at("a"), unix.O_RDWR|unix.O_CREAT|unix.O_DIRECT, 0o644)
	must(t, err)
	defer unix.Close(fd)
	m.call(Call{Settle: true})
	buf := make([]byte, 2*blockBytes)
	block := buf[blockBytes-int(uintptr(unsafe.Pointer(&buf[0]))%blockBytes):][:blockBytes]
	copy(block, bytes.Repeat([]byte("d"), blockBytes))
	for i, sync := range []bool{true, false} {
		if _, err := unix.Pwrite(fd, block, int64(i)*blockBytes); err != nil {
			t.Fatal(err)
		}
		if sync {
			must(t, unix.Fdatasync(fd))
		}
	}
	lost := m.cutTo(disk.SyncedOnly)
	if got, err := os.ReadFile(m.below("tree/a")); err != nil || len(got) != blockBytes || lost.Writes != 1 {
		t.Errorf("%d bytes, %v; lost %+v", len(got), err, lost)
	}
}

// TestALinkIsANameToSync: a further name of a file is lost with the directory that was not synced, and the file stays.
func TestALinkIsANameToSync(t *testing.T) {
	m := onto(t, t.TempDir(), 0)
	must(t, os.WriteFile(m.at("a"), []byte("one"), 0o644))
	m.call(Call{Settle: true})
	must(t, os.Link(m.at("a"), m.at("b")))
	must(t, os.Remove(m.at("a")))
	m.cutTo(disk.SyncedOnly)
	if got, err := os.ReadFile(m.below("tree/a")); err != nil || string(got) != "one" {
		t.Errorf("the name that was synced: %q, %v", got, err)
	}
	if _, err := os.Stat(m.below("tree/b")); !os.IsNotExist(err) {
		t.Errorf("the name that was not: %v", err)
	}
}

// TestAllocatedRoomIsLost: fallocate makes a file longer, and that length has to be synced like another.
func TestAllocatedRoomIsLost(t *testing.T) {
	m := onto(t, t.TempDir(), 0)
	must(t, os.WriteFile(m.at("a"), []byte("one"), 0o644))
	m.call(Call{Settle: true})
	f, err := os.OpenFile(m.at("a"), os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	must(t, unix.Fallocate(int(f.Fd()), 0, 0, 1<<20))
	if lost := m.cutTo(disk.SyncedOnly); lost.Files != 1 {
		t.Errorf("lost %+v", lost)
	}
	if info, err := os.Stat(m.below("tree/a")); err != nil || info.Size() != 3 {
		t.Errorf("%v, %v", info.Size(), err)
	}
}

// TestALargeDirectory: 2 GB of data are mounted, changed and cut without being held in memory.
func TestALargeDirectory(t *testing.T) {
	machinetest.NeedWhole(t, "it writes 2 GB; what is held grows with what is pending, which TestWhatIsPendingIsBounded looks at")
	const files, size = 8, 256 << 20
	dir := t.TempDir()
	must(t, Prepare(dir))
	must(t, makeFolders(filepath.Join(dir, Folder))) // what an earlier life has left
	chunk := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for i := range files {
		f, err := os.Create(filepath.Join(dir, Folder, treeDir, fmt.Sprintf("large-%d", i)))
		must(t, err)
		for range size / len(chunk) {
			_, err := f.Write(chunk)
			must(t, err)
		}
		must(t, f.Close())
	}
	m := onto(t, dir, 0)
	if m.status().Memory > 1<<20 {
		t.Errorf("%d bytes are held of what is synced", m.status().Memory)
	}
	for i := range files {
		f, err := os.OpenFile(m.at(fmt.Sprintf("large-%d", i)), os.O_RDWR, 0)
		must(t, err)
		_, err = f.WriteAt([]byte("synced"), size/2)
		must(t, err)
		must(t, f.Sync())
		_, err = f.WriteAt([]byte("not synced"), size/3)
		must(t, err)
		must(t, f.Close())
	}
	if st := m.status(); st.Memory > 1<<20 || st.PendingWrites != files || st.Broken != "" {
		t.Errorf("%+v", st)
	}
	if lost := m.cutTo(disk.SyncedOnly); lost.Writes != files || lost.Bytes != files*10 {
		t.Errorf("lost %+v", lost)
	}
	again := onto(t, dir, 0)
	if r := again.began.Restored; r == nil || r.Wrong != "" || r.Files != files {
		t.Errorf("restored: %+v", r)
	}
	for i := range files {
		f, err := os.Open(again.at(fmt.Sprintf("large-%d", i)))
		must(t, err)
		got := make([]byte, 10)
		for at, want := range map[int64]string{size / 2: "synced6789", size / 3: string(chunk[size/3%16:][:10])} {
			if _, err := f.ReadAt(got, at); err != nil || string(got) != want {
				t.Errorf("file %d at %d: %q, want %q, %v", i, at, got, want, err)
			}
		}
		f.Close()
	}
}
