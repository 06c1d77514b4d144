package disk

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/protocol"
	"squall/nodeimage/disk"
)

// cut does to the disk what a power cut does. No request is answered any more.
func (s *server) cut(p protocol.DiskCut) (protocol.DiskLoss, error) {
	how := disk.How(p.How)
	if !slices.Contains(disk.Hows(), how) {
		return protocol.DiskLoss{}, fmt.Errorf("a power cut leaves no state %q", p.How)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.frozen {
		return protocol.DiskLoss{}, errors.New("a cut was made before")
	}
	s.frozen = true
	if s.broken != nil {
		return protocol.DiskLoss{}, fmt.Errorf("what is synced is not known any more: %w", s.broken)
	}
	c, ok := s.model.Choose(how, rand.New(rand.NewPCG(p.Seed, 0)))
	lost, err := s.model.Lost(c)
	if err != nil {
		return protocol.DiskLoss{}, err
	}
	if err := s.leaveOnly(c, lost); err != nil {
		return protocol.DiskLoss{}, fmt.Errorf("taking what is lost from the disk: %w", err)
	}
	result := protocol.DiskLoss{How: p.How, Files: len(lost.Files), Names: len(lost.Names), Text: lost.String()}
	if !ok {
		result.How = string(disk.Prefix)
	}
	for _, f := range lost.Files {
		result.Writes += f.Writes + f.Others
		result.Bytes += f.Bytes
	}
	return result, nil
}

// leaveOnly makes the directory what a choice leaves, and writes down what that is.
func (s *server) leaveOnly(c disk.Choice, lost disk.Loss) error {
	current := s.model.Current()
	wanted, err := s.model.Surviving(c)
	if err != nil {
		return err
	}
	if err := s.model.Patches(c, s.patch); err != nil {
		return err
	}
	if err := s.unname(current, wanted); err != nil {
		return err
	}
	if err := s.reinstate(wanted); err != nil {
		return err
	}
	if err := s.emptyTrash(); err != nil {
		return err
	}
	return s.writeDown(lost)
}

// patch puts a file right, wherever it is.
func (s *server) patch(p disk.Patch) error {
	f, err := s.open(s.nodes[p.Node])
	if err != nil {
		return err
	}
	defer f.Close()
	for _, piece := range p.Bytes {
		if _, err := f.WriteAt(piece.Data, piece.At); err != nil {
			return err
		}
	}
	if err := f.Truncate(p.Size); err != nil {
		return err
	}
	return f.Close()
}

// unname takes away the names that are not wanted. What had no other goes to the trash.
func (s *server) unname(current, wanted disk.Tree) error {
	for dir, names := range current {
		for name, ino := range names {
			if wanted[dir][name] == ino {
				continue
			}
			if err := s.discard(place{dir, name}, s.nodes[ino]); err != nil {
				return err
			}
		}
	}
	return nil
}

// reinstate gives the names that are wanted and not there, a directory's before those in it.
func (s *server) reinstate(wanted disk.Tree) error {
	next := []disk.Ino{disk.Root}
	for len(next) > 0 {
		dir := next[0]
		next = next[1:]
		for _, name := range slices.Sorted(maps.Keys(wanted[dir])) {
			n := s.nodes[wanted[dir][name]]
			if n == nil {
				return fmt.Errorf("%s: it is not known any more", name)
			}
			if n.dir {
				next = append(next, n.ino)
			}
			if err := s.place(n, place{dir, name}); err != nil {
				return err
			}
		}
	}
	return nil
}

// place gives an inode a name, unless it has it.
func (s *server) place(n *inode, at place) error {
	switch {
	case n.names[at]:
		return nil
	case n.trashed:
		if err := unix.Renameat(s.fd(), trashPath(n.ino), s.fd(), s.at(at)); err != nil {
			return err
		}
		n.trashed = false
		delete(s.trash, n.ino)
	default:
		if err := unix.Linkat(s.fd(), s.path(n.ino), s.fd(), s.at(at), 0); err != nil {
			return err
		}
	}
	n.names[at] = true
	return nil
}

// left is what a cut has left, for the next mount to see whether it is there.
type left struct {
	Names  int               `json:"names"`
	Digest string            `json:"digest"` // of all names and what they are
	Files  map[string]string `json:"files"`  // SHA-256 of those that lost something
}

// writeDown reads the directory and writes down what is in it.
func (s *server) writeDown(lost disk.Loss) error {
	var l left
	var err error
	if l.Names, l.Digest, err = digestNames(path.Join(s.top.Name(), treeDir)); err != nil {
		return err
	}
	l.Files = map[string]string{}
	for _, f := range lost.Files {
		sum, err := digestFile(path.Join(s.top.Name(), treeDir, f.Path))
		if errors.Is(err, fs.ErrNotExist) {
			continue // its name was lost, too
		}
		if err != nil {
			return err
		}
		l.Files[f.Path] = sum
	}
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return os.WriteFile(path.Join(s.top.Name(), cutFile), text, 0o644)
}

// restored compares the directory with what the last cut has left; nil if there was none. It is asked once a life.
func restored(folder string) (*protocol.DiskRestored, error) {
	text, err := os.ReadFile(path.Join(folder, cutFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var l left
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	if err != nil {
		return nil, fmt.Errorf("reading what the last cut has left: %w", err)
	}
	tree := path.Join(folder, treeDir)
	names, digest, err := digestNames(tree)
	if err != nil {
		return nil, err
	}
	r := &protocol.DiskRestored{Names: names, Files: len(l.Files)}
	if names != l.Names || digest != l.Digest {
		r.Wrong = fmt.Sprintf("there are %d names, and not the %d that were left", names, l.Names)
	}
	for name, want := range l.Files {
		if sum, err := digestFile(path.Join(tree, name)); err != nil || sum != want {
			r.Wrong = fmt.Sprintf("%s is not what was left of it", name)
		}
	}
	return r, os.Remove(path.Join(folder, cutFile))
}

func digestNames(tree string) (names int, digest string, err error) {
	sum := sha256.New()
	err = fs.WalkDir(os.DirFS(tree), ".", func(p string, e fs.DirEntry, err error) error {
		if err == nil && p != "." {
			names++
			fmt.Fprintf(sum, "%q %v\n", p, e.Type())
		}
		return err
	})
	return names, hex.EncodeToString(sum.Sum(nil)), err
}

func digestFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
