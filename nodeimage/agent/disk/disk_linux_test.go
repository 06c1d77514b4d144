package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"squall/nodeimage/agent/protocol"
	"squall/nodeimage/disk"
)

// TestFileSystem does what servers do to files.
func TestFileSystem(t *testing.T) {
	m := onto(t, t.TempDir(), 0)
	for name, do := range map[string]func(t *testing.T, dir string){
		"a file that is removed while it is open": removedWhileOpen,
		"shared memory of a file":                 sharedMemory,
		"reads and writes past the cache":         direct,
		"hard links":                              hardLinks,
		"symbolic links":                          symbolicLinks,
		"fallocate":                               allocation,
		"locks":                                   locks,
		"locks of a process":                      recordLocks,
		"names that are replaced and exchanged":   replaced,
		"many names in a directory":               manyNames,
		"what is not supported":                   unsupported,
	} {
		t.Run(name, func(t *testing.T) {
			dir := m.at(strings.ReplaceAll(name, " ", "-"))
			must(t, os.Mkdir(dir, 0o755))
			do(t, dir)
		})
	}
	if st := m.status(); st.Broken != "" {
		t.Error(st.Broken)
	}
}

func removedWhileOpen(t *testing.T, dir string) {
	f, err := os.Create(dir + "/a")
	must(t, err)
	defer f.Close()
	_, err = f.WriteString("before")
	must(t, err)
	must(t, os.Remove(dir+"/a"))
	must(t, os.WriteFile(dir+"/a", []byte("another"), 0o644))
	_, err = f.WriteAt([]byte(" after"), 6)
	must(t, err)
	must(t, f.Sync())
	got := make([]byte, 12)
	if _, err := f.ReadAt(got, 0); err != nil || string(got) != "before after" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := os.ReadFile(dir + "/a"); err != nil || string(got) != "another" {
		t.Errorf("%q, %v", got, err)
	}
}

func sharedMemory(t *testing.T, dir string) {
	f, err := os.Create(dir + "/a")
	must(t, err)
	defer f.Close()
	must(t, f.Truncate(8192))
	pages, err := unix.Mmap(int(f.Fd()), 0, 8192, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(t, err)
	copy(pages[4096:], "in memory")
	must(t, unix.Msync(pages, unix.MS_SYNC))
	got := make([]byte, 9)
	if _, err := f.ReadAt(got, 4096); err != nil || string(got) != "in memory" {
		t.Errorf("%q, %v", got, err)
	}
	_, err = f.WriteAt([]byte("by write"), 0)
	must(t, err)
	if string(pages[:8]) != "by write" {
		t.Errorf("%q in memory", pages[:8])
	}
	must(t, unix.Munmap(pages))
}

func direct(t *testing.T, dir string) {
	fd, err := unix.Open(dir+"/a", unix.O_RDWR|unix.O_CREAT|unix.O_DIRECT, 0o644)
	must(t, err)
	defer unix.Close(fd)
	buf := make([]byte, 3*4096)
	skip := 4096 - int(uintptr(unsafe.Pointer(&buf[0]))%4096)
	block := buf[skip : skip+4096]
	copy(block, bytes.Repeat([]byte("d"), 4096))
	if n, err := unix.Pwrite(fd, block, 4096); n != 4096 || err != nil {
		t.Fatal(n, err)
	}
	clear(block)
	if n, err := unix.Pread(fd, block, 4096); n != 4096 || err != nil || block[77] != 'd' {
		t.Fatal(n, err)
	}
}

func hardLinks(t *testing.T, dir string) {
	must(t, os.WriteFile(dir+"/a", []byte("one"), 0o644))
	must(t, os.Link(dir+"/a", dir+"/b"))
	must(t, os.WriteFile(dir+"/b", []byte("two"), 0o644))
	must(t, os.Remove(dir+"/a"))
	got, err := os.ReadFile(dir + "/b")
	must(t, err)
	var st unix.Stat_t
	must(t, unix.Stat(dir+"/b", &st))
	if string(got) != "two" || st.Nlink != 1 {
		t.Errorf("%q, %d links", got, st.Nlink)
	}
}

func symbolicLinks(t *testing.T, dir string) {
	must(t, os.WriteFile(dir+"/a", []byte("one"), 0o644))
	must(t, os.Symlink("a", dir+"/b"))
	got, err := os.ReadFile(dir + "/b")
	must(t, err)
	if target, err := os.Readlink(dir + "/b"); target != "a" || err != nil || string(got) != "one" {
		t.Errorf("%q, %q, %v", target, got, err)
	}
}

func allocation(t *testing.T, dir string) {
	f, err := os.Create(dir + "/a")
	must(t, err)
	defer f.Close()
	_, err = f.Write(bytes.Repeat([]byte("x"), 100))
	must(t, err)
	for _, step := range []struct {
		mode uint32
		size int64
	}{{0, 200}, {unix.FALLOC_FL_KEEP_SIZE, 200}, {unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE, 200}} {
		if err := unix.Fallocate(int(f.Fd()), step.mode, 50, 150); err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
			t.Fatal(step.mode, err)
		}
		if info, err := f.Stat(); err != nil || info.Size() != step.size {
			t.Fatalf("mode %d: %v, %v", step.mode, info.Size(), err)
		}
	}
	if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_COLLAPSE_RANGE, 0, 4096); !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EINVAL) {
		t.Errorf("bytes were moved: %v", err)
	}
}

func locks(t *testing.T, dir string) {
	a, err := os.Create(dir + "/a")
	must(t, err)
	defer a.Close()
	b, err := os.Open(dir + "/a")
	must(t, err)
	defer b.Close()
	must(t, unix.Flock(int(a.Fd()), unix.LOCK_EX|unix.LOCK_NB))
	if err := unix.Flock(int(b.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("locked twice: %v", err)
	}
}

// recordLocks are those of bytes of a file (fcntl), by which SQLite and LMDB keep other processes out: open file descriptions stand for
// processes here.
func recordLocks(t *testing.T, dir string) {
	a, err := os.Create(dir + "/a")
	must(t, err)
	defer a.Close()
	b, err := os.OpenFile(dir+"/a", os.O_RDWR, 0)
	must(t, err)
	defer b.Close()
	lock := func(f *os.File, from int64) error {
		return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: from, Len: 10})
	}
	must(t, lock(a, 0))
	if err := lock(b, 5); !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) {
		t.Errorf("locked twice: %v", err)
	}
	must(t, lock(b, 10))
}

func replaced(t *testing.T, dir string) {
	for _, name := range []string{"a", "b"} {
		must(t, os.WriteFile(dir+"/"+name, []byte(name), 0o644))
	}
	must(t, unix.Renameat2(unix.AT_FDCWD, dir+"/a", unix.AT_FDCWD, dir+"/b", unix.RENAME_EXCHANGE))
	if err := unix.Renameat2(unix.AT_FDCWD, dir+"/a", unix.AT_FDCWD, dir+"/b", unix.RENAME_NOREPLACE); !errors.Is(err, unix.EEXIST) {
		t.Error(err)
	}
	must(t, os.Rename(dir+"/a", dir+"/b"))
	got, err := os.ReadFile(dir + "/b")
	if err != nil || string(got) != "b" {
		t.Errorf("%q, %v", got, err)
	}
	for _, name := range []string{"c", "d", "d/e"} {
		must(t, os.Mkdir(dir+"/"+name, 0o755))
	}
	if err := unix.Rename(dir+"/c", dir+"/d"); !errors.Is(err, unix.ENOTEMPTY) {
		t.Error(err)
	}
	must(t, os.Remove(dir+"/d/e"))
	must(t, unix.Rename(dir+"/c", dir+"/d"))
}

func manyNames(t *testing.T, dir string) {
	for i := range 3000 {
		must(t, os.WriteFile(fmt.Sprintf("%s/a-name-that-takes-its-room-%d", dir, i), nil, 0o644))
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3000 {
		t.Errorf("%d of 3000, %v", len(entries), err)
	}
}

func unsupported(t *testing.T, dir string) {
	for name, err := range map[string]error{
		"a pipe":         unix.Mkfifo(dir+"/fifo", 0o644),
		"an attribute":   unix.Setxattr(dir, "user.a", []byte("b"), 0),
		"another's file": os.Chown(dir, os.Getuid()+1, -1),
	} {
		if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EPERM) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestACutLeavesWhatTheJournalSays does random things to a tree, cuts, and compares what is on the
// disk with the image that the journal gives.
func TestACutLeavesWhatTheJournalSays(t *testing.T) {
	for _, how := range disk.Hows() {
		t.Run(string(how), func(t *testing.T) {
			for seed := range uint64(4) {
				cutAndCompare(t, how, seed)
			}
		})
	}
}

func cutAndCompare(t *testing.T, how disk.How, seed uint64) {
	m := onto(t, t.TempDir(), 64<<20)
	work(t, m.data, rand.New(rand.NewPCG(seed, 7)))
	if st := m.status(); st.Broken != "" || st.JournalFull {
		t.Fatalf("%+v", st)
	}
	lost := m.call(Call{Cut: &protocol.DiskCut{How: string(how), Seed: seed}}).Lost
	m.end()
	img := imageOf(t, m.below("journal/000001.journal"), how, seed)
	if img.Lost.String() != lost.Text {
		t.Errorf("lost: %s\nby the journal: %s", lost.Text, img.Lost)
	}
	if got, want := list(t, m.below("tree")), listImage(img); got != want {
		t.Fatalf("%s, seed %d: on the disk is\n%s\nand by the journal\n%s\nlost: %s", how, seed, got, want, lost.Text)
	}
	again := onto(t, m.data, 0)
	if r := again.began.Restored; r == nil || r.Wrong != "" || r.Names != len(img.Entries) {
		t.Errorf("mounted again: %+v, of %d names", r, len(img.Entries))
	}
	if again.began.Life != 2 {
		t.Errorf("life %d", again.began.Life)
	}
	if got, want := list(t, again.data), listImage(img); got != want {
		t.Errorf("mounted again there is\n%s\nand not\n%s", got, want)
	}
	again.end()
}

// work does random things, as a server might. What cannot be done is left out.
func work(t *testing.T, dir string, rng *rand.Rand) {
	names := []string{"a", "b", "c", "d", "e"}
	dirs := []string{"", "x", "x/y", "z"}
	any := func() string { return filepath.Join(dir, dirs[rng.IntN(len(dirs))], names[rng.IntN(len(names))]) }
	for _, d := range dirs[1:] {
		must(t, os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	sync := func(path string) {
		if f, err := os.Open(path); err == nil {
			must(t, f.Sync())
			f.Close()
		}
	}
	for range 300 {
		switch rng.IntN(16) {
		case 0, 1, 2, 3, 4, 5:
			flags := os.O_RDWR | os.O_CREATE
			if rng.IntN(6) == 0 {
				flags |= os.O_TRUNC
			}
			if rng.IntN(8) == 0 {
				flags |= unix.O_DSYNC
			}
			f, err := os.OpenFile(any(), flags, 0o644)
			if err != nil {
				continue
			}
			data := bytes.Repeat([]byte{byte(1 + rng.IntN(255))}, 1+rng.IntN(9000))
			_, err = f.WriteAt(data, rng.Int64N(12000))
			must(t, err)
			if rng.IntN(4) == 0 {
				must(t, f.Sync())
			}
			f.Close()
		case 6:
			_ = os.Truncate(any(), rng.Int64N(15000))
		case 7, 8:
			_ = os.Rename(any(), any())
		case 9:
			_ = os.Remove(any())
		case 10:
			_ = os.Link(any(), any())
		case 11:
			_ = os.Symlink("a", any())
		case 12:
			_ = os.Mkdir(any(), 0o755)
		case 13:
			_ = os.Rename(filepath.Join(dir, dirs[1+rng.IntN(3)]), any())
		case 14:
			sync(any())
		case 15:
			sync(filepath.Join(dir, dirs[rng.IntN(len(dirs))]))
		}
	}
}

// imageOf is what the journal says that a cut leaves.
func imageOf(t *testing.T, journal string, how disk.How, seed uint64) *disk.Image {
	t.Helper()
	f, err := os.Open(journal)
	must(t, err)
	defer f.Close()
	m := disk.NewModel(disk.Options{Whole: true})
	for r := disk.NewReader(f); ; {
		op, err := r.Next()
		if err == io.EOF {
			break
		}
		must(t, err)
		must(t, m.Apply(&op))
	}
	c, _ := m.Choose(how, rand.New(rand.NewPCG(seed, 0)))
	img, err := m.Image(c)
	must(t, err)
	return img
}

// list is what is in a directory, as text.
func list(t *testing.T, dir string) string {
	t.Helper()
	var lines []string
	must(t, fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		text := ""
		switch {
		case e.Type() == fs.ModeSymlink:
			text, err = os.Readlink(filepath.Join(dir, path))
		case e.Type().IsRegular():
			var b []byte
			b, err = os.ReadFile(filepath.Join(dir, path))
			text = summary(b)
		}
		lines = append(lines, fmt.Sprintf("%s %v %s", path, e.Type(), text))
		return err
	}))
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// summary is bytes as runs.
func summary(b []byte) string {
	var s strings.Builder
	for i := 0; i < len(b); {
		j := i
		for j < len(b) && b[j] == b[i] {
			j++
		}
		fmt.Fprintf(&s, "%dx%02x ", j-i, b[i])
		i = j
	}
	return s.String()
}

func listImage(img *disk.Image) string {
	var lines []string
	for i := range img.Entries {
		e := &img.Entries[i]
		text := e.Target
		if e.Type.IsRegular() {
			b, _ := io.ReadAll(e.Open())
			text = summary(b)
		}
		lines = append(lines, fmt.Sprintf("%s %v %s", e.Path, e.Type, text))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestKilledItKeepsWhatWasWritten: without a cut nothing is lost, synced or not.
func TestKilledItKeepsWhatWasWritten(t *testing.T) {
	m := onto(t, t.TempDir(), 0)
	work(t, m.data, rand.New(rand.NewPCG(1, 1)))
	before := list(t, m.data)
	m.end()
	again := onto(t, m.data, 0)
	if after := list(t, again.data); after != before {
		t.Errorf("there was\n%s\nand is\n%s", before, after)
	}
	if again.began.Restored != nil {
		t.Errorf("%+v without a cut", again.began.Restored)
	}
}

// TestItDiesAndServersGetErrors: no request waits for ever, and nothing is written past it.
func TestItDiesAndServersGetErrors(t *testing.T) {
	m := onto(t, t.TempDir(), 0)
	f, err := os.Create(m.at("a"))
	must(t, err)
	defer f.Close()
	must(t, m.cmd.Process.Kill())
	_ = m.cmd.Wait()
	if _, err := f.WriteString("x"); !errors.Is(err, unix.ENOTCONN) && !errors.Is(err, unix.ECONNABORTED) && !errors.Is(err, unix.EIO) {
		t.Error(err)
	}
	if _, err := os.Create(m.at("b")); err == nil {
		t.Error("a file could be made")
	}
}

// TestRules: each does what it says to requests, and nothing once it is lifted.
func TestRules(t *testing.T) {
	m := onto(t, t.TempDir(), 0)
	f, err := os.Create(m.at("wal.log"))
	must(t, err)
	defer f.Close()
	write := func() error { _, err := f.WriteAt(make([]byte, 100), 0); return err }
	read := func() error { _, err := f.ReadAt(make([]byte, 100), 0); return err }
	create := func() error { return os.WriteFile(m.at("new"), []byte("x"), 0o644) }
	must(t, write())
	for _, c := range []struct {
		rule protocol.DiskRule
		do   func() error
		want error
	}{
		{protocol.DiskRule{Effect: protocol.DiskError, On: protocol.DiskOnSync}, f.Sync, unix.EIO},
		{protocol.DiskRule{Effect: protocol.DiskError, On: protocol.DiskOnWrite, Files: "*.log"}, write, unix.EIO},
		{protocol.DiskRule{Effect: protocol.DiskError, On: protocol.DiskOnRead}, read, unix.EIO},
		{protocol.DiskRule{Effect: protocol.DiskError, On: protocol.DiskOnWrite, Files: "*.snap"}, write, nil},
		{protocol.DiskRule{Effect: protocol.DiskFull, On: protocol.DiskOnWrite}, write, unix.ENOSPC},
		{protocol.DiskRule{Effect: protocol.DiskFull, On: protocol.DiskOnWrite}, create, unix.ENOSPC},
		{protocol.DiskRule{Effect: protocol.DiskReadOnly, On: protocol.DiskOnWrite}, create, unix.EROFS},
		{protocol.DiskRule{Effect: protocol.DiskReadOnly, On: protocol.DiskOnWrite}, read, nil},
		{protocol.DiskRule{Effect: protocol.DiskLies, On: protocol.DiskOnSync}, f.Sync, nil},
	} {
		m.call(Call{Rules: &protocol.DiskRules{Rules: []protocol.DiskRule{c.rule}}})
		if err := c.do(); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%+v: %v, not %v", c.rule, err, c.want)
		}
		if hits := m.status().Hits; c.want != nil && hits[0] == 0 {
			t.Errorf("%+v: it took effect %d times", c.rule, hits[0])
		}
		m.call(Call{Rules: &protocol.DiskRules{}})
		for _, do := range []func() error{write, read, f.Sync} {
			if err := do(); err != nil {
				t.Errorf("after %+v: %v", c.rule, err)
			}
		}
		_ = os.Remove(m.at("new"))
	}
	m.call(Call{Rules: &protocol.DiskRules{Rules: []protocol.DiskRule{{Effect: protocol.DiskError, On: protocol.DiskOnSync, Times: 1}}}})
	if err := f.Sync(); !errors.Is(err, unix.EIO) {
		t.Error(err)
	}
	must(t, f.Sync())
	const delay = 50 * time.Millisecond
	m.call(Call{Rules: &protocol.DiskRules{Rules: []protocol.DiskRule{{Effect: protocol.DiskSlow, On: protocol.DiskOnSync, Delay: delay}}}})
	begin := time.Now()
	must(t, f.Sync())
	if took := time.Since(begin); took < delay {
		t.Errorf("a sync took %v", took)
	}
	for _, bad := range []protocol.DiskRule{{}, {Effect: "melt", On: "sync"}, {Effect: protocol.DiskSlow, On: "sync", Files: "["}, {Effect: protocol.DiskLies, On: protocol.DiskOnRead}} {
		if a := m.try(Call{Rules: &protocol.DiskRules{Rules: []protocol.DiskRule{bad}}}); a.Error == "" {
			t.Errorf("%+v is a rule", bad)
		}
	}
}

// TestASyncThatLiesLosesWhatItClaimed: only a cut shows it.
func TestASyncThatLiesLosesWhatItClaimed(t *testing.T) {
	m := onto(t, t.TempDir(), 0)
	f, err := os.Create(m.at("a"))
	must(t, err)
	defer f.Close()
	must(t, f.Sync())
	d, err := os.Open(m.data)
	must(t, err)
	must(t, d.Sync())
	d.Close()
	m.call(Call{Rules: &protocol.DiskRules{Rules: []protocol.DiskRule{{Effect: protocol.DiskLies, On: protocol.DiskOnSync}}}})
	_, err = f.WriteString("claimed")
	must(t, err)
	must(t, f.Sync())
	lost := m.call(Call{Cut: &protocol.DiskCut{How: string(disk.SyncedOnly)}}).Lost
	m.end()
	got, err := os.ReadFile(m.below("tree/a"))
	if err != nil || len(got) > 0 || lost.Bytes != 7 {
		t.Errorf("%q, %v, lost %+v", got, err, lost)
	}
}

// TestASyncThatFailsOnce: those after it claim to succeed, and nothing that came before or after them is durable.
func TestASyncThatFailsOnce(t *testing.T) {
	m := onto(t, t.TempDir(), 0)
	f, err := os.Create(m.at("a"))
	must(t, err)
	defer f.Close()
	m.call(Call{Settle: true})
	m.call(Call{Rules: &protocol.DiskRules{Rules: []protocol.DiskRule{{Effect: protocol.DiskError, On: protocol.DiskOnSync, Times: 1}, {Effect: protocol.DiskLies, On: protocol.DiskOnSync}}}})
	_, err = f.WriteString("first")
	must(t, err)
	if err := f.Sync(); !errors.Is(err, unix.EIO) {
		t.Fatalf("the first sync: %v", err)
	}
	must(t, f.Sync())
	_, err = f.WriteString("second")
	must(t, err)
	must(t, f.Sync())
	lost := m.call(Call{Cut: &protocol.DiskCut{How: string(disk.SyncedOnly)}}).Lost
	if lost.Writes != 2 || lost.Bytes != 11 {
		t.Errorf("lost: %+v", lost)
	}
}

// TestWhatIsSettledStays: a cut takes nothing of what was there when the disk was settled.
func TestWhatIsSettledStays(t *testing.T) {
	m := onto(t, t.TempDir(), 0)
	must(t, os.Mkdir(m.at("d"), 0o755))
	must(t, os.WriteFile(m.at("d/settled"), []byte("there"), 0o644))
	m.call(Call{Settle: true})
	if st := m.status(); st.PendingNames+st.PendingWrites > 0 {
		t.Errorf("%+v", st)
	}
	must(t, os.WriteFile(m.at("d/later"), []byte("gone"), 0o644))
	m.call(Call{Cut: &protocol.DiskCut{How: string(disk.SyncedOnly)}})
	if a := m.try(Call{Settle: true}); a.Error == "" {
		t.Error("a disk that was cut was settled")
	}
	m.end()
	if got, err := os.ReadFile(m.below("tree/d/settled")); err != nil || string(got) != "there" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := os.Stat(m.below("tree/d/later")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was not settled: %v", err)
	}
}

// TestDamage: a server reads what it did not write, although it has read the file before.
func TestDamage(t *testing.T) {
	m := onto(t, t.TempDir(), 0)
	want := bytes.Repeat([]byte("abcdefgh"), 2000)
	must(t, os.WriteFile(m.at("a.log"), want, 0o644))
	must(t, os.WriteFile(m.at("b.txt"), want, 0o644))
	for _, kind := range []string{protocol.DiskBitFlip, protocol.DiskOldBlock} {
		before, err := os.ReadFile(m.at("a.log"))
		must(t, err)
		d := m.call(Call{Damage: &protocol.DiskDamage{Kind: kind, Files: "*.log", Seed: 5}}).Damaged
		if d.File != "a.log" {
			t.Fatalf("%+v", d)
		}
		deadline := time.Now().Add(time.Minute)
		for { // the kernel is told to forget its pages meanwhile
			after, err := os.ReadFile(m.at("a.log"))
			must(t, err)
			if !bytes.Equal(after[d.Offset:d.Offset+d.Length], before[d.Offset:d.Offset+d.Length]) {
				after2 := slices.Clone(after)
				copy(after2[d.Offset:], before[d.Offset:d.Offset+d.Length])
				if !bytes.Equal(after2, before) {
					t.Errorf("%s: more is different", kind)
				}
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %+v is not read", kind, d)
			}
		}
	}
	if got, err := os.ReadFile(m.at("b.txt")); err != nil || !bytes.Equal(got, want) {
		t.Error("another file is damaged, too", err)
	}
	if a := m.try(Call{Damage: &protocol.DiskDamage{Kind: protocol.DiskBitFlip, Files: "*.none"}}); a.Error == "" {
		t.Error("a file that is not there was damaged")
	}
}

// TestAnOldBlockIsAnother: of a file that is mostly zeros the block is taken that is not, and of one that is all zeros none.
func TestAnOldBlockIsAnother(t *testing.T) {
	m := onto(t, t.TempDir(), 0)
	f, err := os.Create(m.at("sparse"))
	must(t, err)
	defer f.Close()
	must(t, f.Truncate(100*blockBytes))
	_, err = f.WriteAt([]byte("here"), 41*blockBytes+7)
	must(t, err)
	must(t, os.WriteFile(m.at("empty"), make([]byte, 3*blockBytes), 0o644))
	for seed := range uint64(5) {
		d := m.call(Call{Damage: &protocol.DiskDamage{Kind: protocol.DiskOldBlock, Seed: seed}}).Damaged
		if d.File != "sparse" || d.Offset != 41*blockBytes {
			t.Errorf("seed %d: %+v", seed, d)
		}
		m.call(Call{Damage: &protocol.DiskDamage{Kind: protocol.DiskRepair}})
	}
	if a := m.try(Call{Damage: &protocol.DiskDamage{Kind: protocol.DiskOldBlock, Files: "empty"}}); a.Error == "" {
		t.Errorf("zeros were made zeros: %+v", a.Damaged)
	}
}

// TestAnOldBlockIsAsBefore: of a block that was written several times the last write is lost, and no other.
func TestAnOldBlockIsAsBefore(t *testing.T) {
	m := onto(t, t.TempDir(), 0)
	f, err := os.Create(m.at("pages"))
	must(t, err)
	defer f.Close()
	page := func(text string) []byte { return bytes.Repeat([]byte(text), blockBytes/len(text)) }
	for _, text := range []string{"one-", "two-", "three---"} {
		_, err := f.WriteAt(page(text), 5*blockBytes)
		must(t, err)
		must(t, f.Sync())
	}
	d := m.call(Call{Damage: &protocol.DiskDamage{Kind: protocol.DiskOldBlock, Seed: 3}}).Damaged
	if d.File != "pages" || d.Offset != 5*blockBytes || d.Is != protocol.DiskAsBefore {
		t.Fatalf("%+v", d)
	}
	m.reads("pages", 5*blockBytes, page("two-"))
	m.call(Call{Damage: &protocol.DiskDamage{Kind: protocol.DiskRepair}})
	m.reads("pages", 5*blockBytes, page("three---"))
}

// TestAnOldTail: of a log that grows the last record is lost, and the others are there.
func TestAnOldTail(t *testing.T) {
	m := onto(t, t.TempDir(), 0)
	f, err := os.Create(m.at("log"))
	must(t, err)
	defer f.Close()
	for _, record := range []string{"first", "second", "third"} {
		_, err := f.WriteString(record)
		must(t, err)
	}
	if d := m.call(Call{Damage: &protocol.DiskDamage{Kind: protocol.DiskOldBlock, Seed: 3}}).Damaged; d.Is != protocol.DiskAsBefore {
		t.Fatalf("%+v", d)
	}
	m.reads("log", 0, []byte("firstsecond\x00\x00\x00\x00\x00"))
}

// TestWhatIsPendingIsBounded: a server that never syncs does not fill the memory.
func TestWhatIsPendingIsBounded(t *testing.T) {
	m := onto(t, t.TempDir(), 0)
	f, err := os.Create(m.at("a"))
	must(t, err)
	defer f.Close()
	data := bytes.Repeat([]byte("x"), 1<<20)
	for i := range int64(200) {
		_, err := f.WriteAt(data, i<<20)
		must(t, err)
	}
	if st := m.status(); st.Memory > maxMemory || st.WrittenBack == 0 || st.Broken != "" {
		t.Errorf("%+v", st)
	}
	must(t, f.Truncate(0)) // takes away more than can be kept
	if st := m.status(); st.Memory > maxMemory || st.Broken != "" {
		t.Errorf("%+v", st)
	}
}

// TestRandomWorkIsAsOnThePlainDisk compares with a directory without the file system.
func TestRandomWorkIsAsOnThePlainDisk(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		seed := rapid.Uint64().Draw(r, "seed")
		plain := t.TempDir()
		work(t, plain, rand.New(rand.NewPCG(seed, 3)))
		m := onto(t, t.TempDir(), 0)
		work(t, m.data, rand.New(rand.NewPCG(seed, 3)))
		if got, want := list(t, m.data), list(t, plain); got != want {
			r.Fatalf("there is\n%s\nand on the plain disk\n%s", got, want)
		}
		m.end()
	})
}
