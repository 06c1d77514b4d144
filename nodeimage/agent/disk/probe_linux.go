package disk

import (
	"os"
	"path"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"squall/nodeimage/disk"
)

// ProbeName is the file of the agent's own, in the root of the file system. No listing has it, and it is not in the model.
const (
	ProbeName          = ".squall-probe"
	probeIno  disk.Ino = 1<<63 - 1
)

// isProbe reports whether a name is the probe's.
func (s *server) isProbe(dir uint64, name string) bool {
	return dir == fuse.FUSE_ROOT_ID && name == ProbeName
}

func (s *server) probeAttributes(out *fuse.Attr) {
	*out = fuse.Attr{Ino: uint64(probeIno), Mode: unix.S_IFREG | 0o666, Nlink: 1}
	out.Uid, out.Gid = s.owner, s.owner
}

func (s *server) probeEntry(out *fuse.EntryOut) fuse.Status {
	out.NodeId, out.Generation = uint64(probeIno), 1
	s.probeAttributes(&out.Attr)
	return fuse.OK
}

func (s *server) probeAttr(out *fuse.AttrOut) fuse.Status {
	s.probeAttributes(&out.Attr)
	return fuse.OK
}

func (s *server) probe(w wish, do func(f *os.File) error) (v verdict, st fuse.Status) {
	v, ok := s.enter(w, probeIno)
	if !ok {
		return v, status(v.errno)
	}
	s.mu.Unlock()
	if v.lie {
		return v, fuse.OK
	}
	f, err := os.OpenFile(path.Join(s.top.Name(), probeFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return v, status(err)
	}
	defer f.Close()
	return v, status(do(f))
}

func (s *server) probeRead(in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	got := 0
	_, st := s.probe(wantsRead, func(f *os.File) error {
		got, _ = f.ReadAt(buf, int64(in.Offset))
		return nil
	})
	return fuse.ReadResultData(buf[:got]), st
}

func (s *server) probeWrite(data []byte) (uint32, fuse.Status) {
	_, st := s.probe(wantsWrite, func(f *os.File) error {
		_, err := f.WriteAt(data, 0)
		return err
	})
	return uint32(len(data)), st
}

func (s *server) probeSync() fuse.Status {
	_, st := s.probe(wantsSync, (*os.File).Sync)
	return st
}
