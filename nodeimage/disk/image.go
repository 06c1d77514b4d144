package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
)

// Entry is a name in an image.
type Entry struct {
	Path   string // slash-separated, from the root of the tree
	Node   Ino    // entries of the same file have the same
	Type   fs.FileMode
	Perm   fs.FileMode
	Target string // of a symbolic link
	Size   int64  // of a file, bytes

	bytes spans
}

// Image is a state that a power cut may leave.
type Image struct {
	Choice  Choice
	Entries []Entry // a directory before what is in it; within a directory by name
	Lost    Loss

	digest string
}

// Image makes the state that a choice leaves. The model must be Whole. The image
// does not change with the model.
func (m *Model) Image(c Choice) (*Image, error) {
	if !m.opts.Whole {
		return nil, fmt.Errorf("disk model: it holds too little for an image")
	}
	if err := m.checkChoice(c); err != nil {
		return nil, err
	}
	img := &Image{Choice: c, Lost: m.lost(c)}
	files := map[Ino]content{}
	for _, at := range m.walk(m.surviving(c)) {
		n := m.nodes[at.node]
		e := Entry{Path: at.path, Node: at.node, Perm: fs.FileMode(n.mode).Perm(), Target: n.target}
		switch n.kind {
		case aDir:
			e.Type = fs.ModeDir
		case aLink:
			e.Type = fs.ModeSymlink
		default:
			if _, done := files[at.node]; !done {
				files[at.node] = n.file.after(c.Files[at.node])
			}
			e.Size, e.bytes = files[at.node].size, files[at.node].bytes
		}
		img.Entries = append(img.Entries, e)
	}
	return img, nil
}

// surviving says which names a directory has after a power cut.
func (m *Model) surviving(c Choice) func(Ino) entries {
	changed := map[Ino]entries{}
	own := func(dir Ino) entries {
		if changed[dir] == nil {
			changed[dir] = maps.Clone(m.nodes[dir].durable)
		}
		return changed[dir]
	}
	for i := range c.Names {
		m.names[i].on(own, func(Ino, int) {})
	}
	return func(dir Ino) entries {
		if e := changed[dir]; e != nil {
			return e
		}
		return m.nodes[dir].durable
	}
}

// located is a name in a tree.
type located struct {
	path string
	node Ino
}

// walk lists a tree from its root, in order.
func (m *Model) walk(namesOf func(Ino) entries) (all []located) {
	var list func(dir Ino, at string)
	list = func(dir Ino, at string) {
		names := namesOf(dir)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			one := located{path.Join(at, name), names[name]}
			all = append(all, one)
			if m.nodes[one.node].isDir() {
				list(one.node, one.path)
			}
		}
	}
	list(Root, "")
	return all
}

// reachable reports whether a node has a name after a power cut.
func (m *Model) reachable(c Choice, ino Ino) bool {
	return slices.ContainsFunc(m.walk(m.surviving(c)), func(l located) bool { return l.node == ino })
}

// Open reads a file of an image.
func (e *Entry) Open() *io.SectionReader { return io.NewSectionReader(bytesOf{e}, 0, e.Size) }

// bytesOf reads the bytes of a file.
type bytesOf struct{ e *Entry }

func (b bytesOf) ReadAt(p []byte, at int64) (int, error) {
	n := int(max(0, min(int64(len(p)), b.e.Size-at)))
	b.e.bytes.read(at, p[:n])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Blocks calls do with the blocks of a file that are not all zeros, in order, each of so many bytes but for the last of the
// file; an error ends it. Of a file of 64 MiB that was allocated ahead, few are.
func (e *Entry) Blocks(size int64, do func(at int64, data []byte) error) error {
	zeros := make([]byte, size)
	next := int64(0)
	for _, one := range e.bytes {
		for at := max(next, one.at/size*size); at < min(one.at+int64(len(one.data)), e.Size); at = next {
			next = at + size
			data := make([]byte, min(size, e.Size-at))
			e.bytes.read(at, data)
			if bytes.Equal(data, zeros[:len(data)]) {
				continue
			}
			if err := do(at, data); err != nil {
				return err
			}
		}
	}
	return nil
}

// digestBlock is the size of the blocks that are summed up, bytes.
const digestBlock = 4096

// Digest is the SHA-256 of all names and bytes: images that cannot be told from
// each other have the same.
func (img *Image) Digest() string {
	if img.digest != "" {
		return img.digest
	}
	sum := sha256.New()
	first := map[Ino]string{}
	for i := range img.Entries {
		e := &img.Entries[i]
		fmt.Fprintf(sum, "%q %v %o %q %d\n", e.Path, e.Type, e.Perm, e.Target, e.Size)
		if !e.Type.IsRegular() {
			continue
		}
		if same, there := first[e.Node]; there {
			fmt.Fprintf(sum, "same as %q\n", same)
			continue
		}
		first[e.Node] = e.Path
		_ = e.Blocks(digestBlock, func(at int64, data []byte) error { // cannot fail
			fmt.Fprintf(sum, "%d %d\n", at, len(data))
			sum.Write(data)
			return nil
		})
	}
	img.digest = hex.EncodeToString(sum.Sum(nil))
	return img.digest
}

// WriteTo makes the image in a directory, which must be empty.
func (img *Image) WriteTo(dir *os.Root) error {
	first := map[Ino]string{}
	for i := range img.Entries {
		e := &img.Entries[i]
		if err := img.write(dir, e, first); err != nil {
			return fmt.Errorf("disk image: make %s: %w", e.Path, err)
		}
	}
	return nil
}

func (img *Image) write(dir *os.Root, e *Entry, first map[Ino]string) error {
	switch {
	case e.Type.IsDir():
		return dir.Mkdir(e.Path, e.Perm|0o700) // else nothing could be put into it
	case e.Type == fs.ModeSymlink:
		return dir.Symlink(e.Target, e.Path)
	case first[e.Node] != "":
		return dir.Link(first[e.Node], e.Path)
	}
	first[e.Node] = e.Path
	f, err := dir.OpenFile(e.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, e.Perm|0o200)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, one := range e.bytes {
		if _, err := f.WriteAt(one.data, one.at); err != nil {
			return err
		}
	}
	if err := f.Truncate(e.Size); err != nil {
		return err
	}
	return f.Close()
}
