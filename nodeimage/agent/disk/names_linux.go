package disk

import (
	"maps"
	"slices"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"squall/nodeimage/disk"
)

// vacant refuses a name that cannot be given to something new.
func (s *server) vacant(at place) error {
	if _, there := s.model.Child(at.dir, at.name); there || at.dir == disk.Root && at.name == ProbeName {
		return unix.EEXIST
	}
	if len(at.name) > disk.MaxName {
		return unix.ENAMETOOLONG
	}
	if s.nodes[at.dir] == nil || len(s.nodes) >= maxNodes {
		return unix.ENOSPC
	}
	return nil
}

// name gives something new a name: make does it on the disk below.
func (s *server) name(op *disk.Op, make func(p string) error) (n *inode, st fuse.Status) {
	v, ok := s.enter(wantsName, op.Dir)
	if !ok {
		return nil, status(v.errno)
	}
	defer s.leave()
	at := place{op.Dir, op.Name}
	err := s.vacant(at)
	if err == nil {
		err = make(s.at(at))
	}
	if err != nil {
		return nil, status(err)
	}
	n, _ = s.add(op) // an error of the model's is in the status
	return n, fuse.OK
}

func (s *server) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	n, st := s.name(&disk.Op{Kind: disk.Mkdir, Dir: disk.Ino(in.NodeId), Name: name, Mode: in.Mode & 0o777}, func(p string) error {
		return unix.Mkdirat(s.fd(), p, ours(in.Mode, true))
	})
	return s.named(n, st, out)
}

// named answers with what got a name.
func (s *server) named(n *inode, st fuse.Status, out *fuse.EntryOut) fuse.Status {
	if st != fuse.OK {
		return st
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.thaw()
	return s.entry(n, out)
}

func (s *server) Symlink(_ <-chan struct{}, in *fuse.InHeader, target, name string, out *fuse.EntryOut) fuse.Status {
	n, st := s.name(&disk.Op{Kind: disk.Symlink, Dir: disk.Ino(in.NodeId), Name: name, Target: target}, func(p string) error {
		return unix.Symlinkat(target, s.fd(), p)
	})
	return s.named(n, st, out)
}

func (s *server) Mknod(_ <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	if in.Mode&unix.S_IFMT != unix.S_IFREG {
		return fuse.Status(unix.EOPNOTSUPP)
	}
	n, st := s.name(&disk.Op{Kind: disk.Create, Dir: disk.Ino(in.NodeId), Name: name, Mode: in.Mode & 0o777}, func(p string) error {
		return s.makeFile(p, in.Mode)
	})
	return s.named(n, st, out)
}

func (s *server) makeFile(p string, mode uint32) error {
	fd, err := unix.Openat(s.fd(), p, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, ours(mode, false))
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func (s *server) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	n, st := s.name(&disk.Op{Kind: disk.Create, Dir: disk.Ino(in.NodeId), Name: name, Mode: in.Mode & 0o777}, func(p string) error {
		return s.makeFile(p, in.Mode)
	})
	if st = s.named(n, st, &out.EntryOut); st != fuse.OK {
		return st
	}
	return s.Open(cancel, &fuse.OpenIn{InHeader: fuse.InHeader{NodeId: out.NodeId}, Flags: in.Flags &^ unix.O_TRUNC}, &out.OpenOut)
}

func (s *server) Link(_ <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	v, ok := s.enter(wantsName, disk.Ino(in.NodeId))
	if !ok {
		return status(v.errno)
	}
	defer s.leave()
	n, at := s.nodes[disk.Ino(in.Oldnodeid)], place{disk.Ino(in.NodeId), name}
	if n == nil || n.trashed {
		return fuse.ENOENT
	}
	err := s.vacant(at)
	if err == nil {
		err = unix.Linkat(s.fd(), s.path(n.ino), s.fd(), s.at(at), 0)
	}
	if err != nil {
		return status(err)
	}
	n.names[at] = true
	_ = s.done(&disk.Op{Kind: disk.Link, Node: n.ino, Dir: at.dir, Name: at.name})
	return s.entry(n, out)
}

func (s *server) Unlink(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	return s.remove(disk.Unlink, in, name)
}

func (s *server) Rmdir(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	return s.remove(disk.Rmdir, in, name)
}

func (s *server) remove(kind disk.Kind, in *fuse.InHeader, name string) fuse.Status {
	v, ok := s.enter(wantsRemoval, disk.Ino(in.NodeId))
	if !ok {
		return status(v.errno)
	}
	defer s.leave()
	at := place{disk.Ino(in.NodeId), name}
	ino, there := s.model.Child(at.dir, name)
	if !there {
		return fuse.ENOENT
	}
	if len(s.model.Children(ino)) > 0 {
		return fuse.Status(unix.ENOTEMPTY)
	}
	if err := s.discard(at, s.nodes[ino]); err != nil {
		return status(err)
	}
	_ = s.done(&disk.Op{Kind: kind, Dir: at.dir, Name: name})
	s.sweep(ino)
	return fuse.OK
}

func (s *server) Rename(_ <-chan struct{}, in *fuse.RenameIn, oldName, newName string) fuse.Status {
	v, ok := s.enter(wantsName, disk.Ino(in.NodeId))
	if !ok {
		return status(v.errno)
	}
	defer s.leave()
	from, to := place{disk.Ino(in.NodeId), oldName}, place{disk.Ino(in.Newdir), newName}
	ino, there := s.model.Child(from.dir, from.name)
	old, taken := s.model.Child(to.dir, to.name)
	switch {
	case !there || s.nodes[to.dir] == nil:
		return fuse.ENOENT
	case len(newName) > disk.MaxName:
		return fuse.Status(unix.ENAMETOOLONG)
	case in.Flags&^(unix.RENAME_NOREPLACE|unix.RENAME_EXCHANGE) != 0:
		return fuse.EINVAL
	case in.Flags&unix.RENAME_NOREPLACE != 0 && taken || to.dir == disk.Root && newName == ProbeName:
		return fuse.Status(unix.EEXIST)
	case in.Flags&unix.RENAME_EXCHANGE != 0 && !taken:
		return fuse.ENOENT
	case taken && old == ino:
		return fuse.OK // two names of one file: POSIX has both stay
	case in.Flags&unix.RENAME_EXCHANGE != 0:
		return status(s.exchange(from, to, s.nodes[ino], s.nodes[old]))
	case len(s.model.Children(old)) > 0:
		return fuse.Status(unix.ENOTEMPTY)
	}
	return status(s.rename(from, to, s.nodes[ino], s.nodes[old]))
}

// rename gives an inode another name. What has that name, if anything, is
// replaced at once: at no moment is there nothing of the name.
func (s *server) rename(from, to place, n, old *inode) error {
	var err error
	last := old != nil && len(old.names) == 1
	switch {
	case last && old.dir:
		if err = unix.Renameat2(s.fd(), s.at(from), s.fd(), s.at(to), unix.RENAME_EXCHANGE); err == nil {
			err = unix.Renameat(s.fd(), s.at(from), s.fd(), trashPath(old.ino))
		}
	case last:
		if err = unix.Linkat(s.fd(), s.at(to), s.fd(), trashPath(old.ino), 0); err == nil {
			err = unix.Renameat(s.fd(), s.at(from), s.fd(), s.at(to))
		}
	default:
		err = unix.Renameat(s.fd(), s.at(from), s.fd(), s.at(to))
	}
	if err != nil {
		return err
	}
	if last {
		s.toTrash(to, old)
	} else if old != nil {
		delete(old.names, to)
	}
	delete(n.names, from)
	n.names[to] = true
	_ = s.done(&disk.Op{Kind: disk.Rename, Dir: from.dir, Name: from.name, NewDir: to.dir, NewName: to.name})
	if old != nil {
		s.sweep(old.ino)
	}
	return nil
}

func (s *server) exchange(a, b place, one, other *inode) error {
	if err := unix.Renameat2(s.fd(), s.at(a), s.fd(), s.at(b), unix.RENAME_EXCHANGE); err != nil {
		return err
	}
	delete(one.names, a)
	delete(other.names, b)
	one.names[b], other.names[a] = true, true
	return s.done(&disk.Op{Kind: disk.Exchange, Dir: a.dir, Name: a.name, NewDir: b.dir, NewName: b.name})
}

func (s *server) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	s.look()
	defer s.mu.RUnlock()
	names := s.model.Children(disk.Ino(in.NodeId))
	h := &handle{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		kind := uint32(unix.S_IFREG)
		if s.nodes[names[name]].dir {
			kind = unix.S_IFDIR
		}
		h.entries = append(h.entries, fuse.DirEntry{Name: name, Ino: uint64(names[name]), Mode: s.entryType(names[name], kind)})
	}
	out.Fh = s.handles.add(h)
	return fuse.OK
}

// entryType is what a listing says that something is.
func (s *server) entryType(ino disk.Ino, kind uint32) uint32 {
	if s.model.IsLink(ino) {
		return unix.S_IFLNK
	}
	return kind
}

func (s *server) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	h := s.handles.of(in.Fh)
	if h == nil {
		return fuse.EBADF
	}
	for i := int(min(in.Offset, uint64(len(h.entries)))); i < len(h.entries); i++ {
		e := h.entries[i]
		e.Off = uint64(i) + 1
		if !out.AddDirEntry(e) {
			break
		}
	}
	return fuse.OK
}

func (s *server) ReleaseDir(in *fuse.ReleaseIn) { s.handles.remove(in.Fh) }

func (s *server) FsyncDir(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return s.sync(disk.Ino(in.NodeId), disk.Sync, func() error {
		d, err := unix.Openat(s.fd(), s.lockedPath(disk.Ino(in.NodeId)), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(d)
		return unix.Fsync(d)
	})
}

func (s *server) lockedPath(ino disk.Ino) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.path(ino)
}
