package carried

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// Tag is the build tag of a squall that carries nodes.
const Tag = "squall_carried"

// directory is where this package lies, from the module's root.
const directory = "nodeimage/carried"

// Overlay packs nodes, given as the paths of the programs by GOARCH, into dir
// and writes the file next to them that has the Go tool find them in this
// package (go build -overlay -tags Tag), whose path it returns. root is that of
// the module. The same nodes are packed to the same bytes.
func Overlay(root, dir string, nodes map[string]string) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	replace := make(map[string]string)
	for arch, program := range nodes {
		name := prefix + arch + suffix
		packed := filepath.Join(dir, name)
		if err := packFile(program, packed); err != nil {
			return "", fmt.Errorf("packing squall-node for linux/%s: %w", arch, err)
		}
		replace[filepath.Join(root, filepath.FromSlash(directory), name)] = packed
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "carried.json")
	return file, os.WriteFile(file, overlay, 0o644)
}

func packFile(program, packed string) error {
	data, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	if data, err = Pack(data); err != nil {
		return err
	}
	return os.WriteFile(packed, data, 0o644)
}

// Pack packs one node. At this size the best level takes seconds, once a
// release; unpacking is as fast as at any other.
func Pack(program []byte) ([]byte, error) {
	// One goroutine, so that the bytes do not depend on how many there are; the
	// checksum lets whoever unpacks see damage.
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression),
		zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, err
	}
	defer encoder.Close()
	return encoder.EncodeAll(program, nil), nil
}
