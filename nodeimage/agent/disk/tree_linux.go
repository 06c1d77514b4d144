package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"squall/nodeimage/disk"
)

// The directories in Folder.
const (
	treeDir    = "tree"
	trashDir   = "trash"
	journalDir = "journal"
	probeFile  = "probe"
	cutFile    = "cut.json"
)

// Bounds of what is held for what is pending. Beyond them it is made durable: a
// kernel writes back when it likes, too.
const (
	maxMemory  = 64 << 20 // bytes
	maxCovered = 16 << 20 // bytes that one request may have to keep
	maxNames   = 16 << 10 // changes of names
	maxNodes   = 1 << 20  // files and directories
)

// place is a name in a directory.
type place struct {
	dir  disk.Ino
	name string
}

// inode is a file, directory or symbolic link that has a name, is open, or may come back.
type inode struct {
	ino     disk.Ino
	dir     bool
	names   map[place]bool
	trashed bool // it is in the trash
	lookups uint64
	opens   int
	file    *os.File // open while opens > 0, or while it is made durable
}

// tree is the directory below the file system, and what is known of it.
type tree struct {
	top   *os.File // Folder
	owner uint32   // of everything, as servers see it: user and group

	mu      sync.RWMutex // readers only look; whoever changes something, on the disk or here, has it alone
	model   *disk.Model
	nodes   map[disk.Ino]*inode
	trash   map[disk.Ino]bool
	next    disk.Ino
	journal *journal // nil: none
	broken  error    // the model cannot follow any more
	frozen  bool     // a cut was made
	backs   int      // how often something was made durable for want of memory
}

// now is the machine's clock.
func now() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // cannot fail
	return ts.Nano()
}

// makeFolders makes the directories in a folder.
func makeFolders(folder string) error {
	for _, dir := range []string{treeDir, trashDir, journalDir} {
		if err := os.Mkdir(path.Join(folder, dir), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("making the disk's folder: %w", err)
		}
	}
	return nil
}

// openTree reads what is in a folder.
func openTree(folder string, owner int, j *journal) (*tree, error) {
	top, err := os.Open(folder)
	if err != nil {
		return nil, fmt.Errorf("opening the disk's folder: %w", err)
	}
	t := &tree{top: top, owner: uint32(owner), model: disk.NewModel(disk.Options{}), next: disk.Root + 1, journal: j,
		nodes: map[disk.Ino]*inode{disk.Root: {ino: disk.Root, dir: true, lookups: 1}}, trash: map[disk.Ino]bool{}}
	err = t.emptyTrash()
	if err == nil {
		err = t.scan()
	}
	if err != nil {
		top.Close()
		return nil, fmt.Errorf("reading what is on the disk: %w", err)
	}
	return t, nil
}

// emptyTrash removes what an earlier life has left there: as it was written, it is gone.
func (t *tree) emptyTrash() error {
	trash := path.Join(t.top.Name(), trashDir)
	if err := os.RemoveAll(trash); err != nil {
		return err
	}
	return os.Mkdir(trash, 0o755)
}

// scan tells the model what is there. It is durable: what a power cut was to take is gone.
func (t *tree) scan() error {
	if err := t.done(&disk.Op{Kind: disk.Mount}); err != nil {
		return err
	}
	seen := map[uint64]disk.Ino{} // by the number on the disk below: files of several names
	if err := t.scanDir(disk.Root, seen); err != nil {
		return err
	}
	return t.done(&disk.Op{Kind: disk.SyncAll})
}

func (t *tree) scanDir(dir disk.Ino, seen map[uint64]disk.Ino) error {
	entries, err := os.ReadDir(path.Join(t.top.Name(), t.path(dir)))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := t.scanEntry(place{dir, e.Name()}, seen); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) scanEntry(at place, seen map[uint64]disk.Ino) error {
	var st unix.Stat_t
	if err := unix.Fstatat(t.fd(), t.at(at), &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if known, there := seen[st.Ino]; there {
		t.nodes[known].names[at] = true
		return t.done(&disk.Op{Kind: disk.Link, Node: known, Dir: at.dir, Name: at.name})
	}
	op := disk.Op{Dir: at.dir, Name: at.name, Mode: st.Mode & 0o777}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		op.Kind = disk.Mkdir
		n, err := t.add(&op)
		if err != nil {
			return err
		}
		return t.scanDir(n.ino, seen)
	case unix.S_IFLNK:
		op.Kind, op.Mode = disk.Symlink, 0
		target, err := t.readlink(t.at(at))
		if err != nil {
			return err
		}
		op.Target = target
		_, err = t.add(&op)
		return err
	case unix.S_IFREG:
		op.Kind = disk.Create
		n, err := t.add(&op)
		if err != nil {
			return err
		}
		seen[st.Ino] = n.ino
		return t.scanBytes(n, st.Size)
	default:
		return fmt.Errorf("%s is neither a file, a directory nor a link", t.at(at))
	}
}

// scanBytes tells the journal, if there is one, what is in a file, and the model how long it is.
func (t *tree) scanBytes(n *inode, size int64) error {
	if t.journal != nil && size > 0 {
		f, err := t.open(n)
		if err != nil {
			return err
		}
		defer f.Close()
		for at := int64(0); at < size; {
			data := make([]byte, min(1<<20, size-at))
			if _, err := f.ReadAt(data, at); err != nil {
				return err
			}
			if err := t.done(&disk.Op{Kind: disk.Write, Node: n.ino, Offset: at, Data: data, Synced: true}); err != nil {
				return err
			}
			at += int64(len(data))
		}
	}
	return t.done(&disk.Op{Kind: disk.Truncate, Node: n.ino, Length: size, Synced: true})
}

// add makes a new inode known, of an operation that has made it on the disk.
func (t *tree) add(op *disk.Op) (*inode, error) {
	if len(t.nodes) >= maxNodes {
		return nil, fmt.Errorf("there are more than %d files and directories", maxNodes)
	}
	op.Node = t.next
	t.next++
	n := &inode{ino: op.Node, dir: op.Kind == disk.Mkdir, names: map[place]bool{{op.Dir, op.Name}: true}}
	t.nodes[n.ino] = n
	return n, t.done(op)
}

// done tells model and journal what was done to the disk. An error is a mistake
// of this package, and that the journal cannot be written one of its disk; then nothing can be lost any more, and the status says so.
func (t *tree) done(op *disk.Op) error {
	switch op.Kind {
	case disk.Write, disk.Truncate, disk.Allocate, disk.Zero, disk.Sync, disk.SyncData:
		if !t.model.Has(op.Node) {
			return nil // it has no name, and no power cut brings one back
		}
	}
	op.At = now()
	if t.journal != nil { // before the model: the data is the model's from then on
		if err := t.journal.write(op); err != nil {
			t.broken, t.journal = err, nil
		}
	}
	err := t.model.Apply(op)
	if err != nil {
		t.broken = err
	}
	return err
}

func (t *tree) fd() int { return int(t.top.Fd()) }

// path is where an inode is, from the folder.
func (t *tree) path(ino disk.Ino) string {
	if ino == disk.Root {
		return treeDir
	}
	n := t.nodes[ino]
	if n.trashed {
		return trashPath(ino)
	}
	for at := range n.names {
		return t.at(at)
	}
	return trashPath(ino) // no name, and not kept: nothing is there
}

func (t *tree) at(p place) string { return path.Join(t.path(p.dir), p.name) }

func trashPath(ino disk.Ino) string { return path.Join(trashDir, strconv.FormatUint(uint64(ino), 10)) }

// shown is the path of an inode as servers see it, from the data directory; "" if it has none.
func (t *tree) shown(ino disk.Ino) string {
	p := t.path(ino)
	if len(p) <= len(treeDir) || p[:len(treeDir)] != treeDir {
		return ""
	}
	return p[len(treeDir)+1:]
}

// open opens a file to read and write it. Every file that was made here can be.
func (t *tree) open(n *inode) (*os.File, error) {
	p := t.path(n.ino)
	fd, err := unix.Openat(t.fd(), p, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), p), nil
}

// hold opens a file for one user more.
func (t *tree) hold(n *inode) error {
	if n.file == nil {
		f, err := t.open(n)
		if err != nil {
			return err
		}
		n.file = f
	}
	n.opens++
	return nil
}

// letGo is the end of a hold.
func (t *tree) letGo(n *inode) {
	n.opens--
	if n.opens > 0 {
		return
	}
	if n.file != nil {
		n.file.Close()
		n.file = nil
	}
	t.sweep(n.ino)
}

func (t *tree) readlink(p string) (string, error) {
	buf := make([]byte, disk.MaxTarget+1)
	n, err := unix.Readlinkat(t.fd(), p, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// discard takes a name from an inode on the disk. One that had no other goes to the
// trash: it is open, or the name may come back.
func (t *tree) discard(at place, n *inode) error {
	if len(n.names) > 1 {
		if err := unix.Unlinkat(t.fd(), t.at(at), 0); err != nil {
			return err
		}
		delete(n.names, at)
		return nil
	}
	if err := unix.Renameat(t.fd(), t.at(at), t.fd(), trashPath(n.ino)); err != nil {
		return err
	}
	t.toTrash(at, n)
	return nil
}

// toTrash notes that an inode is in the trash and had that name last.
func (t *tree) toTrash(at place, n *inode) {
	delete(n.names, at)
	n.trashed = true
	t.trash[n.ino] = true
}

// sweep removes inodes that are in the trash and no more use.
func (t *tree) sweep(inos ...disk.Ino) {
	for _, ino := range inos {
		n := t.nodes[ino]
		if n == nil || len(n.names) > 0 || n.opens > 0 || t.model.Has(ino) || ino == disk.Root {
			continue
		}
		if n.trashed {
			flag := 0
			if n.dir {
				flag = unix.AT_REMOVEDIR
			}
			_ = unix.Unlinkat(t.fd(), trashPath(ino), flag) // what stays goes at the next mount
			delete(t.trash, ino)
			n.trashed = false
		}
		if n.lookups == 0 {
			delete(t.nodes, ino)
		}
	}
}

// sweepTrash sweeps what a sync of names may have made useless.
func (t *tree) sweepTrash() {
	for ino := range t.trash {
		t.sweep(ino)
	}
}

// cover keeps what a change is about to overwrite. It reports whether that is
// too much: then the change must be durable at once.
func (t *tree) cover(n *inode, f *os.File, op *disk.Op) (tooMuch bool, err error) {
	if !t.model.Has(n.ino) {
		return false, nil
	}
	missing := t.model.Uncovered(op)
	sum := int64(0)
	for _, r := range missing {
		sum += r.Bytes()
	}
	if sum > maxCovered {
		return true, nil
	}
	for _, r := range missing {
		data := make([]byte, r.Bytes())
		if _, err := f.ReadAt(data, r.From); err != nil {
			return false, fmt.Errorf("keeping what is overwritten: %w", err)
		}
		t.model.Cover(n.ino, r.From, data)
	}
	return false, nil
}

// bound makes something durable if too much is pending.
func (t *tree) bound() {
	for t.model.Memory() > maxMemory {
		ino, _ := t.model.Largest()
		if ino == 0 || t.writeBack(t.nodes[ino]) != nil {
			return
		}
		t.backs++
	}
	if t.model.PendingNames() > maxNames && unix.Syncfs(t.fd()) == nil && t.settleAll() == nil {
		t.backs++
	}
}

// settleAll has the model take all that is written for durable.
func (t *tree) settleAll() error {
	if err := t.done(&disk.Op{Kind: disk.SyncAll}); err != nil {
		return err
	}
	t.sweepTrash()
	return nil
}

// settle is settleAll for who holds no lock. What is below is not synced: nothing but cuts of ours takes anything.
func (t *tree) settle() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.frozen {
		return errors.New("a cut was made before")
	}
	return t.settleAll()
}

// writeBack makes a file durable.
func (t *tree) writeBack(n *inode) error {
	f := n.file
	if f == nil {
		var err error
		if f, err = t.open(n); err != nil {
			return err
		}
		defer f.Close()
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return t.done(&disk.Op{Kind: disk.SyncData, Node: n.ino})
}

// longTime is how long the kernel may rely on names and attributes: nobody but it changes them.
const longTime = time.Hour
