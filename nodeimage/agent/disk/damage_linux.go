package disk

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"squall/nodeimage/agent/protocol"
	"squall/nodeimage/disk"
)

// blockBytes is how much of a file an old block is.
const blockBytes = 4096

// damage changes a file behind the back of who wrote it. A cut leaves it damaged, but where what is pending lies.
func (s *server) damage(p protocol.DiskDamage) (protocol.DiskDamaged, disk.Ino, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := checkRule(&protocol.DiskRule{Effect: protocol.DiskError, On: protocol.DiskOnRead, Files: p.Files}); err != nil {
		return protocol.DiskDamaged{}, 0, err
	}
	if p.Kind == protocol.DiskRepair {
		return protocol.DiskDamaged{}, 0, s.repair()
	}
	rng := rand.New(rand.NewPCG(p.Seed, 1))
	var files []*inode
	for _, n := range s.nodes {
		if !n.dir && len(n.names) > 0 && n.ino != disk.Root && !s.model.IsLink(n.ino) && matches(p.Files, func() string { return s.shown(n.ino) }) {
			files = append(files, n)
		}
	}
	slices.SortFunc(files, func(a, b *inode) int { return strings.Compare(s.shown(a.ino), s.shown(b.ino)) })
	rng.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	for _, n := range files {
		d, err := s.damageFile(n, p.Kind, rng)
		if err != nil || d.File != "" {
			return d, n.ino, err
		}
	}
	return protocol.DiskDamaged{}, 0, fmt.Errorf("no file %q can be damaged: there is none with bytes in it that would be others", p.Files)
}

// damageFile damages one file. One without bytes is left alone, and has no name in the answer.
func (s *server) damageFile(n *inode, kind string, rng *rand.Rand) (d protocol.DiskDamaged, err error) {
	f, err := s.open(n)
	if err != nil {
		return d, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return d, err
	}
	switch kind {
	case protocol.DiskBitFlip:
		return s.flip(n, f, info.Size(), rng)
	case protocol.DiskOldBlock:
		return s.age(n, f, info.Size(), rng)
	}
	return d, fmt.Errorf("there is no damage %q", kind)
}

// flip turns one bit of a file.
func (s *server) flip(n *inode, f *os.File, size int64, rng *rand.Rand) (d protocol.DiskDamaged, err error) {
	at := rng.Int64N(size)
	one := make([]byte, 1)
	if _, err := f.ReadAt(one, at); err != nil {
		return d, err
	}
	d = protocol.DiskDamaged{File: s.shown(n.ino), Offset: at, Length: 1, Was: fmt.Sprintf("%02x", one[0])}
	one[0] ^= 1 << rng.IntN(8)
	d.Is = fmt.Sprintf("%02x", one[0])
	return d, s.spoil(n, f, at, one)
}

// age has a block of a file hold what it held before it was written the last time. Of a file in which that is known of no
// block, or makes no difference, a block is made zeros: what it was before it was written at all.
func (s *server) age(n *inode, f *os.File, size int64, rng *rand.Rand) (d protocol.DiskDamaged, err error) {
	blocks := s.older.of(n.ino)
	rng.Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] })
	for _, b := range blocks {
		if b.at >= size {
			continue
		}
		is := make([]byte, min(blockBytes, size-b.at))
		if _, err := f.ReadAt(is, b.at); err != nil {
			return d, err
		}
		old := s.older.blocks[b][:len(is)]
		if bytes.Equal(is, old) {
			continue
		}
		d = protocol.DiskDamaged{File: s.shown(n.ino), Offset: b.at, Length: int64(len(old)), Is: protocol.DiskAsBefore}
		return d, s.spoil(n, f, b.at, old)
	}
	return s.zero(n, f, size, rng)
}

// mostAged is how many blocks of a file are looked at for one that is not zeros.
const mostAged = 1 << 10

// zero makes a block of a file zeros: one that is something else now. A file that has none, of those that are looked at, is
// left alone.
func (s *server) zero(n *inode, f *os.File, size int64, rng *rand.Rand) (d protocol.DiskDamaged, err error) {
	blocks := (size + blockBytes - 1) / blockBytes
	first := rng.Int64N(blocks)
	for i := range min(blocks, mostAged) {
		at := (first + i) % blocks * blockBytes
		is := make([]byte, min(blockBytes, size-at))
		old := make([]byte, len(is))
		if _, err := f.ReadAt(is, at); err != nil {
			return d, err
		}
		if bytes.Equal(is, old) {
			continue
		}
		d = protocol.DiskDamaged{File: s.shown(n.ino), Offset: at, Length: int64(len(old)), Is: protocol.DiskZeros}
		return d, s.spoil(n, f, at, old)
	}
	return d, nil
}

// spoilt is what a damage has changed.
type spoilt struct {
	n       *inode
	at      int64
	was, is []byte
}

// spoil writes other bytes into a file, and remembers what they were.
func (s *server) spoil(n *inode, f *os.File, at int64, is []byte) error {
	was := make([]byte, len(is))
	if _, err := f.ReadAt(was, at); err != nil {
		return err
	}
	s.spoilt = append(s.spoilt, spoilt{n, at, was, is})
	_, err := f.WriteAt(is, at)
	return err
}

// repair puts back what was changed, the last first, where it is still so.
func (s *server) repair() error {
	for i := len(s.spoilt) - 1; i >= 0; i-- {
		one := s.spoilt[i]
		if len(one.n.names) == 0 {
			continue
		}
		f, err := s.open(one.n)
		if err != nil {
			return err
		}
		now := make([]byte, len(one.is))
		if got, _ := f.ReadAt(now, one.at); got == len(now) && bytes.Equal(now, one.is) {
			_, err = f.WriteAt(one.was, one.at)
		}
		f.Close()
		if err != nil {
			return err
		}
	}
	s.spoilt = nil
	return nil
}
