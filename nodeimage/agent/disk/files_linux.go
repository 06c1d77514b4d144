package disk

import (
	"io"
	"slices"
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"squall/nodeimage/disk"
)

// handle is a file or directory that a server has open.
type handle struct {
	n       *inode // of a file
	sync    bool   // O_SYNC or O_DSYNC: every write is durable before it is answered
	entries []fuse.DirEntry
}

// handles are what is open, by number.
type handles struct {
	mu   sync.Mutex
	open map[uint64]*handle
	last uint64
}

func (h *handles) add(one *handle) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	h.open[h.last] = one
	return h.last
}

func (h *handles) of(fh uint64) *handle {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open[fh]
}

func (h *handles) remove(fh uint64) *handle {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := h.open[fh]
	delete(h.open, fh)
	return one
}

func (s *server) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if in.NodeId == uint64(probeIno) {
		out.OpenFlags = fuse.FOPEN_DIRECT_IO
		return fuse.OK
	}
	want := wish{}
	if in.Flags&unix.O_ACCMODE != unix.O_RDONLY {
		want = wantsRemoval // on a disk that is read-only
	}
	v, ok := s.enter(want, disk.Ino(in.NodeId))
	if !ok {
		return status(v.errno)
	}
	defer s.leave()
	n := s.nodes[disk.Ino(in.NodeId)]
	if n == nil || n.dir {
		return fuse.ENOENT
	}
	if err := s.hold(n); err != nil {
		return status(err)
	}
	if in.Flags&unix.O_TRUNC != 0 {
		if err := s.truncate(n, 0); err != nil {
			s.letGo(n)
			return status(err)
		}
	}
	out.Fh = s.handles.add(&handle{n: n, sync: in.Flags&unix.O_DSYNC != 0})
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	return fuse.OK
}

func (s *server) Release(_ <-chan struct{}, in *fuse.ReleaseIn) {
	if in.NodeId == uint64(probeIno) {
		return
	}
	h := s.handles.remove(in.Fh)
	if h == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.letGo(h.n)
}

func (s *server) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.OK }

func (s *server) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	if in.NodeId == uint64(probeIno) {
		return s.probeRead(in, buf)
	}
	s.reads.Add(1)
	v, ok := s.enter(wantsRead, disk.Ino(in.NodeId))
	if !ok {
		return nil, status(v.errno)
	}
	h := s.handles.of(in.Fh)
	s.mu.Unlock() // it changes nothing, and the file is open
	if h == nil || h.n == nil {
		return nil, fuse.EBADF
	}
	got, err := h.n.file.ReadAt(buf, int64(in.Offset))
	if err != nil && err != io.EOF {
		return nil, status(err)
	}
	return fuse.ReadResultData(buf[:got]), fuse.OK
}

func (s *server) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	if in.NodeId == uint64(probeIno) {
		return s.probeWrite(data)
	}
	s.writes.Add(1)
	v, ok := s.enter(wantsWrite, disk.Ino(in.NodeId))
	if !ok {
		return 0, status(v.errno)
	}
	h := s.handles.of(in.Fh)
	if h == nil || h.n == nil {
		s.leave()
		return 0, fuse.EBADF
	}
	wrote, err := s.write(h.n, int64(in.Offset), data)
	s.leave()
	if err != nil {
		return 0, status(err)
	}
	if h.sync || in.Flags&unix.O_DSYNC != 0 {
		if st := s.sync(h.n.ino, disk.SyncData, func() error { return unix.Fdatasync(int(h.n.file.Fd())) }); st != fuse.OK {
			return 0, st
		}
	}
	return uint32(wrote), fuse.OK
}

// write writes to a file, and remembers what that overwrites.
func (s *server) write(n *inode, at int64, data []byte) (int, error) {
	op := &disk.Op{Kind: disk.Write, Node: n.ino, Offset: at, Data: slices.Clone(data)} // the kernel's buffer is used again
	if _, err := s.cover(n, n.file, op); err != nil {
		return 0, err
	}
	s.older.keep(n.ino, n.file, at, int64(len(data)))
	wrote, err := n.file.WriteAt(data, at)
	if wrote > 0 {
		op.Data = op.Data[:wrote]
		_ = s.done(op)
		return wrote, nil
	}
	return 0, err
}

// truncate gives a file another length.
func (s *server) truncate(n *inode, size int64) error {
	if size > disk.MaxLength {
		return unix.EFBIG
	}
	return s.reshape(n, &disk.Op{Kind: disk.Truncate, Node: n.ino, Length: size}, func(fd int) error { return unix.Ftruncate(fd, size) })
}

// reshape does a change that brings no data. One that takes more bytes away than can be kept
// is durable at once.
func (s *server) reshape(n *inode, op *disk.Op, do func(fd int) error) error {
	if n.dir {
		return unix.EISDIR
	}
	if err := s.hold(n); err != nil {
		return err
	}
	defer s.letGo(n)
	tooMuch, err := s.cover(n, n.file, op)
	if err == nil {
		err = do(int(n.file.Fd()))
	}
	if err != nil {
		return err
	}
	if !tooMuch {
		_ = s.done(op)
		return nil
	}
	if err := n.file.Sync(); err != nil {
		return err
	}
	s.backs++
	_ = s.done(op)
	_ = s.done(&disk.Op{Kind: disk.SyncData, Node: n.ino})
	return nil
}

func (s *server) Fallocate(_ <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	v, ok := s.enter(wantsWrite, disk.Ino(in.NodeId))
	if !ok {
		return status(v.errno)
	}
	defer s.leave()
	n, at, long := s.nodes[disk.Ino(in.NodeId)], int64(in.Offset), int64(in.Length)
	if n == nil || n.dir {
		return fuse.ENOENT
	}
	if at < 0 || long <= 0 || at > disk.MaxLength-long {
		return fuse.Status(unix.EFBIG)
	}
	do := func(fd int) error { return unix.Fallocate(fd, in.Mode, at, long) }
	op := &disk.Op{Kind: disk.Allocate, Node: n.ino, Offset: at, Length: long}
	switch in.Mode {
	case 0:
		return status(s.reshape(n, op, do))
	case unix.FALLOC_FL_KEEP_SIZE: // neither bytes nor length change
		if err := s.hold(n); err != nil {
			return status(err)
		}
		defer s.letGo(n)
		return status(do(int(n.file.Fd())))
	case unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE, unix.FALLOC_FL_ZERO_RANGE | unix.FALLOC_FL_KEEP_SIZE:
		op.Kind = disk.Zero
		return status(s.reshape(n, op, do))
	case unix.FALLOC_FL_ZERO_RANGE:
		zero := *op
		zero.Kind = disk.Zero
		if err := s.reshape(n, &zero, do); err != nil {
			return status(err)
		}
		return status(s.done(op))
	default:
		return fuse.Status(unix.EOPNOTSUPP)
	}
}

func (s *server) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	if in.NodeId == uint64(probeIno) {
		return s.probeSync()
	}
	h := s.handles.of(in.Fh)
	if h == nil || h.n == nil {
		return fuse.EBADF
	}
	fd := int(h.n.file.Fd())
	if in.FsyncFlags&unix.MS_ASYNC != 0 { // FUSE_FSYNC_FDATASYNC, which is 1 too
		return s.sync(h.n.ino, disk.SyncData, func() error { return unix.Fdatasync(fd) })
	}
	return s.sync(h.n.ino, disk.Sync, func() error { return unix.Fsync(fd) })
}

// sync makes durable what was done to a file, or to a directory, before it began. Others go on meanwhile.
func (s *server) sync(ino disk.Ino, kind disk.Kind, do func() error) fuse.Status {
	s.syncs.Add(1)
	v, ok := s.enter(wantsSync, ino)
	if !ok {
		return status(v.errno)
	}
	upto := s.model.Seq()
	s.mu.Unlock()
	if v.lie {
		return fuse.OK
	}
	if err := do(); err != nil {
		return status(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.thaw()
	_ = s.done(&disk.Op{Kind: kind, Node: ino, Upto: upto})
	if s.nodes[ino] != nil && s.nodes[ino].dir {
		s.sweepTrash()
	}
	return fuse.OK
}
