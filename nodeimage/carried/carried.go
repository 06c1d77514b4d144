// Package carried holds the squall-nodes that a released squall carries within
// itself, so that it runs without Go and without sources.
//
// The tree holds none of them. A release builds the nodes, packs them and has
// the Go tool find them in this directory by an overlay (Overlay) with the
// build tag Tag; every other build carries nothing.
package carried

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// A packed node is the file prefix + GOARCH + suffix.
const (
	prefix = "squall-node-linux-"
	suffix = ".zst"
)

// Nodes are packed nodes, one an architecture. The zero value is none.
type Nodes struct{ files fs.FS }

// Embedded are the nodes that this program carries.
func Embedded() Nodes { return Nodes{embedded()} }

// In are the nodes packed in a directory.
func In(dir fs.FS) Nodes { return Nodes{dir} }

// Platforms are those that there is a node for, as linux/GOARCH, sorted.
func (n Nodes) Platforms() []string {
	if n.files == nil {
		return nil
	}
	names, err := fs.Glob(n.files, prefix+"*"+suffix)
	if err != nil { // only a wrong pattern is one
		return nil
	}
	var platforms []string
	for _, name := range names {
		platforms = append(platforms, "linux/"+strings.TrimSuffix(strings.TrimPrefix(name, prefix), suffix))
	}
	slices.Sort(platforms)
	return platforms
}

// Node is one packed node.
type Node struct {
	Key    string // stands for the content: equal keys are the same program
	Size   int64  // of the program, unpacked
	arch   string
	packed []byte
}

// Find returns the node for an architecture. One that is not carried is
// fs.ErrNotExist.
func (n Nodes) Find(arch string) (Node, error) {
	if n.files == nil {
		return Node{}, fs.ErrNotExist
	}
	packed, err := fs.ReadFile(n.files, prefix+arch+suffix)
	if err != nil {
		return Node{}, err
	}
	var header zstd.Header
	if err := header.Decode(packed); err != nil {
		return Node{}, damaged(arch, err)
	}
	if !header.HasFCS {
		return Node{}, damaged(arch, errors.New("it does not tell its size"))
	}
	sum := sha256.Sum256(packed)
	return Node{
		Key: hex.EncodeToString(sum[:])[:20], Size: int64(header.FrameContentSize), arch: arch, packed: packed,
	}, nil
}

// WriteTo unpacks the program. An error of w comes back as it is.
func (n Node) WriteTo(w io.Writer) (int64, error) {
	unpack, err := zstd.NewReader(bytes.NewReader(n.packed), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return 0, damaged(n.arch, err)
	}
	defer unpack.Close()
	out := &trackedWriter{w: w}
	written, err := io.Copy(out, unpack)
	switch {
	case out.err != nil:
		return written, out.err
	case err != nil:
		return written, damaged(n.arch, err)
	}
	return written, nil
}

// trackedWriter remembers whether it was the writer that failed, not the packed node.
type trackedWriter struct {
	w   io.Writer
	err error
}

func (t *trackedWriter) Write(p []byte) (int, error) {
	n, err := t.w.Write(p)
	t.err = err
	return n, err
}

func damaged(arch string, err error) error {
	return fmt.Errorf("the squall-node for linux/%s that this squall carries is damaged: %w: "+
		"compare squall with its SHA256SUMS, and download it again", arch, err)
}
