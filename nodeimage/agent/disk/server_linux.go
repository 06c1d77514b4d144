package disk

import (
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"squall/nodeimage/disk"
)

// server answers the kernel. Nodes have the numbers of inodes. What it does not define, the
// default answers with ENOSYS, and the kernel then does without or says EOPNOTSUPP.
type server struct {
	fuse.RawFileSystem
	*tree
	rules   rules
	kernel  *fuse.Server
	handles handles
	spoilt  []spoilt // what was damaged; of the lock
	older   older    // what blocks held before; of the lock

	syncs, writes, reads atomic.Uint64
}

var _ fuse.RawFileSystem = (*server)(nil)

func newServer(t *tree) *server {
	s := &server{RawFileSystem: fuse.NewDefaultRawFileSystem(), tree: t}
	s.handles.open = map[uint64]*handle{}
	return s
}

func (s *server) String() string { return "squall-disk" }

func (s *server) Init(kernel *fuse.Server) { s.kernel = kernel }

// never is not closed: a request that waits for it ends with this process.
var never = make(chan struct{})

// enter has a request wait until it may look at the disk, and reports what the rules
// make of it. ok says that it is to be carried out, and leave must be called then.
func (s *server) enter(w wish, ino disk.Ino) (v verdict, ok bool) {
	v = s.rules.judge(w, func() string {
		s.mu.RLock()
		defer s.mu.RUnlock()
		if ino == probeIno {
			return ProbeName
		}
		return s.shown(ino)
	})
	if v.wait > 0 {
		time.Sleep(v.wait)
	}
	s.mu.Lock()
	if s.frozen {
		s.mu.Unlock()
		<-never
	}
	if v.errno != 0 {
		s.mu.Unlock()
		return v, false
	}
	return v, true
}

func (s *server) leave() {
	s.bound()
	s.mu.Unlock()
}

// look is enter for what only looks.
func (s *server) look() {
	s.mu.RLock()
	if s.frozen {
		s.mu.RUnlock()
		<-never
	}
}

func status(err error) fuse.Status {
	if err == nil {
		return fuse.OK
	}
	if errno, is := err.(syscall.Errno); is {
		return fuse.Status(errno)
	}
	return fuse.ToStatus(err)
}

// attributes fills in what servers see of an inode.
func (s *server) attributes(n *inode, out *fuse.Attr) error {
	var st unix.Stat_t
	var err error
	if n.file != nil {
		err = unix.Fstat(int(n.file.Fd()), &st)
	} else {
		err = unix.Fstatat(s.fd(), s.path(n.ino), &st, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil {
		return err
	}
	*out = fuse.Attr{Ino: uint64(n.ino), Size: uint64(st.Size), Blocks: uint64(st.Blocks), Mode: st.Mode, Nlink: uint32(st.Nlink), Blksize: uint32(st.Blksize),
		Atime: uint64(st.Atim.Sec), Atimensec: uint32(st.Atim.Nsec), Mtime: uint64(st.Mtim.Sec), Mtimensec: uint32(st.Mtim.Nsec),
		Ctime: uint64(st.Ctim.Sec), Ctimensec: uint32(st.Ctim.Nsec)}
	if !n.dir {
		out.Nlink = uint32(len(n.names)) // below there may be one in the trash
	}
	out.Uid, out.Gid = s.owner, s.owner
	return nil
}

func (s *server) entry(n *inode, out *fuse.EntryOut) fuse.Status {
	if err := s.attributes(n, &out.Attr); err != nil {
		return status(err)
	}
	n.lookups++
	out.NodeId, out.Generation = uint64(n.ino), 1
	out.SetEntryTimeout(longTime)
	out.SetAttrTimeout(longTime)
	return fuse.OK
}

func (s *server) Lookup(_ <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	if s.isProbe(in.NodeId, name) {
		return s.probeEntry(out)
	}
	s.mu.Lock() // it counts
	defer s.mu.Unlock()
	s.thaw()
	ino, there := s.model.Child(disk.Ino(in.NodeId), name)
	if !there {
		return fuse.ENOENT
	}
	return s.entry(s.nodes[ino], out)
}

// thaw waits for ever if a cut was made. The lock is held, and is not any more then.
func (s *server) thaw() {
	if s.frozen {
		s.mu.Unlock()
		<-never
	}
}

func (s *server) Forget(node, lookups uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.nodes[disk.Ino(node)]; n != nil && node != fuse.FUSE_ROOT_ID {
		n.lookups -= min(n.lookups, lookups)
		s.sweep(n.ino)
	}
}

func (s *server) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	if in.NodeId == uint64(probeIno) {
		return s.probeAttr(out)
	}
	s.look()
	defer s.mu.RUnlock()
	n := s.nodes[disk.Ino(in.NodeId)]
	if n == nil {
		return fuse.ENOENT
	}
	out.SetTimeout(longTime)
	return status(s.attributes(n, &out.Attr))
}

func (s *server) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	if in.NodeId == uint64(probeIno) {
		return s.probeAttr(out)
	}
	want := wantsRemoval
	if _, cut := in.GetSize(); cut {
		want.on = wantsWrite.on
	}
	v, ok := s.enter(want, disk.Ino(in.NodeId))
	if !ok {
		return status(v.errno)
	}
	defer s.leave()
	n := s.nodes[disk.Ino(in.NodeId)]
	if n == nil {
		return fuse.ENOENT
	}
	if err := s.setAttributes(n, in); err != nil {
		return status(err)
	}
	out.SetTimeout(longTime)
	return status(s.attributes(n, &out.Attr))
}

func (s *server) setAttributes(n *inode, in *fuse.SetAttrIn) error {
	if uid, set := in.GetUID(); set && uid != s.owner {
		return unix.EPERM
	}
	if gid, set := in.GetGID(); set && gid != s.owner {
		return unix.EPERM
	}
	if mode, set := in.GetMode(); set {
		if err := unix.Fchmodat(s.fd(), s.path(n.ino), ours(mode, n.dir), 0); err != nil {
			return err
		}
	}
	atime, setA := in.GetATime()
	mtime, setM := in.GetMTime()
	if setA || setM {
		if err := unix.UtimesNanoAt(s.fd(), s.path(n.ino), []unix.Timespec{timespec(atime, setA), timespec(mtime, setM)}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
	}
	if size, set := in.GetSize(); set {
		return s.truncate(n, int64(size))
	}
	return nil
}

func timespec(at time.Time, set bool) unix.Timespec {
	if !set {
		return unix.Timespec{Nsec: unix.UTIME_OMIT}
	}
	return unix.NsecToTimespec(at.UnixNano())
}

// ours is a mode with which this process can still open what it has made.
func ours(mode uint32, dir bool) uint32 {
	if dir {
		return mode&0o777 | 0o700
	}
	return mode&0o777 | 0o600
}

func (s *server) Readlink(_ <-chan struct{}, in *fuse.InHeader) ([]byte, fuse.Status) {
	s.look()
	defer s.mu.RUnlock()
	target, err := s.readlink(s.path(disk.Ino(in.NodeId)))
	return []byte(target), status(err)
}

func (s *server) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	var st unix.Statfs_t
	if err := unix.Fstatfs(s.fd(), &st); err != nil {
		return status(err)
	}
	*out = fuse.StatfsOut{Blocks: st.Blocks, Bfree: st.Bfree, Bavail: st.Bavail, Files: st.Files, Ffree: st.Ffree, Bsize: uint32(st.Bsize), NameLen: disk.MaxName, Frsize: uint32(st.Frsize)}
	if s.rules.full() {
		out.Bfree, out.Bavail = 0, 0
	}
	return fuse.OK
}
